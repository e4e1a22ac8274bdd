//! The same questions answered one object at a time, at serving time, from the world that the decision was made in.

use std::collections::{BTreeMap, BTreeSet};

use litfass_catalog::model::{
    Ad, Advertiser, Campaign, Creative, Flight, FrequencyCap, LineItem, Object, Placement, Review, Status,
};
use litfass_catalog::{Catalog, Targeting};
use litfass_decide::{AdRequest, DecisionRecord, ShownRecord};
use litfass_server::decider::Decided;
use litfass_server::why_not::WhyNot;
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CatalogVersion, CreativeId, Fate, Ineligible, LineItemId, PlacementId, TermKind,
    Timestamp, UserHash,
};

/// Counts of one line item: as first and as only obstacle.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Notes {
    pub(super) requests: u64,
    pub(super) absent: u64,
    pub(super) eligible: u64,
    pub(super) shown: u64,
    pub(super) not_retrieved: u64,
    pub(super) ineligible: BTreeMap<Ineligible, (u64, u64)>,
    pub(super) fates: BTreeMap<Fate, (u64, u64)>,
    pub(super) gap: Option<i64>,
    gaps: Vec<i64>,
}

impl Notes {
    pub(super) fn of(found: &WhyNot) -> Self {
        Self {
            requests: found.requests,
            absent: found.absent,
            eligible: found.eligible,
            shown: found.shown,
            not_retrieved: found.not_retrieved,
            ineligible: found.ineligible.iter().map(|(why, o)| (*why, (o.first, o.only))).collect(),
            fates: found.fates.iter().map(|(fate, o)| (*fate, (o.first, o.only))).collect(),
            gap: found.median_gap_micros(),
            gaps: Vec::new(),
        }
    }
}

/// Every object by its id.
#[derive(Default)]
struct Objects {
    advertisers: BTreeMap<AdvertiserId, Advertiser>,
    campaigns: BTreeMap<CampaignId, Campaign>,
    line_items: BTreeMap<LineItemId, LineItem>,
    creatives: BTreeMap<CreativeId, Creative>,
    ads: BTreeMap<AdId, Ad>,
    placements: BTreeMap<PlacementId, Placement>,
}

impl Objects {
    fn of(catalog: &Catalog) -> Self {
        let mut objects = Self::default();
        for object in catalog.objects() {
            match object {
                Object::Tenant(_) | Object::Segment(_) => {}
                Object::Advertiser(o) => drop(objects.advertisers.insert(o.id, o)),
                Object::Campaign(o) => drop(objects.campaigns.insert(o.id, o)),
                Object::LineItem(o) => drop(objects.line_items.insert(o.id, o)),
                Object::Creative(o) => drop(objects.creatives.insert(o.id, o)),
                Object::Ad(o) => drop(objects.ads.insert(o.id, o)),
                Object::Placement(o) => drop(objects.placements.insert(o.id, o)),
            }
        }
        objects
    }
}

/// Writes down, request by request.
pub(super) struct Notebook {
    notes: BTreeMap<LineItemId, Notes>,
    objects: Objects,
    version: Option<CatalogVersion>,
    /// What each viewer was shown, and when.
    shown: Vec<Seen>,
}

/// One ad that one viewer was shown.
struct Seen {
    user: UserHash,
    ad: AdId,
    line_item: LineItemId,
    campaign: CampaignId,
    advertiser: AdvertiserId,
    at: Timestamp,
}

impl Notebook {
    pub(super) fn new() -> Self {
        let ids = (1..=super::LINE_ITEMS).map(|number| LineItemId(1_000 + number));
        let notes = ids.map(|id| (id, Notes::default())).collect();
        Self { notes, objects: Objects::default(), version: None, shown: Vec::new() }
    }

    pub(super) fn write_down(&mut self, decided: &Decided) {
        let record = &decided.record;
        if !record.inputs.request.traffic.counts() {
            return;
        }
        if self.version != Some(record.inputs.world.catalog) {
            (self.objects, self.version) = (Objects::of(&decided.world.catalog), Some(record.inputs.world.catalog));
        }
        let ids: Vec<LineItemId> = self.notes.keys().copied().collect();
        for id in ids {
            self.line_item(id, decided);
        }
        let user = record.inputs.request.user.unwrap();
        let seen = |s: &ShownRecord| Seen {
            user,
            ad: s.ad,
            line_item: s.line_item,
            campaign: s.campaign,
            advertiser: s.advertiser,
            at: record.inputs.now,
        };
        self.shown.extend(record.shown.iter().map(seen));
    }

