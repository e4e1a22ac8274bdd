//! Examples from the event log: rendered impressions joined with the features that their decision recorded, and with the
//! clicks and orders that followed.
//!
//! Invariants: only rendered rows that people saw are examples, never candidates that lost; the order in which partitions are read changes
//! nothing; repeated events count once; examples come in the order of their decision ids, which begin with the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use litfass_decide::DecisionRecord;
use litfass_events::{ATTRIBUTION_WINDOW, Attributed, Attribution, Conversion, Delivery, EventKind, Token};
use litfass_features::{AdRows, RequestId, RequestNumber, RowId, RowNumber, ViewerBlock};
use litfass_store::log::{EventLog, ReadError};
use litfass_store::wire::{self, Body, Logged, WireError};
use litfass_types::{DecisionId, Position, Timestamp};

use crate::examples::{Examples, Label};

const BATCH_BYTES: usize = 4 << 20;

/// Which decisions are learned from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Decisions from here on …
    pub from: Timestamp,
    /// … and before here: what is younger may still be clicked.
    pub until: Timestamp,
    /// The youngest so many, so that memory is bounded.
    pub decisions_max: usize,
}

/// What was read and what came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub decisions: u64,
    /// Examples.
    pub rendered: u64,
    pub clicked: u64,
    pub converted: u64,
    /// Shown rows of which no impression came.
    pub not_rendered: u64,
    /// Clicks whose impression never came: left out, so that lost beacons do not look like clicks.
    pub clicked_unrendered: u64,
    /// Rows of another feature set.
    pub misfits: u64,
}

/// The log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("partition {}, offset {}: {problem}", position.partition, position.offset)]
    Wire { position: Position, problem: WireError },
}

/// Examples of a log, and up to where each partition was read.
#[derive(Clone, PartialEq, Debug)]
pub struct FromLog {
    pub examples: Examples,
    pub counts: Counts,
    pub positions: BTreeMap<u16, u64>,
}

/// Reads everything that is committed.
///
/// # Errors
/// When the log is damaged or holds what cannot be decoded.
pub fn read(log: &dyn EventLog, window: Window) -> Result<FromLog, LogError> {
    let mut positions = BTreeMap::new();
    let mut joiner = Joiner::new(window);
    for head in log.wait(&[], Duration::ZERO)? {
        let mut next = Position { offset: 0, ..head.next };
        while next < head.next {
            let batch = match log.read(next, BATCH_BYTES) {
                // What was kept long enough is gone; go on with what is there.
                Err(ReadError::Gone { first, .. }) => {
                    next.offset = first;
                    continue;
                }
                read => read?,
            };
            for entry in &batch.entries {
                let position = entry.position;
                joiner.take(wire::decode(entry).map_err(|problem| LogError::Wire { position, problem })?);
            }
            if batch.entries.is_empty() {
                break;
            }
            next = batch.next;
        }
        positions.insert(next.partition, next.offset);
    }
    let (examples, counts) = joiner.finish();
    Ok(FromLog { examples, counts, positions })
}

/// One shown row: its decision and its number among all that the decision showed.
type ShownRow = (DecisionId, u8);

#[derive(Debug)]
struct Decided {
    time: Timestamp,
    block: ViewerBlock,
    rows: AdRows,
    slots: Vec<u8>,
}

impl Decided {
    /// Whether its columns are those of this feature set.
    fn fits(&self) -> bool {
        let shown = self.slots.len();
        (self.block.numbers.len(), self.block.ids.len()) == (RequestNumber::COUNT, RequestId::COUNT)
            && (self.rows.numbers.len(), self.rows.ids.len()) == (shown * RowNumber::COUNT, shown * RowId::COUNT)
    }
}

/// The join, entry by entry.
#[derive(Debug)]
pub struct Joiner {
    window: Window,
    decided: BTreeMap<DecisionId, Decided>,
    rendered: BTreeSet<ShownRow>,
    clicked: BTreeSet<ShownRow>,
    converted: BTreeSet<ShownRow>,
    /// By partition: a viewer's clicks and orders lie in one.
    attribution: BTreeMap<u16, Attribution>,
}

