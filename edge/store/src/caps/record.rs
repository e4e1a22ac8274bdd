//! What is counted of one viewer: impressions by scope, and the holds of decisions that may still be rendered.
//!
//! A hold counts in every window while it lasts, since the ad may be rendered at any moment of it. Once rendered, the slot counts
//! as an impression at that moment; a hold's slots that were not rendered by its end count for nothing. A slot that is rendered
//! later counts all the same. A record has at most `SCOPES_MAX` scopes, of which the one shown longest ago is forgotten first, and
//! `HOLDS_MAX` holds, of which the oldest then counts as rendered: near its bounds a record stops an ad early, or forgets what
//! was shown long ago.

use std::collections::BTreeMap;

use litfass_catalog::{CapScope, Catalog};
use litfass_policy::{CapCounts, CapKey};
use litfass_types::{AdId, AdvertiserId, CampaignId, DecisionId, LineItemId, Timestamp};

use super::impressions::Impressions;
use super::{CapsReached, Confirmed, Counted, Wanted};
use crate::fold::{BadState, Reader, Writer};

/// Scopes that are counted for one viewer.
pub const SCOPES_MAX: usize = 512;
/// Decisions for one viewer that may be on their way to be rendered.
pub const HOLDS_MAX: usize = 64;
/// Slots of one decision.
const SLOTS_MAX: usize = 256;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct CapRecord {
    scopes: BTreeMap<CapScope, Impressions>,
    holds: Vec<Hold>,
}

/// Impressions promised by one decision.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Hold {
    decision: DecisionId,
    /// The last moment at which it counts.
    until: Timestamp,
    /// Its record is in the log.
    recorded: bool,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slot {
    counted: Counted,
    rendered: bool,
}

impl CapRecord {
    pub(crate) fn count(&self, key: CapKey, now: Timestamp) -> u32 {
        let shown = self.scopes.get(&key.scope).map_or(0, |impressions| impressions.since(now - key.window));
        shown.saturating_add(self.held(key.scope, now))
    }

    pub(crate) fn counts(&self, keys: &[CapKey], now: Timestamp) -> CapCounts {
        keys.iter().map(|key| (*key, self.count(*key, now))).collect()
    }

    /// Of every cap in the catalog that something was counted for.
    pub(crate) fn counts_in(&self, catalog: &Catalog, now: Timestamp) -> CapCounts {
        let mut held: Vec<CapScope> = self.alive(now).flat_map(Hold::scopes).collect();
        held.sort_unstable();
        held.dedup();
        held.retain(|scope| !self.scopes.contains_key(scope));
        let scopes = self.scopes.keys().copied().chain(held);
        let keys = scopes.flat_map(|scope| catalog.caps_on(scope).map(move |cap| CapKey { scope, window: cap.window }));
        let mut keys: Vec<CapKey> = keys.collect();
        // Two caps of one object may have the same window; counts of a key add up.
        keys.sort_unstable();
        keys.dedup();
        self.counts(&keys, now)
    }

    /// Holds a slot for each wanted ad, if all of them keep their caps together.
    pub(crate) fn hold(
        &mut self,
        decision: DecisionId,
        wanted: &[Wanted],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), CapsReached> {
        let mut trial = Hold { decision, until, recorded: false, slots: Vec::with_capacity(wanted.len()) };
        let mut refused = Vec::new();
        for (i, ad) in wanted.iter().enumerate() {
            let used = |key: CapKey| self.count(key, now).saturating_add(trial.count(key.scope));
            if ad.limits.iter().all(|limit| used(limit.key) < limit.max) {
                trial.slots.push(Slot { counted: ad.counted, rendered: false });
            } else {
                refused.push(i);
            }
        }
        if !refused.is_empty() {
            return Err(CapsReached { refused });
        }
        self.forget_ended(now);
        self.push(trial, now);
        Ok(())
    }

    /// A decision that the log has; whether it was held here before or not.
    pub(crate) fn recorded(
        &mut self,
        decision: DecisionId,
        shown: impl Iterator<Item = Counted>,
        now: Timestamp,
        until: Timestamp,
    ) {
        self.forget_ended(now);
        if let Some(held) = self.holds.iter_mut().find(|hold| hold.decision == decision) {
            held.recorded = true;
            return;
        }
        let slots = shown.map(|counted| Slot { counted, rendered: false }).collect();
        self.push(Hold { decision, until, recorded: true, slots }, now);
    }

    /// The decision's slot was rendered.
    pub(crate) fn confirm(&mut self, decision: DecisionId, slot: u8, shown: Counted, at: Timestamp) -> Confirmed {
        let held = self.holds.iter_mut().find(|hold| hold.decision == decision);
        let confirmed = match held.and_then(|hold| Some((hold.until, hold.slots.get_mut(usize::from(slot))?))) {
            Some((_, slot)) if slot.rendered => return Confirmed::Before,
            Some((until, slot)) => {
                slot.rendered = true;
                if at <= until { Confirmed::Held } else { Confirmed::Late }
            }
            None => Confirmed::Late,
        };
        shown.scopes().into_iter().for_each(|scope| self.add(scope, at));
        self.forget_ended(at);
        confirmed
    }

