//! From a decision's record to an explanation for people.
//!
//! Everything told of the decision comes from the record, or from settling it again; the catalog only lends names.
//! Candidates that lost are told one by one where the record is full, else the entrants are. An advertiser is told of its own
//! ads alone: neither who the others are, nor what they bid, nor who the viewer is.

use litfass_catalog::Catalog;
use litfass_decide::{DecisionRecord, Recomputed, ShownRecord};
use litfass_features::{AdRows, RequestNumber, RowId, RowNumber, ViewerBlock};
use litfass_market::{Decision, PricedBy, value};
use litfass_retrieval::SourceSet;
use litfass_types::{AdId, AdvertiserId, Fate, Price, Row, Unit, Value};

use crate::console::view::{
    CandidateView, Count, Ending, ExplanationView, Fact, Money, Per, PlacementView, RunnerUp, ShownView, Step,
};

/// Whom an explanation is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Viewpoint {
    /// Whoever runs the platform sees everything.
    Platform,
    /// An advertiser sees its own ads.
    Advertiser(AdvertiserId),
}

/// One decision, as whoever asks may see it.
#[must_use]
pub fn explanation(record: &DecisionRecord, catalog: &Catalog, viewpoint: Viewpoint) -> ExplanationView {
    let replayed = record.replay();
    let telling = Telling { record, catalog, replayed: &replayed, viewpoint };
    ExplanationView {
        id: record.id.to_string(),
        time_ms: record.inputs.now.0,
        user: record.inputs.request.user.filter(|_| telling.sees_all()).map(|u| u.to_string()),
        degraded: record.inputs.degraded.iter().map(|p| p.name().to_owned()).collect(),
        full: record.full.is_some(),
        request: request_facts(record, telling.sees_all()),
        world: world_facts(record),
        steps: record.timings.iter().map(|(stage, us)| Step { name: stage.name().to_owned(), took_us: *us }).collect(),
        line_items: u64::from(catalog.line_items()),
        ineligible: telling.ineligible(),
        placements: (0..record.inputs.request.placements.len()).map(|p| telling.placement(p)).collect(),
        candidates: telling.candidates(),
        recomputed: Vec::new(),
    }
}

/// Micros of a thousand impressions, for display.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "for display")]
pub fn value_micros(value: Value) -> f64 {
    value.0 as f64 / 4_294_967_296.0
}

#[must_use]
pub const fn money(price: Price) -> Money {
    let per = match price.per {
        Unit::Mille => Per::Mille,
        Unit::Click => Per::Click,
        Unit::Action => Per::Action,
    };
    Money { micros: price.micros, per }
}

/// Title and advertiser of an ad, as the catalog names them today.
#[must_use]
pub fn names(catalog: &Catalog, ad: AdId) -> (String, String) {
    let Some(ix) = catalog.ad_by_id(ad) else { return (format!("ad {ad}"), String::new()) };
    let line_item = catalog.line_item(catalog.line_item_of(ix));
    let title = catalog.creative(catalog.ad(ix).creative).title;
    (title.to_owned(), catalog.advertiser(line_item.advertiser_ix).name.to_owned())
}

struct Telling<'a> {
    record: &'a DecisionRecord,
    catalog: &'a Catalog,
    replayed: &'a Decision,
    viewpoint: Viewpoint,
}