impl Joiner {
    #[must_use]
    pub const fn new(window: Window) -> Self {
        Self {
            window,
            decided: BTreeMap::new(),
            rendered: BTreeSet::new(),
            clicked: BTreeSet::new(),
            converted: BTreeSet::new(),
            attribution: BTreeMap::new(),
        }
    }

    /// Takes in one entry; those of one partition in their order.
    pub fn take(&mut self, logged: Logged) {
        let partition = logged.position.partition;
        let at = logged.envelope.append_time;
        if !logged.body.traffic().counts() {
            return;
        }
        match logged.body {
            Body::Decision(record) => self.decision(*record),
            Body::Delivery(delivery) => self.delivery(partition, at, &delivery),
            Body::Conversion(conversion) => self.conversion(partition, at, &conversion),
            Body::Outline(_)
            | Body::ItemView(_)
            | Body::Command(_)
            | Body::Pacing(_)
            | Body::Privacy(_)
            | Body::Heartbeat
            | Body::Unknown => {}
        }
    }

    fn decision(&mut self, record: DecisionRecord) {
        let time = record.inputs.now;
        if time < self.window.from || time >= self.window.until {
            return;
        }
        let slots = record.shown.iter().map(|shown| shown.slot).collect();
        self.decided.insert(record.id, Decided { time, block: record.viewer, rows: record.rows, slots });
        if self.decided.len() > self.window.decisions_max {
            self.decided.pop_first();
        }
    }

    fn delivery(&mut self, partition: u16, at: Timestamp, delivery: &Delivery) {
        match delivery.kind {
            EventKind::Impression => mark(&mut self.rendered, &self.window, &delivery.token),
            EventKind::Click => {
                mark(&mut self.clicked, &self.window, &delivery.token);
                self.attribution_of(partition).click(at, &delivery.token);
            }
            EventKind::Viewable | EventKind::Conversion | EventKind::View => {}
        }
    }

    fn conversion(&mut self, partition: u16, at: Timestamp, conversion: &Conversion) {
        if let Attributed::Click(token) = self.attribution_of(partition).conversion(at, conversion) {
            mark(&mut self.converted, &self.window, &token);
        }
    }

    fn attribution_of(&mut self, partition: u16) -> &mut Attribution {
        self.attribution.entry(partition).or_insert_with(|| Attribution::new(ATTRIBUTION_WINDOW))
    }

    /// The examples of all decisions whose rows were rendered.
    #[must_use]
    pub fn finish(mut self) -> (Examples, Counts) {
        let mut counts = Counts::default();
        let mut examples = Examples::default();
        for (id, decided) in std::mem::take(&mut self.decided) {
            counts.decisions += 1;
            self.push(id, decided, &mut examples, &mut counts);
        }
        (examples, counts)
    }

    fn push(&self, id: DecisionId, decided: Decided, examples: &mut Examples, counts: &mut Counts) {
        if !decided.fits() {
            counts.misfits += decided.slots.len() as u64;
            return;
        }
        let Decided { time, block, rows, slots } = decided;
        examples.push_request(time, block);
        for (row, (slot, number)) in slots.into_iter().zip(0..).enumerate() {
            let key = (id, number);
            let click = self.clicked.contains(&key);
            if !self.rendered.contains(&key) {
                counts.not_rendered += 1;
                counts.clicked_unrendered += u64::from(click);
                continue;
            }
            let conversion = self.converted.contains(&key);
            let label = Label { slot, click, conversion, weight: 1.0 };
            if examples.push_row(rows.numbers_of(row), rows.ids_of(row), label).is_err() {
                counts.misfits += 1;
                continue;
            }
            counts.rendered += 1;
            counts.clicked += u64::from(click);
            counts.converted += u64::from(conversion);
        }
    }
}

fn mark(rows: &mut BTreeSet<ShownRow>, window: &Window, token: &Token) {
    if token.decision.time() >= window.from {
        rows.insert((token.decision, token.slot));
    }
}
