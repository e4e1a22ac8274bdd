//! What an export of the ledger holds.

use std::collections::BTreeMap;

use litfass_ledger::{Balance, LedgerAccount};
use litfass_store::ledger::Exported;

use super::conformance::{Open, impressions, set_up};

/// The same as the other questions are answered, and its postings add up to its balances.
pub(super) fn an_export_is_every_row_of_one_instant(open: Open<'_>) {
    let mut ports = open();
    set_up(&mut ports, 7_000);
    ports.authority.bill(&impressions(0, 0, 10)).unwrap();
    let mut rows = Vec::new();
    ports
        .reader
        .export(&mut |row| {
            rows.push(row);
            true
        })
        .unwrap();
    let told = |wanted: fn(&Exported) -> bool| rows.iter().filter(|row| wanted(row)).count();
    assert_eq!(told(|row| matches!(row, Exported::Position(..))), ports.reader.positions().unwrap().len());
    assert_eq!(told(|row| matches!(row, Exported::Command(..))), 2);
    let mut folded: BTreeMap<LedgerAccount, Balance> = BTreeMap::new();
    for row in &rows {
        match row {
            Exported::Posting(posting) => {
                let debited = &mut folded.entry(posting.debit).or_default().debits;
                *debited = debited.plus(posting.amount).unwrap();
                let credited = &mut folded.entry(posting.credit).or_default().credits;
                *credited = credited.plus(posting.amount).unwrap();
            }
            Exported::Control(id, control) => assert_eq!(ports.reader.controls(&[*id]).unwrap(), [*control]),
            Exported::Delivery(delivery) => {
                assert_eq!(ports.reader.delivery().unwrap(), std::slice::from_ref(delivery));
            }
            Exported::Position(..) | Exported::Balance(..) | Exported::Command(..) => {}
        }
    }
    assert!(!folded.is_empty());
    assert_eq!(
        (&folded, folded.clone().into_iter().collect()),
        (&balances_of(&rows), ports.reader.balances().unwrap())
    );
    let mut first = 0;
    ports
        .reader
        .export(&mut |_| {
            first += 1;
            false
        })
        .unwrap();
    assert_eq!(first, 1, "whoever wants no more gets no more");
}

fn balances_of(rows: &[Exported]) -> BTreeMap<LedgerAccount, Balance> {
    let balance =
        |row: &Exported| if let Exported::Balance(account, balance) = row { Some((*account, *balance)) } else { None };
    rows.iter().filter_map(balance).collect()
}
