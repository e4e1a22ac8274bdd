//! Frequency caps: how often each viewer was shown what, and the promise not to exceed it.
//!
//! What counts is what was rendered. A winner is **held** before the response, all of a decision's caps or none; its impression
//! event makes a count of the hold, and a hold without one ends by itself. Two decisions for one viewer at the same time cannot
//! both take the last impression of a cap.
//!
//! [`CapStore`] is the port. Embedded it is [`CapCounters`], a fold over the log of which each process has its own. In Redis
//! (`RedisCaps`, with the feature `redis`) several processes count together.

mod impressions;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod renders;

use std::fmt::Debug;

use litfass_catalog::{CapScope, Catalog};
use litfass_events::{Delivery, Token};
use litfass_policy::{CapCounts, CapLimit};
use litfass_types::{AdId, AdvertiserId, CampaignId, DecisionId, Duration, LineItemId, Timestamp, UserHash};

pub use crate::fold::CapCounters;
pub use impressions::{DAYS_MAX, EXACT_MAX, HOURS_MAX};
pub(crate) use record::CapRecord;
pub use record::{HOLDS_MAX, SCOPES_MAX};
#[cfg(feature = "redis")]
pub use redis::{BadAddress, RECORD_BYTES_MAX, RedisCaps, RedisOptions};
pub use renders::{Renders, Told, WAITING_MAX};

/// How long a shown slot may take to be rendered, unless configured otherwise.
pub const HOLD_TTL: Duration = Duration::minutes(5);

/// How long a shared store may take to be told of a render. Holds in it have to last as much longer, or what was rendered at their
/// very end would be forgotten for that long. One that did not answer for longer is filled again.
pub const TOLD_WITHIN: Duration = Duration::minutes(1);

/// What is counted of each viewer, shared by as many processes as the store reaches.
///
/// Every method is at most one round trip, a raced hold one more. Times are the caller's; those of two processes may differ by
/// what their clocks do.
pub trait CapStore: Debug + Send + Sync {
    /// The counts of every cap in the catalog that this viewer has used anything of, holds included, and what the store may want to
    /// have back when something is held on their strength.
    ///
    /// # Errors
    /// When the store does not answer, or has lost what it knew; then nothing is known of anybody.
    fn look(&self, user: UserHash, catalog: &Catalog, now: Timestamp) -> Result<(CapCounts, Looked), CapsAway>;

    /// Holds one impression of each wanted ad, if all of them keep their caps together; else says which do not.
    ///
    /// # Errors
    /// Nothing is held then: some do not fit beside those before them, or the store does not answer.
    fn hold(
        &self,
        user: UserHash,
        looked: Looked,
        decision: DecisionId,
        wanted: &[Wanted],
        now: Timestamp,
    ) -> Result<(), NotHeld>;

    /// Gives back what was held: nobody will be shown it. Where the store does not answer, the hold ends by itself.
    fn release(&self, user: UserHash, decision: DecisionId, now: Timestamp);

    /// A slot was rendered. The same slot again changes nothing while its hold lasts.
    ///
    /// # Errors
    /// When the store does not answer; it has to be told again.
    fn confirm(&self, user: UserHash, render: &Render) -> Result<Confirmed, CapsAway>;

    /// Nothing is counted for this viewer any more.
    ///
    /// # Errors
    /// When the store does not answer; it has to be told again.
    fn erase(&self, user: UserHash) -> Result<(), CapsAway>;
}

/// A store outside the process, which may be lost while the processes live on.
pub trait SharedCapStore: CapStore {
    /// Asks whether it knows anything, also while it counts as silent.
    ///
    /// # Errors
    /// When it does not answer, or has lost what it knew.
    fn look_alive(&self) -> Result<(), CapsAway>;

    /// Fills a store that has lost what it knew with what the fold has counted; true where this process did it. The fold must have
    /// read everything that was held before the loss.
    ///
    /// # Errors
    /// When it does not answer. Nobody believes what was written until then.
    fn rebuild(&self, from: &CapCounters) -> Result<bool, CapsAway>;

    /// What is in the store is not to be believed any more: some process fills it again.
    ///
    /// # Errors
    /// When it does not answer.
    fn doubt(&self) -> Result<(), CapsAway>;

    /// What was noticed since it was last asked.
    fn take_notices(&self) -> Notices;
}

/// What a shared store noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Notices {
    /// Changes that somebody else was faster than.
    pub races: u64,
    /// Records that were older than we had read them: a failover lost writes.
    pub went_back: u64,
}

/// What one impression counts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted {
    pub ad: AdId,
    pub line_item: LineItemId,
    pub campaign: CampaignId,
    pub advertiser: AdvertiserId,
}

impl Render {
    /// As an impression that was reported at that time.
    #[must_use]
    pub fn of(delivery: &Delivery, at: Timestamp) -> Self {
        let Token { decision, slot, ad, line_item, campaign, advertiser, .. } = delivery.token;
        Self { decision, slot, counted: Counted { ad, line_item, campaign, advertiser }, at }
    }
}

impl Counted {
    #[must_use]
    pub const fn scopes(&self) -> [CapScope; 4] {
        [
            CapScope::Ad(self.ad),
            CapScope::LineItem(self.line_item),
            CapScope::Campaign(self.campaign),
            CapScope::Advertiser(self.advertiser),
        ]
    }
}

/// One ad to show, and the caps that it must keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub counted: Counted,
    /// As `litfass_policy::caps_of` lists them.
    pub limits: Vec<CapLimit>,
}

/// A slot of a decision that was rendered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Render {
    pub decision: DecisionId,
    /// Its number among what the decision showed.
    pub slot: u8,
    pub counted: Counted,
    pub at: Timestamp,
}

/// What `look` read, for the hold that follows.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// The embedded store has nothing to compare with.
    #[cfg(feature = "redis")]
    read: Option<Box<redis::Read>>,
}

/// Which of the wanted ads did not fit; nothing is held then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapsReached {
    /// Indices into what was wanted, ascending.
    pub refused: Vec<usize>,
}

/// Why nothing is held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotHeld {
    Reached(CapsReached),
    /// The store does not answer, or has lost what it knew.
    Away,
}

/// The store knows nothing of anybody just now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CapsAway {
    #[error("the store of frequency caps does not answer")]
    Silent,
    #[error("the store of frequency caps has lost what it knew and is being filled again")]
    Lost,
}

/// What a render met.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Confirmed {
    /// Its hold.
    Held,
    /// It was counted already.
    Before,
    /// No hold, or one that had ended: it counts all the same, and may be one more than a cap allows.
    Late,
    /// No hold, though one should have lasted: it was never taken, or the store has lost it. It counts.
    Missing,
}
