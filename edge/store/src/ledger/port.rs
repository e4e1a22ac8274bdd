//! What deciding, billing and administering processes may ask of the ledger.

use std::collections::BTreeMap;
use std::fmt::Debug;

use litfass_ledger::check::{Audit, Violation, violations};
use litfass_ledger::{
    Account, Amount, Applied, Balance, Batch, Billed, CatchUp, Chain, CommandId, CommandRecord, Commands, Consumed,
    Control, ControlId, Count, GrantAnswer, GrantRequest, LedgerAccount, Membership, Outcome, Partition, Promoted,
    Refused, Return, Settled, Standing, Swept, Tally, Target, Timeline, UnbilledId,
};
use litfass_types::{AdvertiserId, Position, Timestamp};

use super::exporting::Exported;
use super::report::{Report, ReportAsk};
use crate::database::DatabaseError;

/// The database's clock, as an adapter is told it.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Why the ledger did not do what it was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The caller's where it names a position, a partition or an entry: read the log again from where the ledger stands. Nobody's
    /// where the ledger is catching up after a failover: ask again later. Else ours, and asking the same again does not help.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The database's: busy, full, gone, damaged. What was asked for may or may not have happened; every operation of these
    /// ports changes nothing when it has been done before, so it may be asked for again.
    #[error("the ledger's database: {0}")]
    Database(#[from] DatabaseError),
    /// The operator's: the tables were written by a later version.
    #[error("the ledger has schema version {found}; this program knows versions up to {known}")]
    NewerSchema { found: u32, known: u32 },
}

impl LedgerError {
    /// What the ledger waits for, where that is all.
    #[must_use]
    pub const fn catching_up(&self) -> Option<CatchUp> {
        match self {
            Self::Refused(Refused::CatchingUp(waits)) => Some(*waits),
            Self::Refused(_) | Self::Database(_) | Self::NewerSchema { .. } => None,
        }
    }
}

/// Budget for deciding processes, and billing of what they delivered.
///
/// Every call is one database transaction, or for `sweep` several: after an error or a crash it has happened entirely or not at
/// all. Calls may come from any thread. While the ledger is completed after a failover, [`Refused::CatchingUp`] says so.
pub trait BudgetAuthority: Debug + Send + Sync {
    /// Moves available to leased at every level of each request's chain, or refuses it. An id that was granted before gets the
    /// first answer again and changes nothing. Answers come in the order of the requests.
    ///
    /// # Errors
    /// The database's; then nothing was granted, and the same ids may be sent again.
    fn grant(&self, requests: &[GrantRequest]) -> Result<Vec<GrantAnswer>, LedgerError>;

    /// Gives every claim of a batch its one outcome and moves the positions over it.
    ///
    /// # Errors
    /// [`Refused::Position`] where the ledger does not stand where the batch begins: somebody else has billed it.
    fn bill(&self, batch: &Batch) -> Result<Billed, LedgerError>;

    /// Takes back what was not held. The total is what was returned so far: a smaller one than before changes nothing.
    ///
    /// # Errors
    /// The database's.
    fn give_back(&self, returns: &[Return]) -> Result<Settled, LedgerError>;

    /// Closes leases that the watermark has passed, tries again what waits, ends what is past its token's life, and drops keys
    /// that no token needs any more. To be called every few seconds by at least one process.
    ///
    /// # Errors
    /// The database's; then a part of the work may have been done.
    fn sweep(&self) -> Result<Swept, LedgerError>;
}

/// The applier of the admin partition, and whoever starts and fences log writers.
pub trait LedgerAdmin: Debug + Send + Sync {
    /// Gives every command its one outcome and moves the admin partition's position over it.
    ///
    /// # Errors
    /// [`Refused::Position`] where the ledger does not stand where the range begins.
    fn apply(&self, commands: &Commands) -> Result<Applied, LedgerError>;

    /// Opens partitions before they are read, and seals those whose writer is gone. Doing so again changes nothing.
    ///
    /// # Errors
    /// [`Refused::Partition`] where one is known to carry entries of another kind, or is not known.
    fn partitions(&self, changes: &[Membership]) -> Result<(), LedgerError>;

    /// What became of a command; none while it has not been applied.
    ///
    /// # Errors
    /// The database's.
    fn outcome(&self, command: CommandId) -> Result<Option<CommandRecord>, LedgerError>;

    /// Which timeline the database is on, and what the ledger waits for before it serves everything.
    ///
    /// # Errors
    /// The database's.
    fn standing(&self) -> Result<Standing, LedgerError>;

    /// Begins the timeline that the database is on: closes every lease, and from then on completes the ledger from the log up to
    /// the targets. They name every partition, and were read after `standing` had told the timeline. Doing so again changes
    /// nothing.
    ///
    /// # Errors
    /// [`Refused::Timeline`] where the database is on another by now.
    fn promote(&self, timeline: Timeline, targets: &[Target]) -> Result<Promoted, LedgerError>;
}

