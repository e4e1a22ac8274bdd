//! Everything that a ledger says of money, row by row: for books kept elsewhere.

use std::collections::BTreeSet;

use litfass_ledger::{Balance, CommandId, CommandRecord, Control, ControlId, LedgerAccount, Partition, Posting};

use super::Delivery;
use super::command;
use super::fields::{control_id, ledger_account};
use super::reading::{self, Tables};
use super::rows::{BALANCE, CONTROL, CONTROL_ID, POSTING, balance, control, posting};

/// One row. All rows of an export are of one instant: that of its positions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exported {
    /// How far a partition of the log was consumed: everything before is in the rows that follow, nothing after.
    Position(u16, Partition),
    Balance(LedgerAccount, Balance),
    Control(ControlId, Control),
    Delivery(Delivery),
    Command(CommandId, CommandRecord),
    /// In the order in which they were made.
    Posting(Posting),
}

/// Hands everything over until `take` wants no more.
pub(super) fn export<T: Tables>(
    tables: &mut T,
    take: &mut (dyn FnMut(Exported) -> bool + Send),
) -> Result<(), T::Error> {
    let mut wanted = true;
    let mut give = |row: Exported| wanted = wanted && take(row);
    let positions = tables.partitions(&BTreeSet::new())?;
    positions.into_iter().for_each(|(number, partition)| give(Exported::Position(number, partition)));
    tables.scan(&format!("SELECT kind, owner, {BALANCE} FROM ledger_balance ORDER BY kind, owner"), &[], |row| {
        give(Exported::Balance(ledger_account(row, 0)?, balance(row, 2)?));
        Ok(())
    })?;
    let controls = format!("SELECT {CONTROL_ID}, {CONTROL} FROM ledger_control ORDER BY {CONTROL_ID}");
    tables.scan(&controls, &[], |row| {
        give(Exported::Control(control_id(row, 0)?, control(row, 3)?));
        Ok(())
    })?;
    reading::delivery(tables)?.into_iter().for_each(|delivery| give(Exported::Delivery(delivery)));
    let commands = format!("SELECT {} FROM ledger_command ORDER BY partition, at", command::COLUMNS);
    tables.scan(&commands, &[], |row| {
        let (id, record) = command::read(row, 0)?;
        give(Exported::Command(id, record));
        Ok(())
    })?;
    tables.scan(&format!("SELECT {POSTING} FROM ledger_posting ORDER BY id"), &[], |row| {
        give(Exported::Posting(posting(row)?));
        Ok(())
    })
}
