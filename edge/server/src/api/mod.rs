//! The public shapes of the HTTP interface and their limits. Each module is one endpoint: what comes in, what goes out, and
//! the checks on the way into the domain. Nothing here touches a store.

pub mod accounts;
pub mod audit;
pub mod catalog;
pub mod csv;
pub mod decisions;
pub mod events;
pub mod instant;
pub mod invalid;
pub mod keys;
pub mod number;
pub mod rank_ads;
pub mod reports;
pub mod why_not;
