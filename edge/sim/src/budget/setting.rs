//! What a seed decides before anything happens: times, rates, clocks and faults.

use litfass_ledger::Terms;
use litfass_types::Duration;

use super::agenda::Instant;
use crate::draw::{Draw, Purpose};

pub(super) const DECIDERS: usize = 3;
pub(super) const BILLERS: usize = 2;
pub(super) const PROCESSES: usize = DECIDERS + BILLERS;

/// One seed in so many has the shipped SQL beside the ledger in memory.
const SQL_EVERY: u64 = 10;

/// Streams of draws: a draw more in one moves nothing in another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Setting,
    Market,
    Demand,
    Viewers,
    Network,
    Edits,
    Database,
    Cuts,
    Pacing,
}

pub(super) fn draws(seed: u64, stream: Stream) -> Draw {
    Draw::new(seed, Purpose::Budget, stream as u32)
}

/// A fault and when it strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A process dies, its memory with it, and is started again after so long.
    Crash {
        process: usize,
        down: Instant,
    },
    /// Nothing from or to a process arrives for so long.
    Cut {
        process: usize,
        lasts: Instant,
    },
    /// A partition of the log takes nothing for so long.
    Stall {
        partition: u16,
        lasts: Instant,
    },
    /// A partition's writer is gone for good; another partition is opened in its place.
    Seal {
        partition: u16,
    },
    DatabaseDown {
        lasts: Instant,
    },
    /// From here on the replica lags; the primary fails so many commits later, or a little after the end of the flight.
    ReplicaLags {
        commits: u64,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) sql: bool,
    pub(super) terms: Terms,
    pub(super) token_ttl: Instant,
    /// How long requests come in, and how many.
    pub(super) flight: Instant,
    pub(super) decisions: u32,
    /// Between the start of the flight and the first account's midnight.
    pub(super) to_midnight: Instant,
    pub(super) event_partitions: u16,
    /// Every wall clock is at most that far from true time.
    pub(super) skew: Instant,
    pub(super) sweep_every: Instant,
    pub(super) bill_every: Instant,
    /// How often a decide process looks after its leases.
    pub(super) lease_every: Instant,
    pub(super) heartbeat_every: Instant,
    pub(super) batch_entries: usize,
    pub(super) weather: Weather,
    pub(super) viewers: ViewerHabits,
    pub(super) faults: Vec<(Instant, Fault)>,
    pub(super) edits: Vec<Instant>,
    /// Whether line items are spread over the flight.
    pub(super) paced: bool,
}

/// How messages between processes fare.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) loss: f64,
    pub(super) copies: f64,
    /// Most take about that long, a few a hundred times longer.
    pub(super) delay: f64,
}

/// How what was shown comes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewerHabits {
    pub(super) render: f64,
    /// Events that come after their hold, some after their token.
    pub(super) late: f64,
    pub(super) copies: f64,
}

const MINUTE: f64 = 60_000.0;

#[expect(clippy::cast_possible_truncation, reason = "a draw between two spans of milliseconds")]
pub(super) fn span(draw: &mut Draw, low: f64, high: f64) -> Instant {
    draw.between(low, high) as Instant
}

