//! A seeded world to drive a server with: a shop with its goods, sellers, campaigns and shoppers, whose click probabilities
//! are known, and a driver that plays them, or a recorded log, against a live server.
//!
//! Invariants: the same seed gives the same shop and, per stream, the same requests, whatever the server answers; nothing
//! here is read by the server, so what `truth` knows cannot leak into what is learned.

pub mod budget;
mod catalog;
mod crowd;
mod demand;
mod door;
mod draw;
mod driver;
mod goods;
mod http;
mod load;
pub mod pacing;
mod pages;
mod replay;
mod served;
mod shop;
mod shoppers;
mod tally;
mod targeting;
pub mod truth;
mod visitors;
mod words;

pub use crowd::{Bought, Crowd, Purchase, Reaction, ShownAd, ViewedItem, Visit};
pub use demand::Subject;
pub use door::{Answer, Door, Unanswered};
pub use driver::{Pace, drive};
pub use goods::{Item, Seller};
pub use http::{HttpDoor, Response};
pub use load::load_at;
pub use pages::PageKind;
pub use replay::{InBasket, LoggedVisit, Replay};
pub use shop::{Shop, Size};
pub use shoppers::{History, Shopper};
pub use tally::{Counts, Tally};
pub use visitors::Visitors;
