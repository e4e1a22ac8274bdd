//! How many requests come in which hour of the week, by where they come from: what pacing plans are shaped by.
//!
//! An hour's count is a mean over the weeks in which it has passed, each week weighing half of the one after. The hour that is
//! not over yet does not count. Memory is bounded: beyond so many sources new ones are counted without their country, then
//! not at all; which those are depends on which partition of the log was read first.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use litfass_market::pacing::{HOURS, hour_of_week};
use litfass_types::{Duration, PlacementId, TenantId, Timestamp};

use super::codec::{BadState, Reader, Writer};
use super::{Fact, Fold};
use crate::wire::{Body, Outline};

/// Sources, at most: two kilobytes each.
const SOURCES_MAX: usize = 10_000;

const WEEK: i64 = Duration::days(7).0;
const HOUR: i64 = Duration::hours(1).0;
/// Weeks begin on Mondays; 1970 began on a Thursday.
const BEFORE_EPOCH: i64 = Duration::days(3).0;

/// Where requests come from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrafficSource {
    pub tenant: TenantId,
    pub placement: PlacementId,
    /// ISO 3166-1 alpha-2; none where it was not known.
    pub country: Option<String>,
}

/// The fold over decisions.
#[derive(Debug, Default)]
pub struct TrafficCounts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the first request came.
    since: Option<Timestamp>,
    sources: BTreeMap<(u16, TrafficSource), Box<[Hour; HOURS]>>,
}

/// One hour of the week.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Hour {
    /// The last week in which a request came in it, from 1970 on; 0 before the first.
    week: i64,
    count: u64,
    /// The mean of the weeks before, in halves; none where that one was the first.
    before: Option<u64>,
}

/// Requests by hour of the week, as of one instant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrafficAt {
    pub sources: BTreeMap<TrafficSource, [u64; HOURS]>,
    /// Which hours have passed at least once since the first request.
    known: Vec<bool>,
}

impl TrafficCounts {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn at(&self, now: Timestamp) -> TrafficAt {
        let state = self.state();
        let known = |hour| state.since.is_some_and(|since| since <= last_begun(hour, now));
        let mut at = TrafficAt { sources: BTreeMap::new(), known: (0..HOURS).map(known).collect() };
        for ((_, source), hours) in &state.sources {
            let sums = at.sources.entry(source.clone()).or_insert([0; HOURS]);
            for (hour, sum) in sums.iter_mut().enumerate() {
                *sum += hours[hour].mean(week_of(last_begun(hour, now)));
            }
        }
        at
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TrafficAt {
    /// Counts that are wanting because their hour has not passed yet, made up from the same hour of other days, or else from the
    /// mean of all.
    #[must_use]
    pub fn filled(&self, counts: &[u64; HOURS]) -> [u64; HOURS] {
        let mean = |hours: &mut dyn Iterator<Item = usize>| {
            let (sum, n) =
                hours.filter(|hour| self.is_known(*hour)).fold((0, 0), |(sum, n), hour| (sum + counts[hour], n + 1));
            (n > 0).then(|| sum / n)
        };
        let all = mean(&mut (0..HOURS)).unwrap_or(1);
        std::array::from_fn(|hour| {
            if self.is_known(hour) { counts[hour] } else { mean(&mut (hour % 24..HOURS).step_by(24)).unwrap_or(all) }
        })
    }

    fn is_known(&self, hour: usize) -> bool {
        self.known.get(hour).copied().unwrap_or(false)
    }
}

fn week_of(at: Timestamp) -> i64 {
    at.0.saturating_add(BEFORE_EPOCH).div_euclid(WEEK)
}

/// When that hour of the week last began, of those that are over.
fn last_begun(hour: usize, now: Timestamp) -> Timestamp {
    let begins = week_of(now) * WEEK - BEFORE_EPOCH + i64::try_from(hour).unwrap_or(0) * HOUR;
    Timestamp(if begins + HOUR <= now.0 { begins } else { begins - WEEK })
}

impl Hour {
    fn add(&mut self, week: i64) {
        if week > self.week {
            if self.week > 0 {
                self.before = Some(self.faded(week - 1));
            }
            (self.week, self.count) = (week, 0);
        }
        // A request that comes late counts in the last week that there is.
        self.count += 1;
    }

    /// The mean up to and with that week.
    fn mean(&self, week: i64) -> u64 {
        if week < self.week { self.before.unwrap_or(0) } else { self.faded(week) }
    }

    /// The mean where nothing came after `self.week`, up to that week.
    fn faded(&self, week: i64) -> u64 {
        let mean = self.before.map_or(self.count, |before| u64::midpoint(self.count, before));
        u32::try_from(week - self.week).ok().and_then(|quiet| mean.checked_shr(quiet)).unwrap_or(0)
    }
}

impl State {
    fn request(&mut self, decision: &Outline, partition: u16) {
        let at = decision.now;
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
        let mut placements: Vec<PlacementId> = decision.placements.iter().map(|asked| asked.id).collect();
        placements.sort_unstable();
        placements.dedup();
        for placement in placements {
            let source = TrafficSource { tenant: decision.tenant, placement, country: decision.country.clone() };
            if let Some(hours) = self.hours(partition, source) {
                hours[hour_of_week(at)].add(week_of(at));
            }
        }
    }