    pub(crate) fn release(&mut self, decision: DecisionId) {
        self.holds.retain(|hold| hold.decision != decision);
    }

    /// Without what no record in the log speaks for.
    pub(crate) fn recorded_only(&self) -> Self {
        let holds = self.holds.iter().filter(|hold| hold.recorded).cloned().collect();
        Self { scopes: self.scopes.clone(), holds }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.holds.is_empty()
    }

    /// Forgets the scopes shown longest ago until no more than that many are left.
    pub(crate) fn keep(&mut self, scopes_max: usize) {
        while self.scopes.len() > scopes_max {
            let oldest = self.scopes.iter().min_by_key(|(_, shown)| shown.latest()).map(|(scope, _)| *scope);
            oldest.and_then(|scope| self.scopes.remove(&scope));
        }
    }

    #[cfg(feature = "redis")]
    pub(super) fn scopes(&self) -> usize {
        self.scopes.len()
    }

    fn alive(&self, now: Timestamp) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(move |hold| now <= hold.until)
    }

    fn held(&self, scope: CapScope, now: Timestamp) -> u32 {
        self.alive(now).fold(0, |count, hold| count.saturating_add(hold.count(scope)))
    }

    fn push(&mut self, hold: Hold, now: Timestamp) {
        if self.holds.len() >= HOLDS_MAX {
            let oldest = self.holds.remove(0);
            oldest.scopes().for_each(|scope| self.add(scope, now));
        }
        self.holds.push(hold);
    }

    fn add(&mut self, scope: CapScope, at: Timestamp) {
        if !self.scopes.contains_key(&scope) {
            self.keep(SCOPES_MAX - 1);
        }
        self.scopes.entry(scope).or_default().add(at);
    }

    fn forget_ended(&mut self, now: Timestamp) {
        self.holds.retain(|hold| now <= hold.until);
    }

    // ── as bytes ──

    pub(crate) fn write(&self, out: &mut Writer) {
        out.length(self.scopes.len());
        for (scope, impressions) in &self.scopes {
            write_scope(*scope, out);
            impressions.write(out);
        }
        out.length(self.holds.len());
        self.holds.iter().for_each(|hold| hold.write(out));
    }

    pub(crate) fn read(rest: &mut Reader<'_>) -> Result<Self, BadState> {
        let scopes = rest.list(|rest| Ok((read_scope(rest)?, Impressions::read(rest)?)))?;
        let holds = rest.list(Hold::read)?;
        if scopes.len() > SCOPES_MAX || holds.len() > HOLDS_MAX {
            return Err(BadState::OutOfRange("a viewer's caps"));
        }
        Ok(Self { scopes: scopes.into_iter().collect(), holds })
    }
}

impl Hold {
    /// Scopes that may still be rendered.
    fn scopes(&self) -> impl Iterator<Item = CapScope> + '_ {
        self.slots.iter().filter(|slot| !slot.rendered).flat_map(|slot| slot.counted.scopes())
    }

    fn count(&self, scope: CapScope) -> u32 {
        u32::try_from(self.scopes().filter(|held| *held == scope).count()).unwrap_or(u32::MAX)
    }

    fn write(&self, out: &mut Writer) {
        out.wide(self.decision.0);
        out.time(self.until);
        out.number(self.recorded.into());
        out.length(self.slots.len());
        for Slot { counted, rendered } in &self.slots {
            let Counted { ad, line_item, campaign, advertiser } = counted;
            [ad.0, line_item.0, campaign.0, advertiser.0].into_iter().for_each(|id| out.number(id));
            out.number((*rendered).into());
        }
    }

    fn read(rest: &mut Reader<'_>) -> Result<Self, BadState> {
        let (decision, until, recorded) = (DecisionId(rest.wide()?), rest.time()?, rest.number()? != 0);
        let slots = rest.list(|rest| {
            let counted = Counted {
                ad: AdId(rest.number()?),
                line_item: LineItemId(rest.number()?),
                campaign: CampaignId(rest.number()?),
                advertiser: AdvertiserId(rest.number()?),
            };
            Ok(Slot { counted, rendered: rest.number()? != 0 })
        })?;
        if slots.len() > SLOTS_MAX {
            return Err(BadState::OutOfRange("slots of a hold"));
        }
        Ok(Self { decision, until, recorded, slots })
    }
}

fn write_scope(scope: CapScope, out: &mut Writer) {
    let (kind, id) = match scope {
        CapScope::Ad(id) => (1, id.0),
        CapScope::LineItem(id) => (2, id.0),
        CapScope::Campaign(id) => (3, id.0),
        CapScope::Advertiser(id) => (4, id.0),
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
        4 => Ok(CapScope::Advertiser(AdvertiserId(id))),
        _ => Err(BadState::OutOfRange("a cap's scope")),
    }
}
