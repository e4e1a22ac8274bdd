//! The shortlist's twin: everything by looking at the objects, one ad at a time.

use litfass_catalog::model::{Ad, FrequencyCap, LineItem, Review, Status};
use litfass_catalog::targeting::{Assignment, matches_at};
use litfass_catalog::{CapScope, category_hash, item_hash, placement_term};
use litfass_decide::{Observed, takes_part};
use litfass_features::{AdFacts, AdRows, Viewer};
use litfass_market::value;
use litfass_policy::{CapCounts, CapKey};
use litfass_types::{
    AdId, AdvertiserId, Calendar, Fate, Ineligible, LineItemId, PPM, PlacementId, Prediction, Probability, Term, Value,
};

use crate::scene::Scene;

pub(crate) struct Naive<'a> {
    scene: &'a Scene,
    observed: &'a Observed,
    terms: Vec<Term>,
}

impl<'a> Naive<'a> {
    pub(crate) fn new(scene: &'a Scene, observed: &'a Observed) -> Self {
        Self { scene, observed, terms: observed.request.context.terms() }
    }

    pub(crate) fn line_item(&self, ad: AdId) -> &'a LineItem {
        &self.scene.shop.line_items[&self.scene.shop.ads[&ad].line_item]
    }

    pub(crate) fn advertiser(&self, ad: AdId) -> AdvertiserId {
        self.scene.shop.advertiser_of(self.line_item(ad)).id
    }

    // ── eligibility ──

    pub(crate) fn eligible_ads(&self) -> Vec<AdId> {
        let ads = self.scene.shop.ads.values().filter(|ad| ad.status == Status::Active);
        ads.filter(|ad| self.first_failure(self.line_item(ad.id)).is_none()).map(|ad| ad.id).collect()
    }

    /// How many line items each predicate removed first.
    pub(crate) fn ineligible(&self) -> Vec<(Ineligible, u32)> {
        let first: Vec<_> = self.scene.shop.line_items.values().filter_map(|l| self.first_failure(l)).collect();
        let count = |why: Ineligible| u32::try_from(first.iter().filter(|f| **f == why).count()).unwrap();
        Ineligible::ALL.iter().map(|why| (*why, count(*why))).filter(|(_, n)| *n > 0).collect()
    }

    fn first_failure(&self, line_item: &LineItem) -> Option<Ineligible> {
        let shop = &self.scene.shop;
        let (campaign, advertiser) = (shop.campaign_of(line_item), shop.advertiser_of(line_item));
        let pacing = &self.scene.world.pacing;
        let ix = self.scene.world.catalog.line_item_by_id(line_item.id).unwrap();
        let active = [line_item.status, campaign.status, advertiser.status].iter().all(|s| *s == Status::Active);
        let places = self.observed.request.placements.iter();
        let checks = [
            (Ineligible::Tenant, advertiser.tenant == self.observed.request.tenant),
            (Ineligible::Status, active),
            (Ineligible::Flight, [line_item.flight, campaign.flight].iter().all(|f| f.contains(self.observed.now))),
            (Ineligible::Targeting, places.into_iter().any(|p| self.targets(line_item, p.id))),
            (Ineligible::Funds, pacing.funded.contains(ix.0)),
            (Ineligible::PacedOut, self.pacing_ppm(line_item.id) > 0 && self.draws(line_item.id)),
        ];
        checks.into_iter().find(|(_, passes)| !passes).map(|(why, _)| why)
    }

    fn targets(&self, line_item: &LineItem, placement: PlacementId) -> bool {
        let calendar = Calendar::named(&self.scene.shop.advertiser_of(line_item).time_zone).unwrap();
        let (term, hour_of_week) = (placement_term(placement), calendar.hour_of_week(self.observed.now));
        let assignment = Assignment { terms: &self.terms, placements: &[], hour_of_week };
        matches_at(&line_item.targeting, &assignment, Some(term))
    }

    /// Whether it takes part, where it does in a share of the requests only.
    fn draws(&self, line_item: LineItemId) -> bool {
        let share = self.scene.world.pacing.by_requests.iter().find(|(_, id, _)| *id == line_item);
        share.is_none_or(|(.., share)| takes_part(self.observed.seed, line_item, *share))
    }

    pub(crate) fn pacing_ppm(&self, line_item: LineItemId) -> u32 {
        let ix = self.scene.world.catalog.line_item_by_id(line_item).unwrap();
        self.scene.world.pacing.multipliers_ppm.get(ix.0 as usize).copied().unwrap_or(PPM)
    }

    // ── policy ──

    /// What a candidate breaks at a placement, technical reasons first. A placement that is not known any more forbids nothing.
    pub(crate) fn policy(&self, ad: AdId, placement: PlacementId) -> Option<Fate> {
        let shop = &self.scene.shop;
        let (ad, line_item) = (&shop.ads[&ad], self.line_item(ad));
        let (creative, advertiser) = (&shop.creatives[&ad.creative], shop.advertiser_of(line_item).id);
        let rules = shop.placements.get(&placement);
        let takes = rules.is_none_or(|r| r.formats.is_empty() || r.formats.contains(&creative.format));
        let blocks = rules.is_some_and(|r| {
            r.blocked_advertisers.contains(&advertiser)
                || ad.categories.iter().any(|c| r.blocked_categories.contains(c))
        });
        let broken = [
            (Fate::FormatMismatch, !takes),
            (Fate::CreativeRejected, creative.review != Review::Approved),
            (Fate::ConsentMissing, line_item.needs_consent && !self.observed.request.personalise),
            (Fate::Blocked, blocks),
            (Fate::PlacementMismatch, !self.targets(line_item, placement)),
            (Fate::Capped, self.is_capped(ad, line_item)),
            (Fate::CapsUnknown, self.is_unknown(ad, line_item)),
        ];
        broken.into_iter().find(|(_, broken)| *broken).map(|(fate, _)| fate)
    }

    fn is_capped(&self, ad: &Ad, line_item: &LineItem) -> bool {
        let none = CapCounts::default();
        let counts = self.observed.caps.value().unwrap_or(&none);
        let caps = self.caps(ad, line_item);
        let used = |scope, window| counts.iter().find(|(k, _)| *k == CapKey { scope, window }).map_or(0, |(_, n)| n);
        caps.iter().any(|(scope, caps)| caps.iter().any(|cap| used(*scope, cap.window) >= cap.max))
    }

    fn is_unknown(&self, ad: &Ad, line_item: &LineItem) -> bool {
        let unknown = self.observed.caps.value().is_some_and(CapCounts::are_unknown);
        unknown && self.caps(ad, line_item).iter().any(|(_, caps)| !caps.is_empty())
    }

    fn caps<'o>(&'o self, ad: &'o Ad, line_item: &'o LineItem) -> [(CapScope, &'o [FrequencyCap]); 4] {
        let campaign = self.scene.shop.campaign_of(line_item);
        let advertiser = self.scene.shop.advertiser_of(line_item);
        [
            (CapScope::Ad(ad.id), &ad.caps),
            (CapScope::LineItem(line_item.id), &line_item.caps),
            (CapScope::Campaign(campaign.id), &campaign.caps),
            (CapScope::Advertiser(advertiser.id), &advertiser.caps),
        ]
    }

    // ── first phase ──

    /// One ad's features, from its objects.
    pub(crate) fn facts(&self, ad: AdId) -> AdFacts {
        let world = &self.scene.world;
        let object = &self.scene.shop.ads[&ad];
        AdFacts {
            ad,
            advertiser: self.advertiser(ad),
            item: object.item.as_ref().map_or(0, |sku| item_hash(sku)),
            category: object.categories.first().map_or(0, |c| category_hash(c)),
            created: object.created,
            signal: world.signals.get(world.catalog.ad_by_id(ad).unwrap()).features,
        }
    }

    pub(crate) fn last_phase_row(&self, ad: AdId) -> AdRows {
        let nobody = Viewer::default();
        let viewer = self.observed.viewer.value().unwrap_or(&nobody);
        let facts = std::iter::once(self.facts(ad));
        AdRows::last_phase(&self.scene.world.rules.features, self.observed.now, viewer, facts)
    }

    pub(crate) fn first_value(&self, ad: AdId, click: Probability) -> Value {
        let line_item = self.line_item(ad);
        let conversion = Probability::from_bits(u32::MAX);
        value(line_item.bid, Prediction { click, conversion }, self.pacing_ppm(line_item.id), PPM)
    }
}
