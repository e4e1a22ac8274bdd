//! Pages under `docs/generated` are written from tables in the code; here a test compares, or rewrites with `UPDATE_FIXTURES=1`.

use std::path::PathBuf;

use litfass_types::{Fate, Ineligible, Reason};

pub(crate) fn assert_current(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/generated").join(name);
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(found.lines().chain(std::iter::repeat(""))).find(|(wanted, found)| wanted != found);
    assert!(
        found == text,
        "docs/generated/{name} is not current ({differs:?}): run the tests once with UPDATE_FIXTURES=1"
    );
}

/// Both parts of the table of reasons, as a page.
fn reasons_page() -> String {
    let mut page = "# Why something was not shown\n\nWritten from the table in `core/types/src/reason.rs` by a test. Explanations, why-not, metrics and records use these codes;\na number is never given another meaning. Loss codes are those of OpenRTB 2.6, list 4.25.\n".to_owned();
    page.push_str("\n## Before there are candidates\n\nDecided for line items, in this order: one counts for the first predicate that it fails.\n\n");
    page.push_str(HEAD);
    Ineligible::ALL.iter().for_each(|why| page.push_str(&row(why.number(), why.reason())));
    page.push_str("\n## How a candidate ends at a placement\n\nExactly one for every candidate at every placement of a decision.\n\n");
    page.push_str(HEAD);
    Fate::ALL.iter().for_each(|fate| page.push_str(&row(fate.number(), fate.reason())));
    page
}

const HEAD: &str = "| code | number | stage | loss code | meaning |\n|---|---|---|---|---|\n";

fn row(number: u8, reason: Reason) -> String {
    let Reason { code, stage, text, loss_code } = reason;
    let stage = format!("{stage:?}").to_lowercase();
    format!("| `{code}` | {number} | {stage} | {loss_code} | {text} |\n")
}

#[test]
fn the_page_of_reasons_is_current() {
    assert_current("reasons.md", &reasons_page());
}
