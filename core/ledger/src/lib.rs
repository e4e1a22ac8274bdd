//! The ledger as pure transitions: `plan(operation, rows read) → rows to write`.
//!
//! Two kinds of books. The **money ledger** ([`Posting`], [`Balance`]) is double entry, append-only and sums to zero. **Controls**
//! ([`Control`]) are limits at four levels (account, campaign lifetime, campaign day, line item) from which deciding processes
//! lease budget ([`Lease`], [`Holds`]) and against which billable events ([`Claim`]) are spent.
//!
//! Invariants, each a function in [`check`]: spent + leased ≤ ceiling + restored at every level and the levels agree · the sum
//! of what open leases have left is what is leased · every claim has one outcome and is billed at most once · a command takes
//! effect at most once · the ledger sums to zero, and every balance and control is the fold of its postings.
//!
//! Safety never rests on a clock: times decide only how soon unspent budget can be used again. Nothing here reads one.
//!
//! An [`Operation`] reads rows from a [`Source`], plans, and a [`Store`] writes what changed: [`execute`] is one transaction,
//! which an adapter wraps in its database's. [`Book`] is such a store in memory.

mod amount;
mod apply;
mod attribute;
mod bill;
mod book;
mod books;
pub mod check;
mod claim;
mod command;
mod control;
mod gather;
mod grant;
mod holds;
mod index;
mod lease;
mod moves;
mod partitions;
mod rollup;
mod rows;
mod settle;
mod statement;
mod store;
mod sweep;
mod terms;
mod timeline;

pub use amount::{Amount, Overflow};
pub use apply::{Applied, Apply};
pub use bill::{Bill, Billed};
pub use book::Book;
pub use books::{Balance, Cause, LedgerAccount, Posting, PostingKind};
pub use claim::{
    Batch, Billable, Claim, ClaimId, Consumed, Count, Entry, KeyId, Outcome, Pending, Shortage, Tally, UnbilledId,
    key_day, key_day_end,
};
pub use command::{
    Command, CommandEntry, CommandId, CommandOutcome, CommandRecord, Commands, DailyLimits, Effect, Funding, Limit,
    Note, Objection,
};
pub use control::{Chain, Control, ControlId, Level, UNLIMITED};
pub use grant::{GiveBack, Grant};
pub use holds::{Entrant, Held, HoldRefused, Holds, Monotonic, hold_amount};
pub use lease::{
    BudgetDay, GrantAnswer, GrantRefusal, GrantRequest, Granted, HolderId, Lease, Remaining, Return, grant_amount,
};
pub use partitions::Membership;
pub use rollup::{
    Asked, Buyer, Country, Facet, Figures, Forgotten, LastClick, Order, OrderId, Quarter, Rollup, Sighting, Slice,
    Spot, Viewer,
};
pub use rows::{BatchRecord, Change, Partition, PartitionKind, Refused, Rows, Table};
pub use settle::{Settled, SettledClaim};
pub use statement::{Account, Charge, Days, Move, MoveKind, Statement, carried};
pub use store::{Failure, Found, Operation, Source, State, StateUse, Store, execute};
pub use sweep::{SWEEP_SHARE, Sweep, Swept, sweep};
pub use terms::Terms;
pub use timeline::{CatchUp, Promote, Promoted, Stand, Standing, Target, Timeline};
