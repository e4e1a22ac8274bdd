mod candidates;
mod items;
mod overlay;
mod shop;
mod signals;
mod sources;
