//! Work that may take long has lanes of its own, so that it never takes the threads and connections of readiness, money and logins.
//!
//! A full lane is a 429, not a queue: whoever asks may come back. For a page, which a person waits for, a place may become free
//! for a moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Code, Problem};

/// Streams of events at once.
const EXPORTS: usize = 4;
/// Reports at once, each on a connection of its own.
const REPORTS: usize = 4;
/// Balances and statements at once, each on a connection of its own: they add up everything an account ever did.
const ACCOUNTS: usize = 4;
/// Pages at once that show what the ledger has, each on a connection of its own.
const PAGES: usize = 4;
/// Looks back through the log at once.
const LOOKS_BACK: usize = 2;

/// How long a page waits for a place.
const MOMENT: Duration = Duration::from_secs(2);

/// When a full lane is worth another try.
const COME_BACK: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Lanes {
    pub exports: Lane,
    pub reports: Lane,
    pub accounts: Lane,
    pub pages: Lane,
    pub looks_back: Lane,
}

#[derive(Debug)]
pub struct Lane(Arc<Semaphore>);

impl Default for Lanes {
    fn default() -> Self {
        let lane = |places| Lane(Arc::new(Semaphore::new(places)));
        Self {
            exports: lane(EXPORTS),
            reports: lane(REPORTS),
            accounts: lane(ACCOUNTS),
            pages: lane(PAGES),
            looks_back: lane(LOOKS_BACK),
        }
    }
}

impl Lane {
    /// A place, until it is dropped.
    ///
    /// # Errors
    /// 429 where all are taken.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| full())
    }

    /// As `enter`, after a moment at most.
    ///
    /// # Errors
    /// 429 where nobody left meanwhile.
    pub async fn enter_soon(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let entered = tokio::time::timeout(MOMENT, Arc::clone(&self.0).acquire_owned()).await;
        entered.map_err(|_| full())?.map_err(|_| full())
    }
}

fn full() -> Problem {
    Problem::new(Code::Busy, "all places for this kind of question are taken").retry_after(COME_BACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_refuses_until_somebody_leaves() {
        let lanes = Lanes::default();
        let mut inside: Vec<_> = (0..EXPORTS).map(|_| lanes.exports.enter().unwrap()).collect();
        assert_eq!(lanes.exports.enter().unwrap_err().code(), Code::Busy);
        assert!(lanes.reports.enter().is_ok(), "another lane");
        inside.pop();
        assert!(lanes.exports.enter().is_ok());
    }

    #[test]
    fn a_page_waits_a_moment_for_a_place() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let lanes = Lanes::default();
            let mut inside = Vec::new();
            for _ in 0..PAGES {
                inside.push(lanes.pages.enter_soon().await.unwrap());
            }
            assert_eq!(lanes.pages.enter().unwrap_err().code(), Code::Busy);
            let (waiting, ()) = tokio::join!(lanes.pages.enter_soon(), async { drop(inside.pop()) });
            assert!(waiting.is_ok());
        });
    }
}