impl Setting {
    pub(super) fn of(seed: u64) -> Self {
        let draw = &mut draws(seed, Stream::Setting);
        let flight = span(draw, 60.0 * MINUTE, 120.0 * MINUTE);
        let terms = terms(draw);
        // Half of the worlds have viewers whose events all come within their hold.
        let late = if draw.chance(0.5) { 0.0 } else { draw.between(0.005, 0.08) };
        let event_partitions = 2 + u16::from(draw.chance(0.5)) + u16::from(draw.chance(0.3));
        let prompt = late <= 0.0;
        // Transactions on a file take longer: processes look around less often, and read more at once.
        let sql = seed % SQL_EVERY == SQL_EVERY - 1;
        let pace = if sql { 8 } else { 1 };
        Self {
            seed,
            sql,
            terms,
            token_ttl: span(draw, 15.0 * MINUTE, 50.0 * MINUTE),
            flight,
            decisions: 20_000 + u32::from(draw.chance(0.2)) * 10_000,
            to_midnight: span(draw, 30.0, 70.0) * flight / 100,
            event_partitions,
            skew: if draw.chance(0.3) { 0 } else { span(draw, 0.0, 30_000.0) },
            sweep_every: pace * span(draw, 2_000.0, 10_000.0),
            bill_every: pace * span(draw, 1_000.0, 8_000.0),
            lease_every: pace * span(draw, 300.0, 2_500.0),
            heartbeat_every: span(draw, 1_000.0, 5_000.0),
            batch_entries: (20 + draw.below(400)) * if sql { 8 } else { 1 },
            weather: weather(draw),
            viewers: ViewerHabits { render: 0.7, late, copies: draw.between(0.0, 0.06) },
            faults: faults(draw, flight, event_partitions, prompt),
            edits: edits(draw, flight),
            paced: draw.chance(0.5),
        }
    }
}

/// The shipped times in most worlds, shorter ones in the others; keys always live shorter, so that days are dropped.
fn terms(draw: &mut Draw) -> Terms {
    let shipped = Terms::default();
    let shorter = Terms {
        lease_ttl: Duration(span(draw, 10_000.0, 60_000.0)),
        hold_ttl_mille: Duration(span(draw, 90_000.0, 300_000.0)),
        hold_ttl_click: Duration(span(draw, 90_000.0, 200_000.0)),
        ..shipped
    };
    let chosen = if draw.chance(0.6) { shipped } else { shorter };
    Terms { key_life: Duration(span(draw, 10.0 * MINUTE, 90.0 * MINUTE)), holders: 3, ..chosen }
}

fn weather(draw: &mut Draw) -> Weather {
    let fair = Weather { loss: 0.0, copies: 0.0, delay: 5.0 };
    let rough =
        Weather { loss: draw.between(0.0, 0.15), copies: draw.between(0.0, 0.15), delay: draw.between(1.0, 400.0) };
    if draw.chance(0.25) { fair } else { rough }
}

/// At least one crash and one partition of the network; the rest as the seed has it.
fn faults(draw: &mut Draw, flight: Instant, partitions: u16, prompt: bool) -> Vec<(Instant, Fault)> {
    let mut faults = Vec::new();
    let process = |draw: &mut Draw| draw.below(PROCESSES);
    for _ in 0..=draw.below(5) {
        let crash = Fault::Crash { process: process(draw), down: span(draw, 10.0, 90_000.0) };
        faults.push((some_time(draw, flight), crash));
    }
    for _ in 0..=draw.below(4) {
        let cut = Fault::Cut { process: process(draw), lasts: span(draw, 500.0, 120_000.0) };
        faults.push((some_time(draw, flight), cut));
    }
    let partition = |draw: &mut Draw| u16::try_from(draw.below(usize::from(partitions))).unwrap_or(0);
    if draw.chance(0.3) {
        let longest = if prompt { 20_000.0 } else { 400_000.0 };
        let stall = Fault::Stall { partition: partition(draw), lasts: span(draw, 1_000.0, longest) };
        faults.push((some_time(draw, flight), stall));
    }
    if draw.chance(0.25) {
        faults.push((some_time(draw, flight), Fault::Seal { partition: partition(draw) }));
    }
    if draw.chance(0.4) {
        faults.push((some_time(draw, flight), Fault::DatabaseDown { lasts: span(draw, 500.0, 60_000.0) }));
    }
    if draw.chance(0.35) {
        let commits = if draw.chance(0.3) { 1 + draw.below(20) } else { 100 + draw.below(900) };
        faults.push((some_time(draw, flight), Fault::ReplicaLags { commits: commits as u64 }));
    }
    faults
}

fn some_time(draw: &mut Draw, flight: Instant) -> Instant {
    flight * span(draw, 30.0, 950.0) / 1_000
}

fn edits(draw: &mut Draw, flight: Instant) -> Vec<Instant> {
    (0..4 + draw.below(16)).map(|_| some_time(draw, flight)).collect()
}