impl Telling<'_> {
    fn sees_all(&self) -> bool {
        self.viewpoint == Viewpoint::Platform
    }

    /// Of an ad that the catalog does not know, nobody but the platform is told.
    fn sees(&self, ad: AdId) -> bool {
        let Viewpoint::Advertiser(own) = self.viewpoint else { return true };
        let ix = self.catalog.ad_by_id(ad);
        ix.is_some_and(|ix| self.catalog.line_item(self.catalog.line_item_of(ix)).advertiser == own)
    }

    /// Whose line items these were is not counted: the platform alone is told.
    fn ineligible(&self) -> Vec<Count> {
        let full = self.record.full.iter().filter(|_| self.sees_all()).flat_map(|full| &full.ineligible);
        full.map(|(why, n)| Count::of_ineligible(*why, u64::from(*n))).collect()
    }

    fn placement(&self, index: usize) -> PlacementView {
        let asked = self.record.inputs.request.placements[index];
        let name =
            self.catalog.placement(asked.id).map_or_else(|| format!("placement {}", asked.id), |p| p.name.clone());
        let offer = self.record.market.placements.get(index);
        let shown = self.record.shown.iter().filter(|s| usize::from(s.placement) == index && self.sees(s.ad));
        PlacementView {
            id: asked.id.0,
            name,
            slots: asked.slots,
            // Nanos per impression are micros per thousand.
            floor_micros: offer.map_or(0, |o| o.floor.0),
            shown: shown.map(|s| self.shown(s)).collect(),
            fates: self.counts(index).into_iter().map(|(fate, n)| Count::of_fate(fate, n)).collect(),
        }
    }

    /// How the candidates ended that whoever asks may see; of an advertiser's, only those that are recorded one by one.
    fn counts(&self, placement: usize) -> Vec<(Fate, u64)> {
        if self.sees_all() {
            let counts = self.record.counts.get(placement).into_iter().flatten();
            return counts.map(|(fate, n)| (*fate, u64::from(*n))).collect();
        }
        let fates: Vec<Fate> = self.seen_fates(placement);
        let count = |fate: &Fate| fates.iter().filter(|other| *other == fate).count() as u64;
        Fate::ALL.iter().map(|fate| (*fate, count(fate))).filter(|(_, n)| *n > 0).collect()
    }

    fn seen_fates(&self, placement: usize) -> Vec<Fate> {
        if let Some(full) = &self.record.full {
            let seen = full.candidates.iter().filter(|c| self.sees(c.ad));
            return seen.filter_map(|c| c.fates.get(placement).copied()).collect();
        }
        let entrants = self.record.market.entrants.iter().filter(|e| self.sees(e.ad));
        entrants.filter_map(|e| self.admitted_fate(e.row, e.admitted, placement)).collect()
    }

    /// Settling again knows how an entrant ended where it was admitted, and nothing of where it was not.
    fn admitted_fate(&self, row: Row, admitted: u64, placement: usize) -> Option<Fate> {
        self.replayed.fates.fate(row, placement).filter(|_| admitted >> placement & 1 == 1)
    }

    fn shown(&self, shown: &ShownRecord) -> ShownView {
        let (title, advertiser) = names(self.catalog, shown.ad);
        let bid = self.entrant(shown.row).map_or(shown.price, |e| self.record.market.entrants.get(e).bid);
        ShownView {
            slot: shown.slot,
            ad_id: shown.ad.0,
            title,
            advertiser,
            bid: money(bid),
            price: money(shown.price),
            pctr: shown.click_in_slot.to_f64(),
            value_micros: value_micros(shown.value),
            explored: shown.explored,
            runner_up: self.runner_up(shown),
        }
    }

    fn runner_up(&self, shown: &ShownRecord) -> Option<RunnerUp> {
        let PricedBy::Rival(row) = shown.priced_by else { return None };
        let rival = self.entrant(row)?;
        let ad = self.record.market.entrants.ads()[rival];
        if !self.sees(ad) {
            return None;
        }
        let (title, advertiser) = names(self.catalog, ad);
        Some(RunnerUp { ad_id: ad.0, title, advertiser, value_micros: value_micros(self.value_of(rival)?) })
    }

    fn entrant(&self, row: Row) -> Option<usize> {
        self.record.market.entrants.rows().iter().position(|r| *r == row)
    }

    fn value_of(&self, entrant: usize) -> Option<Value> {
        let row = self.record.market.entrants.get(entrant);
        let prediction = self.record.market.predictions.get(entrant)?;
        Some(value(row.bid, *prediction, row.pacing_ppm, row.quality_ppm))
    }

    fn candidates(&self) -> Vec<CandidateView> {
        match &self.record.full {
            Some(full) => {
                let seen = full.candidates.iter().enumerate().filter(|(_, c)| self.sees(c.ad));
                seen.map(|(row, c)| self.full_candidate(row, c)).collect()
            }
            None => {
                let ads = self.record.market.entrants.ads().iter().enumerate();
                ads.filter(|(_, ad)| self.sees(**ad)).map(|(e, _)| self.bare_entrant(e)).collect()
            }
        }
    }

    fn full_candidate(&self, row: usize, candidate: &litfass_decide::CandidateRecord) -> CandidateView {
        let row = Row(u16::try_from(row).unwrap_or(u16::MAX));
        let endings = candidate.fates.iter().enumerate().map(|(p, fate)| self.ending(row, p, *fate)).collect();
        CandidateView {
            sources: SourceSet(candidate.sources).names().map(str::to_owned).collect(),
            score: Some(candidate.click.to_f64()),
            ..self.known(row, candidate.ad, endings)
        }
    }

    /// Without the full record the fates of the entrants follow from settling again.
    fn bare_entrant(&self, entrant: usize) -> CandidateView {
        let bidder = self.record.market.entrants.get(entrant);
        let places = 0..self.record.market.placements.len();
        let endings = places.map(|p| match self.admitted_fate(bidder.row, bidder.admitted, p) {
            Some(fate) => self.ending(bidder.row, p, fate),
            None => Ending::unrecorded(),
        });
        self.known(bidder.row, bidder.ad, endings.collect())
    }

    /// What is known of any candidate: names, and the market's numbers where it entered.
    fn known(&self, row: Row, ad: AdId, fates: Vec<Ending>) -> CandidateView {
        let (title, advertiser) = names(self.catalog, ad);
        let place = self.catalog.ad_by_id(ad).map(|ix| self.catalog.line_item(self.catalog.line_item_of(ix)));
        let view = CandidateView {
            ad_id: ad.0,
            line_item_id: place.map_or(0, |li| li.id.0),
            campaign: place.map_or_else(String::new, |li| self.catalog.campaign(li.campaign_ix).name.to_owned()),
            advertiser,
            title,
            fates,
            features: self.features(row),
            ..CandidateView::default()
        };
        let Some(entrant) = self.entrant(row) else { return view };
        let bidder = self.record.market.entrants.get(entrant);
        let prediction = self.record.market.predictions.get(entrant);
        CandidateView {
            bid: Some(money(bidder.bid)),
            pctr: prediction.map(|p| p.click.to_f64()),
            pcvr: prediction.map(|p| p.conversion.to_f64()),
            pacing_ppm: Some(bidder.pacing_ppm),
            value_micros: self.value_of(entrant).map(value_micros),
            line_item_id: bidder.line_item.0,
            ..view
        }
    }

    fn ending(&self, row: Row, placement: usize, fate: Fate) -> Ending {
        let shown = self.record.shown.iter().find(|s| s.row == row && usize::from(s.placement) == placement);
        Ending { slot: shown.map(|s| s.slot), price: shown.map(|s| money(s.price)), ..Ending::of(fate) }
    }

    /// The record holds the feature rows of the shown ads.
    fn features(&self, row: Row) -> Vec<Fact> {
        let at = self.record.shown.iter().position(|s| s.row == row);
        at.map_or_else(Vec::new, |at| features(&self.record.viewer, &self.record.rows, at))
    }
}

