mod candidates;
mod overlay;
mod shop;
mod signals;
mod sources;
