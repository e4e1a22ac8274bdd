//! What a database has to do for the ledger: find rows and write rows. Everything else is planned here.
//!
//! An [`Operation`] reads in one order (state, position, keys, leases, controls, pending; each sorted), so that databases with row
//! locks never wait in a circle, then plans without reading, then the rows that changed are written: one transaction, made by
//! the adapter around [`execute`].
//!
//! **An account's control stands for everything of the account**: its other controls, limits, pending claims, counters and
//! refunds. Each operation asks for it before it reads any of these for its plan, so a database with row locks needs to keep no
//! other lock on them. What was found without that lock is only a hint and is read again.

use std::collections::BTreeSet;

use litfass_types::{AdvertiserId, CampaignId, Day, LeaseId, Timestamp};

use crate::books::{Balance, LedgerAccount};
use crate::claim::{ClaimId, Count, KeyId, Pending, Tally, UnbilledId};
use crate::command::{CommandId, CommandRecord, DailyLimits, Funding};
use crate::control::{Chain, Control, ControlId};
use crate::lease::Lease;
use crate::rollup::{LastClick, OrderId, Viewer};
use crate::rows::{Partition, Refused, Rows};
use crate::timeline::Timeline;

/// Rows found; what is absent has none.
pub type Found<K, V> = Vec<(K, V)>;

/// What an operation does with the [`State`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StateUse {
    Reads,
    /// It sets keys of claims, which needs their days not to be dropped meanwhile.
    Marks,
    Changes,
}

/// What there is once of a ledger.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct State {
    /// Key tables up to this UTC day are gone for ever.
    pub keys_dropped: Option<Day>,
    /// The timeline that the database is on.
    pub runs: Timeline,
    /// The one it was last promoted to.
    pub promoted: Timeline,
}

impl State {
    pub(crate) fn waits_for_promotion(&self) -> bool {
        self.runs != self.promoted
    }
}

/// Reading rows inside one transaction. Sets come sorted and are read (and locked) in that order.
pub trait Source {
    type Error;

    /// All of them; the operation writes none but those `moved`.
    fn partitions(&mut self, moved: &BTreeSet<u16>) -> Result<Found<u16, Partition>, Self::Error>;
    /// Nobody marks a key while another changes it.
    fn state(&mut self, with: StateUse) -> Result<State, Self::Error>;
    /// Keys of days whose table was dropped are never asked for.
    fn keys(&mut self, wanted: &BTreeSet<KeyId>) -> Result<Found<KeyId, u64>, Self::Error>;
    fn leases(&mut self, wanted: &BTreeSet<LeaseId>) -> Result<Found<LeaseId, Lease>, Self::Error>;
    /// At most `limit` open leases with expires < `watermark`, the earliest first.
    fn leases_due(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<LeaseId, Lease>, Self::Error>;
    fn controls(&mut self, wanted: &BTreeSet<ControlId>) -> Result<Found<ControlId, Control>, Self::Error>;
    /// The day controls that exist of a campaign from that day on.
    fn day_controls(&mut self, campaign: CampaignId, from: Day) -> Result<Found<ControlId, Control>, Self::Error>;
    fn funding(&mut self, wanted: &BTreeSet<AdvertiserId>) -> Result<Found<AdvertiserId, Funding>, Self::Error>;
    fn daily_limits(&mut self, wanted: &BTreeSet<CampaignId>) -> Result<Found<CampaignId, DailyLimits>, Self::Error>;
    fn pending(&mut self, wanted: &BTreeSet<ClaimId>) -> Result<Found<ClaimId, Pending>, Self::Error>;
    /// For every chain of those accounts with pending claims, at most `per_chain` of them, the smallest amounts first.
    fn pending_of(
        &mut self,
        accounts: &BTreeSet<AdvertiserId>,
        per_chain: usize,
    ) -> Result<Found<ClaimId, Pending>, Self::Error>;
    /// At most `limit` pending claims with token expiry < `watermark`, the earliest first.
    fn pending_past(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<ClaimId, Pending>, Self::Error>;
    /// At most `limit` accounts with pending claims, in order, after that one.
    fn pending_accounts(&mut self, after: Option<AdvertiserId>, limit: usize)
    -> Result<Vec<AdvertiserId>, Self::Error>;
    fn commands(&mut self, wanted: &BTreeSet<CommandId>) -> Result<Found<CommandId, CommandRecord>, Self::Error>;
    /// Every refund that waits.
    fn refunds_waiting(&mut self) -> Result<Found<CommandId, CommandRecord>, Self::Error>;
    fn balances(&mut self, wanted: &BTreeSet<LedgerAccount>) -> Result<Found<LedgerAccount, Balance>, Self::Error>;
    fn tallies(&mut self, wanted: &BTreeSet<Chain>) -> Result<Found<Chain, Tally>, Self::Error>;
    fn clicks(&mut self, wanted: &BTreeSet<Viewer>) -> Result<Found<Viewer, LastClick>, Self::Error>;
    fn orders(&mut self, wanted: &BTreeSet<OrderId>) -> Result<Found<OrderId, Timestamp>, Self::Error>;
    fn unbilled(&mut self, wanted: &BTreeSet<UnbilledId>) -> Result<Found<UnbilledId, Count>, Self::Error>;
}

/// Writing what a plan changed, inside the same transaction.
pub trait Store: Source {
    fn write(&mut self, rows: &Rows) -> Result<(), Self::Error>;
}

/// One transaction of the ledger: which rows it reads, and what it makes of them.
pub trait Operation {
    type Receipt;

    fn read<S: Source + ?Sized>(&self, source: &mut S) -> Result<Rows, S::Error>;
    /// Pure: the same rows give the same rows.
    fn plan(&self, rows: &mut Rows) -> Result<Self::Receipt, Refused>;
}

/// Why an operation did not happen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure<E> {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the ledger's database: {0}")]
    Store(E),
}

/// Reads, plans, writes. The caller wraps it in a transaction and commits only what is `Ok`.
pub fn execute<S: Store, O: Operation>(store: &mut S, operation: &O) -> Result<O::Receipt, Failure<S::Error>> {
    let mut rows = operation.read(store).map_err(Failure::Store)?;
    let receipt = operation.plan(&mut rows)?;
    store.write(&rows).map_err(Failure::Store)?;
    Ok(receipt)
}
