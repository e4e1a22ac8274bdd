//! How fast the admin API's side of the store is on a catalog of a size: edits one by one (each on disk before it is answered),
//! ten thousand rows in one call, and from an edit to the next catalog in memory.
//!
//! `cargo run --release -p litfass-store --example catalog_load -- 1000000 /tmp/catalog` makes the catalog, then
//! `cargo run --release -p litfass-store --example catalog_edits -- /tmp/catalog` measures on it, and leaves its edits there.

use std::path::PathBuf;
use std::time::Instant;

use litfass_catalog::ObjectKind;
use litfass_store::catalog::{Answer, CatalogStore, Edit, Edited, Follower, ROWS_MAX, RowEdit, Target};
use litfass_store::keys::Scope;
use litfass_types::Timestamp;
use serde_json::{Value, json};

const SINGLE_EDITS: u64 = 1_000;
const ROUNDS: u64 = 20;
/// As a server is configured that says nothing of it.
const OVERLAY_OBJECTS_MAX: usize = 10_000;

#[expect(clippy::print_stdout, reason = "an example reports to its caller")]
fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "catalog-load".to_owned()));
    let database = folder.join("litfass.db");
    litfass_store::migrate::to_current(&database)?;
    let mut store = CatalogStore::open(&database)?;
    let start = Instant::now();
    store.bring_index_up_to_date()?;
    println!("index brought up to date in {:.2} s", start.elapsed().as_secs_f64());
    let (mut follower, first) = Follower::open(CatalogStore::open(&database)?, OVERLAY_OBJECTS_MAX)?;
    println!("{} ads of {} line items", first.catalog.ads(), first.catalog.line_items());

    let start = Instant::now();
    for n in 0..SINGLE_EDITS {
        edit(&mut store, vec![row(n, 2_000_000)])?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:.0} edits/s one by one, {:.2} ms each",
        whole(SINGLE_EDITS) / seconds,
        seconds * 1e3 / whole(SINGLE_EDITS)
    );
    follower.poll()?;

    let mut took: Vec<f64> = Vec::new();
    for round in 0..ROUNDS {
        edit(&mut store, vec![row(round, 3_000_000)])?;
        let start = Instant::now();
        anyhow::ensure!(follower.poll()?.is_some(), "the edit is a new version");
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_unstable_by(f64::total_cmp);
    println!(
        "an edit's next catalog in memory in {:.1} ms (median), {:.1} ms (worst)",
        took[took.len() / 2],
        took[took.len() - 1]
    );

    let count = u64::from(first.catalog.line_items()).min(ROWS_MAX as u64);
    let rows = (0..count).map(|n| row(n, 4_000_000)).collect();
    let start = Instant::now();
    edit(&mut store, rows)?;
    println!("{count} rows in one call in {:.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    follower.poll()?;
    println!("their catalog in memory in {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// A line item with another bid; ids of `catalog_load` begin at 1.
fn row(n: u64, micros: i64) -> RowEdit {
    let members = json!({ "id": n + 1, "bid": { "micros": micros, "per": "mille" } });
    let Value::Object(members) = members else { unreachable!("written as an object") };
    RowEdit { target: Target::Named, members, seen: None }
}

fn edit(store: &mut CatalogStore, rows: Vec<RowEdit>) -> anyhow::Result<()> {
    let edit = Edit {
        scope: Scope::Platform,
        kind: ObjectKind::LineItem,
        rows,
        who: "bench",
        action: "update",
        dry_run: false,
        repeatable: None,
        now: Timestamp(1_790_000_000_000),
    };
    let answer = |_: &[_]| Answer { status: 200, version: None, body: String::new() };
    let Edited::Fresh { rows, .. } = store.edit(&edit, &answer)? else { anyhow::bail!("no key was given") };
    let refused = rows.iter().find_map(|row| row.as_ref().err());
    anyhow::ensure!(refused.is_none(), "{refused:?}");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
const fn whole(n: u64) -> f64 {
    n as f64
}
