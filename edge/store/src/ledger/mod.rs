//! The ledger's ports and the adapters behind them: SQLite, and PostgreSQL behind a feature.
//!
//! What a transaction reads and writes is planned by `litfass_ledger`; an adapter finds rows, writes rows and commits, and
//! every database gives the same ledger. Grants and closes only reserve; what bills comes from the log, and its position is
//! committed with it.

mod adding;
mod command;
mod exporting;
mod fields;
mod instants;
mod port;
#[cfg(feature = "postgres")]
mod postgres;
mod reading;
pub mod report;
mod rows;
mod sqlite;
mod sums;

pub use crate::database::DatabaseError;
pub use exporting::Exported;
pub use port::{
    Accounted, BudgetAuthority, Clock, Delivery, Ledger, LedgerAdmin, LedgerError, LedgerReader, funds, verify,
};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresLedger, PostgresLedgerReader};
pub use sqlite::{Interrupter, SqliteLedger, SqliteLedgerReader};
