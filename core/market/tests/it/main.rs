mod board;
mod exploration;
mod properties;
mod reference;
mod twin;
mod value;
mod world;