/// Adds the features of the entrants that lost, which records do not keep, from the decision made again.
pub fn add_recomputed(view: &mut ExplanationView, again: &Recomputed) {
    for candidate in view.candidates.iter_mut().filter(|candidate| candidate.features.is_empty()) {
        let entered = again.market.entrants.ads().iter().position(|ad| ad.0 == candidate.ad_id);
        if let Some(at) = entered {
            candidate.features = features(&again.shortlist.viewer, &again.shortlist.rows, at);
        }
    }
    view.recomputed.push("features of entrants that are not shown".to_owned());
}

fn features(viewer: &ViewerBlock, rows: &AdRows, at: usize) -> Vec<Fact> {
    let request = RequestNumber::ALL.iter().map(|f| f.feature().name).zip(viewer.numbers.iter());
    let numbers = RowNumber::ALL.iter().map(|f| f.feature().name).zip(rows.numbers_of(at));
    let ids = RowId::ALL.iter().map(|f| f.feature().name).zip(rows.ids_of(at));
    let numbers = request.chain(numbers).map(|(name, x)| fact(name, format!("{x:.4}")));
    numbers.chain(ids.map(|(name, id)| fact(name, format!("{id:016x}")))).collect()
}

fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact { name: name.to_owned(), value: value.into() }
}

/// To an advertiser no more than where and on what it was shown: the page and the viewer's groups are the site's.
fn request_facts(record: &DecisionRecord, sees_all: bool) -> Vec<Fact> {
    let request = &record.inputs.request;
    let context = &request.context;
    let geo = [&context.country, &context.region, &context.city].into_iter().flatten().cloned().collect::<Vec<_>>();
    let pairs: Vec<_> = context.key_values.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let known = [
        ("request", request.request_id.clone().unwrap_or_default()),
        ("tenant", request.tenant.to_string()),
        ("device", context.device.map_or("", |d| d.name()).to_owned()),
        ("os", context.os.map_or("", |o| o.name()).to_owned()),
        ("geo", geo.join(", ")),
        ("url", context.url.clone().unwrap_or_default()),
        ("categories", context.categories.join(", ")),
        ("keywords", context.keywords.join(", ")),
        ("segments", context.segments.join(", ")),
        ("key values", pairs.join(", ")),
        ("personalised", if request.personalise { "yes" } else { "no" }.to_owned()),
    ];
    let told = |name: &str| sees_all || matches!(name, "tenant" | "device" | "os" | "geo" | "personalised");
    known
        .into_iter()
        .filter(|(name, value)| told(name) && !value.is_empty())
        .map(|(name, value)| fact(name, value))
        .collect()
}

fn world_facts(record: &DecisionRecord) -> Vec<Fact> {
    let world = &record.inputs.world;
    vec![
        fact("catalog", format!("{}.{}", world.catalog.timeline, world.catalog.sequence)),
        fact("rank profile", short_hash(&world.profile)),
        fact("rules", short_hash(&world.rules)),
        fact("pacing table", world.pacing.to_string()),
        fact("ad signals", world.signals.to_string()),
        fact("time zones", world.time_zones.clone()),
        fact("seed", format!("{:016x}", record.inputs.seed.0)),
    ]
}

fn short_hash(hash: &[u8; 32]) -> String {
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
