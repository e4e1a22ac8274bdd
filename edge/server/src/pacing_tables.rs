//! Pacing tables in the log: what is written of each, and what any of them said, read again.
//!
//! Invariants: a table's entries are in the log before it is in force; a table is what the one before said, changed, or, at a
//! process's start and hourly, everything; so whoever reads from an hour before a decision on knows the table it names. Each
//! deciding process has a series of its own, which its tables' numbers tell. Table 0 is the one before the first: nobody is
//! held back, and nobody has funds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use litfass_catalog::{Bitset, Catalog};
use litfass_decide::PacingColumns;
use litfass_events::{Funds, PacingTable};
use litfass_store::log::{EventLog, Timeline};
use litfass_store::wire::{self, Body};
use litfass_types::{Duration, LineItemId, PPM, Timestamp};

use crate::world::{Pacing, lay_out};

/// How often a table says everything.
pub const FULL_EVERY: Duration = Duration::hours(1);
/// Line items that one entry speaks of: at most some 18 bytes each, within the log's bound.
const ROWS_MAX: usize = 100_000;
/// Tables come a little late where the machine is busy.
const LATE: Duration = Duration::minutes(5);

/// A process that starts looks for the last table in the last two minutes, then in twice as many, up to four hours.
const FIRST_LOOK: Duration = Duration::minutes(2);
const LONGEST_LOOK: Duration = Duration::hours(4);

/// Bits of a number that say whose series it is: in segments the partition that the table is written to, of which there are
/// fewer.
const SERIES_BITS: u32 = 10;
/// What came before there were series: plain milliseconds.
const FIRST_WITH_SERIES: u64 = 1 << 42;

/// The number of the table after that one: it carries the time, so that it goes on where the process before left off, and the
/// series.
#[must_use]
pub fn number_after(before: u64, now: Timestamp, series: u16) -> u64 {
    let ms = (before >> SERIES_BITS).saturating_add(1).max(now.0.unsigned_abs());
    ms << SERIES_BITS | u64::from(series) & ((1 << SERIES_BITS) - 1)
}

/// Whose table it is.
const fn series(number: u64) -> u64 {
    if number < FIRST_WITH_SERIES { u64::MAX } else { number & ((1 << SERIES_BITS) - 1) }
}

/// The entries that say `after` to whoever knows `before`; all of it where `full`.
#[must_use]
pub fn entries(before: &Pacing, after: &Pacing, full: bool) -> Vec<PacingTable> {
    let nothing = Pacing::default();
    let before = if full { &nothing } else { before };
    let multipliers: Vec<_> = changed_multipliers(before, after);
    let by_requests = |rows: &[(LineItemId, u32)]| {
        rows.iter().map(|(id, _)| *id).filter(|id| after.by_requests.contains(id)).collect()
    };
    let gained: Vec<_> = after.funded.difference(&before.funded).copied().collect();
    let lost: Vec<_> = before.funded.difference(&after.funded).copied().collect();
    let parts = [multipliers.len(), gained.len(), lost.len()].into_iter().max().unwrap_or(0).div_ceil(ROWS_MAX).max(1);
    let part = |part: usize| PacingTable {
        number: after.number,
        full: full && part == 0,
        by_requests: by_requests(&nth(&multipliers, part)),
        multipliers_ppm: nth(&multipliers, part),
        funds: Some(Funds { gained: nth(&gained, part), lost: nth(&lost, part) }),
    };
    (0..parts).map(part).collect()
}

fn nth<T: Clone>(rows: &[T], part: usize) -> Vec<T> {
    rows.chunks(ROWS_MAX).nth(part).unwrap_or_default().to_vec()
}

/// What is not in a table has the whole bid.
fn changed_multipliers(before: &Pacing, after: &Pacing) -> Vec<(LineItemId, u32)> {
    let ids: BTreeSet<LineItemId> =
        before.multipliers_ppm.keys().chain(after.multipliers_ppm.keys()).copied().collect();
    let of = |table: &Pacing, id: &LineItemId| {
        (table.multipliers_ppm.get(id).copied().unwrap_or(PPM), table.by_requests.contains(id))
    };
    let rows = ids.iter().map(|id| (*id, of(before, id), of(after, id)));
    rows.filter(|(_, before, after)| before != after).map(|(id, _, (after, _))| (id, after)).collect()
}

