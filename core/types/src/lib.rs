//! The vocabulary: what every other crate of Litfass means by an id, an amount, a probability, an instant and a reason.
//!
//! Invariants: money is integers (`Nanos`, `Price`), a probability is an integer fraction, time is UTC milliseconds that
//! somebody hands in, and every reason why something was not shown is a row of one closed table (`reason`).

mod audience;
mod calendar;
mod fact;
mod hash;
mod id;
mod money;
mod reason;
mod time;
mod traffic;

pub use audience::{Device, Os, Term, TermKind};
pub use calendar::{Calendar, Day, MalformedDay, TimeZoneId, TimeZones, UnknownTimeZone, time_zone_database};
pub use fact::{CatalogVersion, Port, Position, Reading};
pub use hash::{FEATURE_HASH_SEED, Seed, hash_pair, xxh64};
pub use id::{
    AdId, AdIx, AdvertiserId, CampaignId, CreativeId, DecisionId, EventId, LeaseId, LineItemId, LineItemIx,
    MalformedId, PlacementId, Row, SegmentId, TenantId, UserHash,
};
pub use money::{Nanos, PPM, Prediction, Price, Probability, Unit, Value};
pub use reason::{Fate, Ineligible, Reason, Stage};
pub use time::{Duration, Timestamp};
pub use traffic::Traffic;