    fn hours(&mut self, partition: u16, source: TrafficSource) -> Option<&mut Box<[Hour; HOURS]>> {
        let full = self.sources.len() >= SOURCES_MAX;
        let mut key = (partition, source);
        if full && !self.sources.contains_key(&key) {
            key.1.country = None;
            if !self.sources.contains_key(&key) {
                return None;
            }
        }
        Some(self.sources.entry(key).or_insert_with(|| Box::new([Hour::default(); HOURS])))
    }
}

impl Fold for TrafficCounts {
    fn name(&self) -> &'static str {
        "traffic"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, fact: &Fact<'_>) {
        if let Body::Outline(decision) = &fact.logged.body {
            self.state().request(decision, fact.logged.position.partition);
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let (mut out, state) = (Writer::default(), self.state());
        out.time(state.since.unwrap_or(Timestamp(i64::MAX)));
        out.length(state.sources.len());
        for ((partition, source), hours) in &state.sources {
            out.number((*partition).into());
            out.number(source.tenant.0);
            out.number(source.placement.0);
            out.bytes(source.country.as_deref().unwrap_or_default().as_bytes());
            for hour in hours.iter() {
                out.signed(hour.week);
                out.number(hour.count);
                out.number(hour.before.map_or(0, |before| before.saturating_add(1)));
            }
        }
        out.finish()
    }

    fn restore(&self, bytes: &[u8]) -> Result<(), BadState> {
        let mut rest = Reader::new(bytes);
        let since = Some(rest.time()?).filter(|since| since.0 < i64::MAX);
        let sources = rest.list(|rest| {
            let partition = rest.narrow("a partition")?;
            let (tenant, placement) = (TenantId(rest.number()?), PlacementId(rest.number()?));
            let country = std::str::from_utf8(rest.bytes()?).map_err(|_| BadState::OutOfRange("a country"))?;
            let country = Some(country.to_owned()).filter(|country| !country.is_empty());
            let mut hours = Box::new([Hour::default(); HOURS]);
            for hour in hours.iter_mut() {
                let (week, count, before) = (rest.signed()?, rest.number()?, rest.number()?);
                *hour = Hour { week, count, before: before.checked_sub(1) };
            }
            Ok(((partition, TrafficSource { tenant, placement, country }), hours))
        })?;
        rest.finish()?;
        *self.state() = State { since, sources: sources.into_iter().collect() };
        Ok(())
    }

    fn clear(&self) {
        *self.state() = State::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A Monday, midnight.
    const START: i64 = 1_794_787_200_000;

    proptest! {
        /// Week by week: the newest weighs half, the one before a quarter and so on; the first has what is left.
        #[test]
        fn an_hour_is_the_fading_mean_of_the_weeks_in_which_it_passed(weeks in prop::collection::vec(0_u64..2_000, 1..8)) {
            let first = week_of(Timestamp(START));
            let mut hour = Hour::default();
            for (week, count) in (first..).zip(&weeks) {
                (0..*count).for_each(|_| hour.add(week));
            }
            let busy: Vec<u64> = weeks.iter().copied().skip_while(|count| *count == 0).collect();
            let naive = busy.iter().skip(1).fold(busy.first().copied().unwrap_or(0), |mean, count| u64::midpoint(mean, *count));
            let last = first + i64::try_from(weeks.len()).unwrap() - 1;
            prop_assert!(hour.mean(last).abs_diff(naive) <= weeks.len() as u64, "{} {naive}", hour.mean(last));
        }
    }

    #[test]
    fn the_hour_that_is_not_over_counts_as_it_was_a_week_before() {
        let hour = Timestamp(START + 5 * HOUR);
        assert_eq!(last_begun(5, hour + Duration(HOUR)), hour);
        assert_eq!(last_begun(5, hour + Duration(HOUR - 1)), hour - Duration(WEEK));
        assert_eq!(last_begun(6, hour), Timestamp(START + 6 * HOUR - WEEK));
    }

    #[test]
    fn what_is_not_known_is_made_up_from_the_same_hour_of_other_days() {
        let mut at = TrafficAt { sources: BTreeMap::new(), known: vec![false; HOURS] };
        (0..30).for_each(|hour| at.known[hour] = true);
        let counts = std::array::from_fn(|hour| if hour < 30 { 10 * (hour as u64 % 24) } else { 0 });
        let filled = at.filled(&counts);
        assert_eq!((filled[3], filled[3 + 5 * 24], filled[23 + 6 * 24]), (30, 30, 230));
        assert_eq!(TrafficAt::default().filled(&[0; HOURS]), [1; HOURS]);
    }
}
