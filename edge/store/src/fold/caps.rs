//! Frequency caps, embedded: a fold over decisions and impressions, and the holds that precede their records.
//!
//! A restart loses at most holds whose record was never written. What was rendered after its hold's end is kept for whoever counts
//! how far that goes above a cap.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use litfass_catalog::Catalog;
use litfass_events::{Delivery, EventKind};
use litfass_policy::{CapCounts, CapKey};
use litfass_types::{AdId, DecisionId, Duration, Timestamp, UserHash};

use super::bounded::{PerViewer, SHARDS, Shard};
use super::codec::{BadState, Reader, Writer};
use super::{Choices, Fact, Fold};
use crate::caps::{
    CapRecord, CapStore, CapsAway, CapsReached, Confirmed, Counted, HOLD_TTL, Looked, NotHeld, Render, Wanted,
};
use crate::wire::{Body, Outline, ShownOutline};

/// Late renders that wait to be looked at; more than that are not.
const LATE_MAX: usize = 10_000;

#[derive(Debug)]
pub struct CapCounters {
    viewers: PerViewer<CapRecord>,
    choices: Arc<Choices>,
    hold_ttl: Duration,
    late: Mutex<Vec<LateRender>>,
}

/// A slot that was rendered after its hold had ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LateRender {
    pub user: UserHash,
    pub ad: AdId,
}

impl CapCounters {
    #[must_use]
    pub fn new(viewers_max: usize) -> Self {
        let late = Mutex::default();
        Self { viewers: PerViewer::new(viewers_max), choices: Arc::default(), hold_ttl: HOLD_TTL, late }
    }

    /// The same, which counts nothing for who has opted out by those choices: a decision that was on its way then comes after the
    /// wish.
    #[must_use]
    pub fn heeding(self, choices: &Arc<Choices>) -> Self {
        Self { choices: Arc::clone(choices), ..self }
    }

    /// The same, which holds what a decision shows for that long.
    #[must_use]
    pub fn holding(self, hold_ttl: Duration) -> Self {
        Self { hold_ttl, ..self }
    }

    /// How much of each key this viewer has used, holds included.
    #[must_use]
    pub fn counts(&self, user: UserHash, keys: &[CapKey], now: Timestamp) -> CapCounts {
        self.viewers.shard(user).get(user).map_or_else(CapCounts::default, |record| record.counts(keys, now))
    }

    /// The counts of every cap in the catalog that this viewer has used anything of: what a decision gathers.
    #[must_use]
    pub fn counts_in(&self, user: UserHash, catalog: &Catalog, now: Timestamp) -> CapCounts {
        self.viewers.shard(user).get(user).map_or_else(CapCounts::default, |record| record.counts_in(catalog, now))
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
        let until = now + self.hold_ttl;
        let mut shard = self.viewers.shard(user);
        if shard.get(user).is_some() {
            return shard.touch(user, now).hold(decision, wanted, now, until);
        }
        let mut fresh = CapRecord::default();
        fresh.hold(decision, wanted, now, until)?;
        *shard.touch(user, now) = fresh;
        Ok(())
    }

    /// Gives back what was held: the decision was not recorded, or settles again.
    pub fn release(&self, user: UserHash, decision: DecisionId, now: Timestamp) {
        let mut shard = self.viewers.shard(user);
        if shard.get(user).is_some() {
            shard.touch(user, now).release(decision);
        }
    }

    /// A slot was rendered.
    pub fn confirm(&self, user: UserHash, render: &Render) -> Confirmed {
        let Render { decision, slot, counted, at } = *render;
        self.viewers.shard(user).touch(user, at).confirm(decision, slot, counted, at)
    }

    /// Nothing is counted for this viewer any more.
    pub fn erase(&self, user: UserHash) {
        self.viewers.shard(user).erase(user);
    }

    /// Renders that came after their hold's end, since it was last asked.
    #[must_use]
    pub fn take_late(&self) -> Vec<LateRender> {
        std::mem::take(&mut *self.late())
    }

