//! Frequency caps: how often each viewer was shown an ad, a line item, a campaign, and the promise not to exceed it.
//!
//! What counts is a shown slot of a recorded decision. A winner is **held** before the response, all of a decision's caps or
//! none, and the hold becomes a count when its record comes through the log; so a restart loses at most holds whose record was
//! never written. Two decisions for one viewer at the same time cannot both take the last impression of a cap.
//!
//! Each scope keeps its last `EXACT_MAX` impressions to the millisecond, those before by the hour, and what is older than
//! `HOURS_MAX` such hours by the day. An hour or day that a window only partly covers counts whole: a large cap may stop an
//! ad that much early, never late. A viewer has at most `SCOPES_MAX` scopes; the one shown longest ago is forgotten first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, MutexGuard};

use litfass_catalog::{CapScope, Catalog};
use litfass_policy::{CapCounts, CapKey, CapLimit, caps_of};
use litfass_types::{AdId, CampaignId, DecisionId, Duration, LineItemId, Timestamp, UserHash};

use super::bounded::{PerViewer, SHARDS, Shard};
use super::codec::{BadState, Reader, Writer};
use super::{Choices, Fact, Fold};
use crate::wire::{Body, Outline};

/// Impressions of one scope whose times are kept exactly.
pub const EXACT_MAX: usize = 16;
/// Hours with older impressions that are kept apart.
pub const HOURS_MAX: usize = 48;
/// Days with still older impressions: the longest window and the day that it begins in.
pub const DAYS_MAX: usize = 367;
/// Scopes that are counted for one viewer.
pub const SCOPES_MAX: usize = 512;
/// A hold whose record has not come by then never will: its decision was not recorded.
pub const HOLD_MAX: Duration = Duration::minutes(1);

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The fold over decision records, and the holds before them.
#[derive(Debug)]
pub struct CapCounters {
    viewers: PerViewer<Shown>,
    choices: Arc<Choices>,
}

/// What one viewer was shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Shown {
    scopes: BTreeMap<CapScope, Impressions>,
    holds: Vec<Hold>,
}

/// Impressions of one scope, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Impressions {
    exact: VecDeque<Timestamp>,
    hours: Tiles<HOUR_MS, HOURS_MAX>,
    days: Tiles<DAY_MS, DAYS_MAX>,
}

/// Counts by tile of `WIDTH` milliseconds: the tile's number since 1970 and its count, oldest first, at most `MAX`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Tiles<const WIDTH: i64, const MAX: usize>(VecDeque<(i64, u32)>);

/// Impressions promised by a decision whose record is not known yet.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Hold {
    decision: DecisionId,
    at: Timestamp,
    scopes: Vec<CapScope>,
}

/// One shown ad: what it counts against, and the caps that it must keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub ad: AdId,
    pub line_item: LineItemId,
    pub campaign: CampaignId,
    /// As `litfass_policy::caps_of` lists them.
    pub limits: Vec<CapLimit>,
}

/// Which of the wanted ads did not fit; nothing is held then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapsReached {
    /// Indices into what was wanted, ascending.
    pub refused: Vec<usize>,
}

impl CapCounters {
    #[must_use]
    pub fn new(viewers_max: usize) -> Self {
        Self { viewers: PerViewer::new(viewers_max), choices: Arc::default() }
    }

    /// The same, which counts nothing for who has opted out by those choices: a decision that was on its way then comes after the
    /// wish.
    #[must_use]
    pub fn heeding(self, choices: &Arc<Choices>) -> Self {
        Self { choices: Arc::clone(choices), ..self }
    }

    /// How much of each key this viewer has used, holds included.
    #[must_use]
    pub fn counts(&self, user: UserHash, keys: &[CapKey], now: Timestamp) -> CapCounts {
        let shard = self.viewers.shard(user);
        let Some(shown) = shard.get(user) else { return CapCounts::default() };
        keys.iter().map(|key| (*key, shown.count(*key, now))).collect()
    }

