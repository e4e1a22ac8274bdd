//! The ledger's ports and the SQLite adapter behind them.
//!
//! What a transaction reads and writes is planned by `litfass_ledger`; an adapter finds rows, writes rows and commits, and
//! every database gives the same ledger. Grants and closes only reserve; what bills comes from the log, and its position is
//! committed with it.

mod port;
pub mod report;
mod sqlite;

pub use port::{Accounted, BudgetAuthority, Delivery, LedgerAdmin, LedgerError, LedgerReader, funds, verify};
pub use sqlite::{Clock, SqliteLedger, SqliteLedgerReader};
