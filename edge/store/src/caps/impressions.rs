//! When one scope's impressions were, in bounded memory.
//!
//! The newest `EXACT_MAX` are kept to the millisecond, those before by the hour, and what is older than `HOURS_MAX` such hours by
//! the day. An hour or day that a window only partly covers counts whole: a large cap may stop an ad that much early, never
//! late.

use std::collections::VecDeque;

use litfass_types::Timestamp;

use crate::fold::{BadState, Reader, Writer};

/// Impressions of one scope whose times are kept exactly.
pub const EXACT_MAX: usize = 16;
/// Hours with older impressions that are kept apart.
pub const HOURS_MAX: usize = 48;
/// Days with still older impressions: the longest window and the day that it begins in.
pub const DAYS_MAX: usize = 367;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Impressions of one scope, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Impressions {
    exact: VecDeque<Timestamp>,
    hours: Tiles<HOUR_MS, HOURS_MAX>,
    days: Tiles<DAY_MS, DAYS_MAX>,
}

/// Counts by tile of `WIDTH` milliseconds: the tile's number since 1970 and its count, oldest first, at most `MAX`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Tiles<const WIDTH: i64, const MAX: usize>(VecDeque<(i64, u32)>);

impl Impressions {
    /// They come nearly in the order of time; one that is late is put where it belongs.
    pub(super) fn add(&mut self, at: Timestamp) {
        let place = self.exact.partition_point(|earlier| *earlier <= at);
        self.exact.insert(place, at);
        if self.exact.len() > EXACT_MAX
            && let Some(oldest) = self.exact.pop_front()
            && let Some((hour, count)) = self.hours.add(oldest.0.div_euclid(HOUR_MS), 1)
        {
            // What the days push out is older than any window.
            self.days.add(hour.div_euclid(DAY_MS / HOUR_MS), count);
        }
    }

    /// Impressions after `start`: a window that ends now does not hold what is exactly as old as it is long.
    pub(super) fn since(&self, start: Timestamp) -> u32 {
        let exact = self.exact.iter().rev().take_while(|at| **at > start).count();
        let exact = u32::try_from(exact).unwrap_or(u32::MAX);
        exact.saturating_add(self.hours.since(start)).saturating_add(self.days.since(start))
    }

    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.exact.back().copied()
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.length(self.exact.len());
        let mut before = 0;
        for at in &self.exact {
            out.signed(at.0 - before);
            before = at.0;
        }
        self.hours.write(out);
        self.days.write(out);
    }

    pub(super) fn read(rest: &mut Reader<'_>) -> Result<Self, BadState> {
        let mut before = 0_i64;
        let exact = rest.list(|rest| {
            before = before.checked_add(rest.signed()?).ok_or(BadState::OutOfRange("a cap's impressions"))?;
            Ok(Timestamp(before))
        })?;
        if exact.len() > EXACT_MAX || !exact.is_sorted() {
            return Err(BadState::OutOfRange("a cap's impressions"));
        }
        Ok(Self { exact: exact.into(), hours: Tiles::read(rest)?, days: Tiles::read(rest)? })
    }
}

impl<const WIDTH: i64, const MAX: usize> Tiles<WIDTH, MAX> {
    /// The oldest tile, where it had to make room.
    fn add(&mut self, tile: i64, count: u32) -> Option<(i64, u32)> {
        let place = self.0.partition_point(|(earlier, _)| *earlier < tile);
        match self.0.get_mut(place) {
            Some((same, sum)) if *same == tile => *sum = sum.saturating_add(count),
            Some(_) | None => self.0.insert(place, (tile, count)),
        }
        if self.0.len() > MAX { self.0.pop_front() } else { None }
    }

    /// Tiles that end after `start`, whole.
    fn since(&self, start: Timestamp) -> u32 {
        let first = start.0.div_euclid(WIDTH);
        let counts = self.0.iter().rev().take_while(|(tile, _)| *tile >= first).map(|(_, count)| *count);
        counts.fold(0, u32::saturating_add)
    }

    fn write(&self, out: &mut Writer) {
        out.length(self.0.len());
        for (tile, count) in &self.0 {
            out.signed(*tile);
            out.number((*count).into());
        }
    }

    fn read(rest: &mut Reader<'_>) -> Result<Self, BadState> {
        let tiles = rest.list(|rest| Ok((rest.signed()?, rest.narrow("impressions")?)))?;
        let sound = tiles.len() <= MAX && tiles.is_sorted_by(|a, b| a.0 < b.0);
        if sound { Ok(Self(tiles.into())) } else { Err(BadState::OutOfRange("impressions by hour or day")) }
    }
}