    /// What is counted of each viewer, without holds that no record speaks for, shard by shard.
    #[cfg(feature = "redis")]
    pub(crate) fn records(&self) -> impl Iterator<Item = (UserHash, CapRecord)> + '_ {
        self.viewers.shards().flat_map(|shard| {
            let records = shard.iter().map(|(user, _, record)| (user, record.recorded_only()));
            records.filter(|(_, record)| !record.is_empty()).collect::<Vec<_>>()
        })
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

    fn record(&self, decision: &Outline) {
        let Some(user) = decision.user.filter(|user| !self.choices.has_opted_out(*user)) else { return };
        if decision.shown.is_empty() {
            return;
        }
        let (now, shown) = (decision.now, decision.shown.iter().map(counted));
        self.viewers.shard(user).touch(user, now).recorded(decision.id, shown, now, now + self.hold_ttl);
    }

    fn rendered(&self, delivery: &Delivery, at: Timestamp) {
        let token = &delivery.token;
        let Some(user) = token.user.filter(|user| !self.choices.has_opted_out(*user)) else { return };
        let render = Render::of(delivery, at);
        if self.confirm(user, &render) == Confirmed::Late {
            let mut late = self.late();
            if late.len() < LATE_MAX {
                late.push(LateRender { user, ad: token.ad });
            }
        }
    }

    fn late(&self) -> MutexGuard<'_, Vec<LateRender>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn counted(shown: &ShownOutline) -> Counted {
    let ShownOutline { ad, line_item, campaign, advertiser, .. } = *shown;
    Counted { ad, line_item, campaign, advertiser }
}

impl CapStore for CapCounters {
    fn look(&self, user: UserHash, catalog: &Catalog, now: Timestamp) -> Result<(CapCounts, Looked), CapsAway> {
        Ok((self.counts_in(user, catalog, now), Looked::default()))
    }

    fn hold(
        &self,
        user: UserHash,
        _: Looked,
        decision: DecisionId,
        wanted: &[Wanted],
        now: Timestamp,
    ) -> Result<(), NotHeld> {
        self.hold(user, decision, wanted, now).map_err(NotHeld::Reached)
    }

    fn release(&self, user: UserHash, decision: DecisionId, now: Timestamp) {
        self.release(user, decision, now);
    }

    fn confirm(&self, user: UserHash, render: &Render) -> Result<Confirmed, CapsAway> {
        Ok(self.confirm(user, render))
    }

    fn erase(&self, user: UserHash) -> Result<(), CapsAway> {
        self.erase(user);
        Ok(())
    }
}

impl Fold for CapCounters {
    fn name(&self) -> &'static str {
        "caps"
    }

    fn version(&self) -> u32 {
        2
    }

    fn apply(&self, fact: &Fact<'_>) {
        match &fact.logged.body {
            Body::Outline(decision) if fact.is_first() => self.record(decision),
            Body::Delivery(delivery) if fact.is_first() && delivery.kind == EventKind::Impression => {
                self.rendered(delivery, fact.logged.envelope.append_time);
            }
            Body::Privacy(privacy) if privacy.wish.forgets() => self.erase(privacy.user),
            Body::Outline(_)
            | Body::Delivery(_)
            | Body::Privacy(_)
            | Body::Decision(_)
            | Body::Conversion(_)
            | Body::ItemView(_)
            | Body::Command(_)
            | Body::Pacing(_)
            | Body::Heartbeat
            | Body::Unknown => {}
        }
    }

    /// Without holds that no record speaks for yet: those are made again when it is read.
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
                *self.viewers.shard(user).touch(user, touched) = CapRecord::read(&mut rest)?;
            }
        }
        rest.finish()
    }

    fn clear(&self) {
        self.viewers.clear();
    }
}

fn write_shard(shard: &MutexGuard<'_, Shard<CapRecord>>, out: &mut Writer) {
    let kept = shard.iter().map(|(user, touched, record)| (user, touched, record.recorded_only()));
    let kept: Vec<_> = kept.filter(|(.., record)| !record.is_empty()).collect();
    out.length(kept.len());
    for (user, touched, record) in kept {
        out.user(user);
        out.time(touched);
        record.write(out);
    }
}