    pub(super) fn finish(mut self) -> BTreeMap<LineItemId, Notes> {
        for notes in self.notes.values_mut() {
            notes.gaps.sort_unstable();
            notes.gap = notes.gaps.get(notes.gaps.len().wrapping_sub(1) / 2).copied();
            notes.gaps.clear();
        }
        self.notes
    }

    fn line_item(&mut self, id: LineItemId, decided: &Decided) {
        let record = &decided.record;
        let failing = self.failing(id, decided);
        let ending = failing.as_ref().filter(|failing| failing.is_empty()).and_then(|_| self.ending(id, record));
        let gap = ending.filter(|(fate, _)| *fate == Fate::Outbid).and_then(|_| gap(id, record));
        let notes = self.notes.get_mut(&id).unwrap();
        notes.requests += 1;
        match (failing, ending) {
            (None, _) => notes.absent += 1,
            (Some(failing), None) if failing.is_empty() => {
                notes.eligible += 1;
                notes.not_retrieved += 1;
            }
            (Some(failing), None) => {
                notes.ineligible.entry(failing[0]).or_default().0 += 1;
                if failing.len() == 1 {
                    notes.ineligible.entry(failing[0]).or_default().1 += 1;
                }
            }
            (Some(_), Some((fate, only))) => {
                notes.eligible += 1;
                notes.shown += u64::from(fate == Fate::Shown);
                let counts = notes.fates.entry(fate).or_default();
                counts.0 += 1;
                counts.1 += u64::from(only);
                notes.gaps.extend(gap);
            }
        }
    }

    /// Every predicate that it fails; `None` where it is not there.
    fn failing(&self, id: LineItemId, decided: &Decided) -> Option<Vec<Ineligible>> {
        let line_item = self.objects.line_items.get(&id)?;
        let campaign = &self.objects.campaigns[&line_item.campaign];
        let advertiser = &self.objects.advertisers[&campaign.advertiser];
        let now = decided.record.inputs.now;
        let request = &decided.record.inputs.request;
        let ix = decided.world.catalog.line_item_by_id(id).unwrap();
        let paused = [line_item.status, campaign.status, advertiser.status].iter().any(|s| *s != Status::Active);
        let matches = request.placements.iter().any(|p| holds(&line_item.targeting, request, p.id));
        let fails = [
            (Ineligible::Status, paused),
            (Ineligible::Flight, !(runs(line_item.flight, now) && runs(campaign.flight, now))),
            (Ineligible::Targeting, !matches),
            (Ineligible::Funds, !decided.world.pacing.funded.contains(ix.0)),
            (Ineligible::PacedOut, decided.world.pacing.multiplier(ix) == 0),
        ];
        Some(fails.into_iter().filter(|(_, fails)| *fails).map(|(why, _)| why).collect())
    }

    /// How its rows ended at best, and whether nothing else was in the way there.
    fn ending(&self, id: LineItemId, record: &DecisionRecord) -> Option<(Fate, bool)> {
        let full = record.full.as_ref().unwrap();
        let mut cells: Vec<(usize, Fate, bool)> = Vec::new();
        for candidate in full.candidates.iter().filter(|candidate| candidate.line_item == id) {
            for (place, fate) in candidate.fates.iter().enumerate() {
                let broken = self.broken(candidate.ad, record, record.inputs.request.placements[place].id);
                let only = broken.iter().all(|other| other == fate);
                cells.push((LADDER.iter().position(|step| step == fate).unwrap(), *fate, only));
            }
        }
        let best = cells.iter().map(|(step, ..)| *step).max()?;
        let there: Vec<_> = cells.iter().filter(|(step, ..)| *step == best).collect();
        Some((there[0].1, there.iter().any(|(.., only)| *only)))
    }

    /// The fates of all rules that an ad breaks at a placement.
    fn broken(&self, ad: AdId, record: &DecisionRecord, placement: PlacementId) -> BTreeSet<Fate> {
        let request = &record.inputs.request;
        let ad = &self.objects.ads[&ad];
        let line_item = &self.objects.line_items[&ad.line_item];
        let creative = &self.objects.creatives[&ad.creative];
        let offer = &self.objects.placements[&placement];
        let fails = [
            (Fate::FormatMismatch, !offer.formats.is_empty() && !offer.formats.contains(&creative.format)),
            (Fate::CreativeRejected, creative.review != Review::Approved),
            (Fate::ConsentMissing, line_item.needs_consent && !request.personalise),
            (Fate::Blocked, offer.blocked_advertisers.contains(&creative.advertiser)),
            (
                Fate::PlacementMismatch,
                mentions_placements(line_item) && !holds(&line_item.targeting, request, placement),
            ),
            (Fate::Capped, self.is_capped(ad, line_item, record)),
        ];
        fails.into_iter().filter(|(_, fails)| *fails).map(|(fate, _)| fate).collect()
    }