    /// The counts of every cap in the catalog that this viewer has used anything of: what a decision gathers.
    #[must_use]
    pub fn counts_in(&self, user: UserHash, catalog: &Catalog, now: Timestamp) -> CapCounts {
        let ads = self.ads_shown(user);
        let ads = ads.into_iter().filter_map(|ad| catalog.ad_by_id(ad));
        let mut keys: Vec<CapKey> = ads.flat_map(|ad| caps_of(catalog, ad)).map(|limit| limit.key).collect();
        keys.sort_unstable();
        keys.dedup();
        self.counts(user, &keys, now)
    }

    /// Holds one impression of each wanted ad, if all of them keep their caps together; else says which do not.
    ///
    /// # Errors
    /// The wanted ads that do not fit beside those before them; nothing is held.
    pub fn hold(
        &self,
        user: UserHash,
        decision: DecisionId,
        wanted: &[Wanted],
        now: Timestamp,
    ) -> Result<(), CapsReached> {
        let mut shard = self.viewers.shard(user);
        let mut trial = Hold { decision, at: now, scopes: Vec::new() };
        let mut refused = Vec::new();
        for (i, ad) in wanted.iter().enumerate() {
            let shown = shard.get(user);
            let used =
                |key: CapKey| shown.map_or(0, |shown| shown.count(key, now)).saturating_add(trial.count(key.scope));
            if ad.limits.iter().all(|limit| used(limit.key) < limit.max) {
                trial.scopes.extend(ad.scopes());
            } else {
                refused.push(i);
            }
        }
        if !refused.is_empty() {
            return Err(CapsReached { refused });
        }
        let shown = shard.touch(user, now);
        shown.forget_holds(now);
        shown.holds.push(trial);
        Ok(())
    }

    /// Gives back what was held: the decision was not recorded, or settles again.
    pub fn release(&self, user: UserHash, decision: DecisionId, now: Timestamp) {
        let mut shard = self.viewers.shard(user);
        if shard.get(user).is_some() {
            shard.touch(user, now).holds.retain(|hold| hold.decision != decision);
        }
    }

    /// Nothing is counted for this viewer any more.
    pub fn erase(&self, user: UserHash) {
        self.viewers.shard(user).erase(user);
    }

    /// Viewers with counts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.viewers.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn ads_shown(&self, user: UserHash) -> Vec<AdId> {
        let shard = self.viewers.shard(user);
        let Some(shown) = shard.get(user) else { return Vec::new() };
        let held = shown.holds.iter().flat_map(|hold| &hold.scopes);
        let ads = shown.scopes.keys().chain(held).filter_map(|scope| match scope {
            CapScope::Ad(ad) => Some(*ad),
            CapScope::LineItem(_) | CapScope::Campaign(_) => None,
        });
        ads.collect()
    }

    fn record(&self, decision: &Outline) {
        let Some(user) = decision.user.filter(|user| !self.choices.has_opted_out(*user)) else { return };
        let now = decision.now;
        let mut shard = self.viewers.shard(user);
        if decision.shown.is_empty() && shard.get(user).is_none() {
            return;
        }
        let shown = shard.touch(user, now);
        shown.holds.retain(|hold| hold.decision != decision.id);
        shown.forget_holds(now);
        for ad in &decision.shown {
            for scope in scopes(ad.ad, ad.line_item, ad.campaign) {
                shown.add(scope, now);
            }
        }
    }
}

const fn scopes(ad: AdId, line_item: LineItemId, campaign: CampaignId) -> [CapScope; 3] {
    [CapScope::Ad(ad), CapScope::LineItem(line_item), CapScope::Campaign(campaign)]
}

impl Wanted {
    const fn scopes(&self) -> [CapScope; 3] {
        scopes(self.ad, self.line_item, self.campaign)
    }
}

impl Hold {
    fn count(&self, scope: CapScope) -> u32 {
        u32::try_from(self.scopes.iter().filter(|held| **held == scope).count()).unwrap_or(u32::MAX)
    }
}

impl Shown {
    fn count(&self, key: CapKey, now: Timestamp) -> u32 {
        let counted = self.scopes.get(&key.scope).map_or(0, |impressions| impressions.since(now - key.window));
        let holds = self.holds.iter().filter(|hold| now - hold.at <= HOLD_MAX);
        holds.fold(counted, |count, hold| count.saturating_add(hold.count(key.scope)))
    }