/// Both ports of whoever writes.
pub trait Ledger: BudgetAuthority + LedgerAdmin {}

impl<L: BudgetAuthority + LedgerAdmin> Ledger for L {}

/// What became of the claims of one line item's budget day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    pub chain: Chain,
    pub tally: Tally,
    /// Waiting to fit.
    pub pending: Count,
    /// Delivered, never billed, by reason.
    pub unbilled: Vec<(UnbilledId, Count)>,
}

/// The ledger's account of the log, as of one instant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Accounted {
    pub partitions: Vec<(u16, Partition)>,
    /// Ranges of event partitions that were billed, in order.
    pub ranges: Vec<Consumed>,
    /// Claims in them.
    pub claims: u64,
    /// Outcomes other than billed at once.
    pub outcomes: BTreeMap<Position, Outcome>,
    pub billed: BTreeMap<AdvertiserId, Amount>,
    pub commands: BTreeMap<CommandId, CommandRecord>,
}

/// Committed state, for pages, pacing, eligibility and readers of the log. Never blocks writers, never is blocked by them.
pub trait LedgerReader: Debug + Send + Sync {
    /// How far each partition was consumed: where its reader goes on.
    ///
    /// # Errors
    /// The database's.
    fn positions(&self) -> Result<Vec<(u16, Partition)>, LedgerError>;

    /// Every account of the money ledger.
    ///
    /// # Errors
    /// The database's.
    fn balances(&self) -> Result<Vec<(LedgerAccount, Balance)>, LedgerError>;

    /// Those controls, in their order, all as of one instant; one that nothing happened to yet is in its first state.
    ///
    /// # Errors
    /// The database's.
    fn controls(&self, ids: &[ControlId]) -> Result<Vec<Control>, LedgerError>;

    /// Every line item's budget day that had a claim, by chain.
    ///
    /// # Errors
    /// The database's.
    fn delivery(&self) -> Result<Vec<Delivery>, LedgerError>;

    /// An account with everything that moved its money, as of one instant; one that nothing happened to yet is empty.
    ///
    /// # Errors
    /// The database's.
    fn account(&self, account: AdvertiserId) -> Result<Account, LedgerError>;

    /// What became of a command; none while it has not been applied.
    ///
    /// # Errors
    /// The database's.
    fn command(&self, command: CommandId) -> Result<Option<CommandRecord>, LedgerError>;

    /// What became of the claim in the entry at that position; none where the ledger has not come that far. Of an entry that
    /// claims nothing it says `Billed`.
    ///
    /// # Errors
    /// The database's.
    fn outcome(&self, position: Position) -> Result<Option<Outcome>, LedgerError>;

    /// Figures, as of one instant; none where the report would have more rows than asked for.
    ///
    /// # Errors
    /// The database's.
    fn report(&self, ask: &ReportAsk) -> Result<Option<Report>, LedgerError>;

    /// What the ledger says of the log: how far it read, and what became of what it read.
    ///
    /// # Errors
    /// The database's.
    fn accounted(&self) -> Result<Accounted, LedgerError>;

    /// Everything that the invariants of `litfass_ledger::check` are checked on, as of one instant.
    ///
    /// # Errors
    /// The database's; a row that cannot be one is reported as damaged.
    fn audit(&self) -> Result<Audit, LedgerError>;

    /// Hands every row over, of one instant, until `take` wants no more: positions, balances, controls, deliveries, commands,
    /// postings. While it takes, the database keeps the state of that instant.
    ///
    /// # Errors
    /// The database's; what was handed over until then is not all.
    fn export(&self, take: &mut (dyn FnMut(Exported) -> bool + Send)) -> Result<(), LedgerError>;
}

/// What could still be leased for each chain: the least that any of its levels has available. A line item has funds for an
/// auction where this, or what its process still holds free, covers its bid for one unit.
///
/// # Errors
/// The database's.
pub fn funds(reader: &dyn LedgerReader, chains: &[Chain]) -> Result<Vec<Amount>, LedgerError> {
    let ids: Vec<ControlId> = chains.iter().flat_map(|chain| chain.controls()).collect();
    let controls = reader.controls(&ids)?;
    let least = |levels: &[Control]| levels.iter().map(Control::available).min().unwrap_or_default();
    Ok(controls.chunks(4).map(least).collect())
}

/// Derives every balance, control and limit again from postings, leases and commands: every invariant that does not hold, with
/// the first place where it does not.
///
/// # Errors
/// The database's.
pub fn verify(reader: &dyn LedgerReader) -> Result<Vec<Violation>, LedgerError> {
    Ok(violations(&reader.audit()?))
}