    fn is_capped(&self, ad: &Ad, line_item: &LineItem, record: &DecisionRecord) -> bool {
        let campaign = &self.objects.campaigns[&line_item.campaign];
        let advertiser = &self.objects.advertisers[&campaign.advertiser];
        self.reached(&ad.caps, record, |seen| seen.ad == ad.id)
            || self.reached(&line_item.caps, record, |seen| seen.line_item == line_item.id)
            || self.reached(&campaign.caps, record, |seen| seen.campaign == campaign.id)
            || self.reached(&advertiser.caps, record, |seen| seen.advertiser == advertiser.id)
    }

    fn reached(&self, caps: &[FrequencyCap], record: &DecisionRecord, counts: impl Fn(&Seen) -> bool) -> bool {
        let user = record.inputs.request.user.unwrap();
        caps.iter().any(|cap| {
            let since = record.inputs.now - cap.window;
            let seen = self.shown.iter().filter(|seen| seen.user == user && seen.at > since && counts(seen));
            seen.count() >= cap.max as usize
        })
    }
}

/// From the worst ending to the best.
const LADDER: [Fate; 16] = [
    Fate::FormatMismatch,
    Fate::CreativeRejected,
    Fate::ConsentMissing,
    Fate::Blocked,
    Fate::PlacementMismatch,
    Fate::CapsUnknown,
    Fate::Capped,
    Fate::BelowCut,
    Fate::BelowFloor,
    Fate::AlreadyShown,
    Fate::AdvertiserLimit,
    Fate::ExcludedByRival,
    Fate::Outbid,
    Fate::PassedOver,
    Fate::HoldRefused,
    Fate::Shown,
];

fn runs(flight: Flight, now: Timestamp) -> bool {
    flight.start.is_none_or(|start| start <= now) && flight.end.is_none_or(|end| now < end)
}

fn holds(targeting: &Targeting, request: &AdRequest, placement: PlacementId) -> bool {
    let context = &request.context;
    match targeting {
        Targeting::All(parts) => parts.iter().all(|part| holds(part, request, placement)),
        Targeting::Any(parts) => parts.iter().any(|part| holds(part, request, placement)),
        Targeting::Not(part) => !holds(part, request, placement),
        Targeting::In(TermKind::Device, values) => context.device.is_some_and(|d| values.iter().any(|v| v == d.name())),
        Targeting::In(TermKind::Geo, values) => values.iter().any(|v| Some(v) == context.country.as_ref()),
        Targeting::In(TermKind::Keyword, values) => values.iter().any(|v| context.keywords.contains(v)),
        Targeting::In(TermKind::Placement, values) => values.contains(&placement.to_string()),
        other @ (Targeting::In(..) | Targeting::Daypart(_)) => panic!("this shop does not target {other:?}"),
    }
}

fn mentions_placements(line_item: &LineItem) -> bool {
    let mut mentions = false;
    line_item.targeting.each_value(&mut |kind, _| mentions |= kind == TermKind::Placement);
    mentions
}

/// The smallest step to the cheapest slot, in micros of a thousand: bids here are all per mille, so worth is the paced bid.
fn gap(id: LineItemId, record: &DecisionRecord) -> Option<i64> {
    let full = record.full.as_ref().unwrap();
    let mut gaps = Vec::new();
    for candidate in full.candidates.iter().filter(|candidate| candidate.line_item == id) {
        for (place, _) in candidate.fates.iter().enumerate().filter(|(_, fate)| **fate == Fate::Outbid) {
            let entrant = record.market.entrants.iter().find(|entrant| entrant.ad == candidate.ad).unwrap();
            let worth = i128::from(entrant.bid.micros) * i128::from(entrant.pacing_ppm) * (1 << 32) / 1_000_000;
            let here = record.shown.iter().filter(|s| usize::from(s.placement) == place);
            gaps.push(here.map(|s| s.value.0).min().unwrap() - worth);
        }
    }
    gaps.into_iter().min().map(|gap| i64::try_from(gap >> 32).unwrap())
}