    fn add(&mut self, scope: CapScope, at: Timestamp) {
        if !self.scopes.contains_key(&scope) && self.scopes.len() >= SCOPES_MAX {
            let oldest =
                self.scopes.iter().min_by_key(|(_, shown)| shown.exact.back().copied()).map(|(scope, _)| *scope);
            oldest.and_then(|scope| self.scopes.remove(&scope));
        }
        self.scopes.entry(scope).or_default().add(at);
    }

    fn forget_holds(&mut self, now: Timestamp) {
        self.holds.retain(|hold| now - hold.at <= HOLD_MAX);
    }
}

impl Impressions {
    /// Records come nearly in the order of time; one that is late is put where it belongs.
    fn add(&mut self, at: Timestamp) {
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
    fn since(&self, start: Timestamp) -> u32 {
        let exact = self.exact.iter().rev().take_while(|at| **at > start).count();
        let exact = u32::try_from(exact).unwrap_or(u32::MAX);
        exact.saturating_add(self.hours.since(start)).saturating_add(self.days.since(start))
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

impl Fold for CapCounters {
    fn name(&self) -> &'static str {
        "caps"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, fact: &Fact<'_>) {
        if let Body::Outline(decision) = &fact.logged.body
            && fact.is_first()
        {
            self.record(decision);
        }
        if let Body::Privacy(privacy) = &fact.logged.body
            && privacy.wish.forgets()
        {
            self.erase(privacy.user);
        }
    }

    /// Without holds: those whose record is behind the snapshot's position are counted when it is read again.
    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::default();
        for shard in self.viewers.shards() {
            write_shard(&shard, &mut out);
        }
        out.finish()
    }

    fn restore(&self, bytes: &[u8]) -> Result<(), BadState> {
        self.clear();
        let mut rest = Reader::new(bytes);
        for _ in 0..SHARDS {
            for _ in 0..rest.length()? {
                let (user, touched) = (rest.user()?, rest.time()?);
                let scopes = rest.list(|rest| Ok((read_scope(rest)?, read_impressions(rest)?)))?;
                self.viewers.shard(user).touch(user, touched).scopes = scopes.into_iter().collect();
            }
        }
        rest.finish()
    }

    fn clear(&self) {
        self.viewers.clear();
    }
}

fn write_shard(shard: &MutexGuard<'_, Shard<Shown>>, out: &mut Writer) {
    out.length(shard.len());
    for (user, touched, shown) in shard.iter() {
        out.user(user);
        out.time(touched);
        out.length(shown.scopes.len());
        for (scope, impressions) in &shown.scopes {
            write_scope(*scope, out);
            out.length(impressions.exact.len());
            impressions.exact.iter().for_each(|at| out.time(*at));
            impressions.hours.write(out);
            impressions.days.write(out);
        }
    }
}

fn write_scope(scope: CapScope, out: &mut Writer) {
    let (kind, id) = match scope {
        CapScope::Ad(id) => (1, id.0),
        CapScope::LineItem(id) => (2, id.0),
        CapScope::Campaign(id) => (3, id.0),
    };
    out.number(kind);
    out.number(id);
}

fn read_scope(rest: &mut Reader<'_>) -> Result<CapScope, BadState> {
    let (kind, id) = (rest.number()?, rest.number()?);
    match kind {
        1 => Ok(CapScope::Ad(AdId(id))),
        2 => Ok(CapScope::LineItem(LineItemId(id))),
        3 => Ok(CapScope::Campaign(CampaignId(id))),
        _ => Err(BadState::OutOfRange("a cap's scope")),
    }
}

fn read_impressions(rest: &mut Reader<'_>) -> Result<Impressions, BadState> {
    let exact = rest.list(Reader::time)?;
    if exact.len() > EXACT_MAX || !exact.is_sorted() {
        return Err(BadState::OutOfRange("a cap's impressions"));
    }
    Ok(Impressions { exact: exact.into(), hours: Tiles::read(rest)?, days: Tiles::read(rest)? })
}
