//! The ledger's ports and the SQLite adapter behind them.
//!
//! What a transaction reads and writes is planned by `litfass_ledger`; an adapter finds rows, writes rows and commits, and
//! every database gives the same ledger. Grants and closes only reserve; what bills comes from the log, and its position is
//! committed with it.

mod adding;
mod command;
mod fields;
mod port;
mod reading;
pub mod report;
mod rows;
mod sqlite;
mod sums;

pub use port::{
    Accounted, BudgetAuthority, DatabaseError, Delivery, LedgerAdmin, LedgerError, LedgerReader, funds, verify,
};
pub use sqlite::{Clock, SqliteLedger, SqliteLedgerReader};