/// What one table said of one line item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Paced {
    pub multiplier_ppm: u32,
    /// Whether that is the share of requests instead of the bid.
    pub by_requests: bool,
    /// `None` where the table does not say: those of the first format did not.
    pub funded: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State {
    multiplier_ppm: u32,
    by_requests: bool,
    funded: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { multiplier_ppm: PPM, by_requests: false, funded: false }
    }
}

/// Every table of a stretch of the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PacingHistory {
    /// By number: whether the table says who has funds.
    tables: BTreeMap<u64, bool>,
    /// By series and line item: from which table on it was what; ascending.
    changes: BTreeMap<u64, BTreeMap<LineItemId, Vec<(u64, State)>>>,
}

impl PacingHistory {
    /// The tables that decisions from `from` on and before `until` may name.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(log: &dyn EventLog, from: Timestamp, until: Timestamp) -> Result<Self> {
        Self::within(log, from - FULL_EVERY - LATE, until + LATE)
    }

    fn within(log: &dyn EventLog, from: Timestamp, until: Timestamp) -> Result<Self> {
        let mut history = Self::default();
        for entry in Timeline::between(log, from, until)? {
            let entry = entry?;
            if wire::is_pacing(&entry)
                && let Body::Pacing(table) =
                    wire::decode(&entry).with_context(|| format!("log entry at {:?}", entry.position))?.body
            {
                history.take(&table);
            }
        }
        Ok(history)
    }

    /// The multipliers of the last table that any process published before `now`; nobody's where there was none for hours.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn last_before(log: &dyn EventLog, now: Timestamp) -> Result<BTreeMap<LineItemId, u32>> {
        let (mut span, mut until) = (FIRST_LOOK, now + LATE);
        while span <= LONGEST_LOOK {
            let from = now - span;
            let history = Self::within(log, from, until)?;
            if let Some((last, _)) = history.tables.last_key_value() {
                return Ok(history.multipliers(*last));
            }
            (span, until) = (span + span, from);
        }
        Ok(BTreeMap::new())
    }

    fn multipliers(&self, number: u64) -> BTreeMap<LineItemId, u32> {
        let ids = self.changes.get(&series(number)).into_iter().flat_map(BTreeMap::keys);
        ids.map(|id| (*id, self.state(*id, number).multiplier_ppm)).collect()
    }

    /// What table `number` said of the line item; `None` where that table is not among these.
    #[must_use]
    pub fn of(&self, line_item: LineItemId, number: u64) -> Option<Paced> {
        let says_funds = if number == 0 { true } else { *self.tables.get(&number)? };
        let State { multiplier_ppm, by_requests, funded } = self.state(line_item, number);
        Some(Paced { multiplier_ppm, by_requests, funded: says_funds.then_some(funded) })
    }

    /// Table `number` laid out by a catalog's line items; `None` where it is not among these or does not say who has funds.
    #[must_use]
    pub fn columns(&self, catalog: &Catalog, number: u64) -> Option<PacingColumns> {
        if number != 0 && !*self.tables.get(&number)? {
            return None;
        }
        let rows = catalog.line_items() as usize;
        let mut columns = PacingColumns {
            number,
            multipliers_ppm: vec![PPM; rows],
            funded: Bitset::new(rows),
            paced_out: Bitset::new(rows),
            by_requests: Vec::new(),
        };
        for ix in catalog.live_line_items() {
            let id = catalog.line_item(ix).id;
            let state = self.state(id, number);
            if state.funded {
                columns.funded.insert(ix.0);
            }
            lay_out(&mut columns, (ix, id), state.multiplier_ppm, state.by_requests);
        }
        Some(columns)
    }

    fn state(&self, line_item: LineItemId, number: u64) -> State {
        let series = self.changes.get(&series(number));
        let changes = series.and_then(|changes| changes.get(&line_item)).map_or(&[][..], Vec::as_slice);
        let after = changes.partition_point(|(from, _)| *from <= number);
        after.checked_sub(1).map_or_else(State::default, |at| changes[at].1)
    }

    /// The tables of a series come in the order of their numbers, the parts of one behind each other.
    fn take(&mut self, table: &PacingTable) {
        self.tables.insert(table.number, table.funds.is_some());
        if table.full {
            let series = self.changes.entry(series(table.number)).or_default();
            let known: Vec<LineItemId> = series.keys().copied().collect();
            known.into_iter().for_each(|id| self.change(table.number, id, |state| *state = State::default()));
        }
        for (id, ppm) in &table.multipliers_ppm {
            let by_requests = table.by_requests.binary_search(id).is_ok();
            self.change(table.number, *id, |state| (state.multiplier_ppm, state.by_requests) = (*ppm, by_requests));
        }
        let Some(Funds { gained, lost }) = &table.funds else { return };
        gained.iter().for_each(|id| self.change(table.number, *id, |state| state.funded = true));
        lost.iter().for_each(|id| self.change(table.number, *id, |state| state.funded = false));
    }

    fn change(&mut self, number: u64, line_item: LineItemId, change: impl FnOnce(&mut State)) {
        let changes = self.changes.entry(series(number)).or_default().entry(line_item).or_default();
        let before = changes.last().map_or_else(State::default, |(_, state)| *state);
        let mut after = before;
        change(&mut after);
        match changes.last_mut() {
            Some((last, state)) if *last == number => *state = after,
            Some(_) | None if after != before => changes.push((number, after)),
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;

    fn pacing() -> impl Strategy<Value = Pacing> {
        let id = || (0_u64..12).prop_map(LineItemId);
        let multipliers = btree_map(id(), 0..PPM, 0..6);
        (multipliers, btree_set(id(), 0..8)).prop_map(|(multipliers_ppm, funded)| Pacing {
            number: 0,
            by_requests: multipliers_ppm.keys().copied().filter(|id| id.0 % 3 == 0).collect(),
            multipliers_ppm,
            funded,
        })
    }

    proptest! {
        #[test]
        fn every_table_is_read_again_as_it_was(tables in vec((pacing(), any::<bool>()), 1..12)) {
            let (mut history, mut before) = (PacingHistory::default(), Pacing::default());
            let mut made = vec![Pacing::default()];
            for (i, (table, full)) in tables.into_iter().enumerate() {
                let table = Pacing { number: 10 * (i as u64 + 1), ..table };
                entries(&before, &table, full || i == 0).iter().for_each(|entry| history.take(entry));
                made.push(table.clone());
                before = table;
            }
            for table in &made {
                for id in (0..12).map(LineItemId) {
                    let ppm = table.multipliers_ppm.get(&id).copied().unwrap_or(PPM);
                    let by_requests = table.by_requests.contains(&id);
                    let said = Paced { multiplier_ppm: ppm, by_requests, funded: Some(table.funded.contains(&id)) };
                    prop_assert_eq!(history.of(id, table.number), Some(said), "table {}", table.number);
                }
            }
            prop_assert_eq!(history.of(LineItemId(1), 5), None);
        }

        #[test]
        fn processes_do_not_disturb_each_others_tables(tables in vec((pacing(), 0..3_u16, any::<bool>()), 1..20)) {
            let mut history = PacingHistory::default();
            let mut before: BTreeMap<u16, Pacing> = BTreeMap::new();
            let mut made = Vec::new();
            for (at, (table, partition, full)) in (1_700_000_000_000_i64..).zip(tables) {
                let last = before.entry(partition).or_default();
                let table = Pacing { number: number_after(last.number, Timestamp(at), partition), ..table };
                entries(last, &table, full || last.number == 0).iter().for_each(|entry| history.take(entry));
                *last = table.clone();
                made.push(table);
            }
            for (table, id) in made.iter().flat_map(|table| (0..12).map(move |id| (table, LineItemId(id)))) {
                let ppm = table.multipliers_ppm.get(&id).copied().unwrap_or(PPM);
                let by_requests = table.by_requests.contains(&id);
                    let said = Paced { multiplier_ppm: ppm, by_requests, funded: Some(table.funded.contains(&id)) };
                prop_assert_eq!(history.of(id, table.number), Some(said), "table {}", table.number);
            }
        }
    }

    #[test]
    fn a_long_table_lies_in_several_entries() {
        let funded = (0..250_000).map(LineItemId).collect();
        let table = Pacing { number: 7, funded, ..Pacing::default() };
        let parts = entries(&Pacing::default(), &table, true);
        assert_eq!(parts.iter().map(|part| part.full).collect::<Vec<_>>(), [true, false, false]);
        let mut history = PacingHistory::default();
        parts.iter().for_each(|part| history.take(part));
        let all = (0..250_000).all(|id| history.of(LineItemId(id), 7).is_some_and(|paced| paced.funded == Some(true)));
        assert!(all);
    }
}
