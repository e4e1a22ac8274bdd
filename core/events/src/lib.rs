//! What comes back after a decision: deliveries, conversions and views; how each is named, deduplicated and attributed.
//!
//! Invariants: an event's id is a function of what happened, so a copy carries the same id; a billable event's key is
//! (decision, slot, kind), for conversions also the order id; a conversion is attributed at most once, in append order.

mod attribution;
mod dedupe;
mod envelope;
mod event;
mod id;
mod pacing;
mod privacy;
mod token;

pub use attribution::{Attributed, Attribution, Click};
pub use dedupe::{Dedupe, DedupeKey, Seen};
pub use envelope::{Envelope, PartitionKey};
pub use event::{Conversion, Delivery, EventKind, ItemView, MAX_CONVERSION_ITEMS, MAX_ORDER_ID_BYTES, Purchased};
pub use id::{conversion_id, delivery_id, heartbeat_id, named_id, view_id};
pub use pacing::{Funds, MAX_PACED_LINE_ITEMS, PacingTable};
pub use privacy::{Privacy, Wish};
pub use token::{ATTRIBUTION_WINDOW, Billable, MAX_GEO_BYTES, Token};
