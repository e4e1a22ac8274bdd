//! From a decision's record to an explanation for people.
//!
//! Everything told of the decision comes from the record, or from settling it again; the catalog only lends names, those of
//! today. Candidates that lost are told one by one where the record is full, else the entrants are.

use litfass_catalog::Catalog;
use litfass_decide::{DecisionRecord, ShownRecord};
use litfass_features::{RequestNumber, RowId, RowNumber};
use litfass_market::{Decision, PricedBy, value};
use litfass_retrieval::SourceSet;
use litfass_types::{AdId, Fate, Price, Row, Unit, Value};

use crate::console::view::{
    CandidateView, Count, Ending, ExplanationView, Fact, Money, Per, PlacementView, RunnerUp, ShownView, Step,
};

/// The whole of one decision.
#[must_use]
pub fn explanation(record: &DecisionRecord, catalog: &Catalog) -> ExplanationView {
    let replayed = record.replay();
    let telling = Telling { record, catalog, replayed: &replayed };
    ExplanationView {
        id: record.id.to_string(),
        time_ms: record.inputs.now.0,
        user: record.inputs.request.user.map(|u| u.to_string()),
        degraded: record.inputs.degraded.iter().map(|p| p.name().to_owned()).collect(),
        full: record.full.is_some(),
        request: request_facts(record),
        world: world_facts(record),
        steps: record.timings.iter().map(|(stage, us)| Step { name: stage.name().to_owned(), took_us: *us }).collect(),
        line_items: u64::from(catalog.line_items()),
        ineligible: telling.ineligible(),
        placements: (0..record.inputs.request.placements.len()).map(|p| telling.placement(p)).collect(),
        candidates: telling.candidates(),
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
}

impl Telling<'_> {
    fn ineligible(&self) -> Vec<Count> {
        let full = self.record.full.iter().flat_map(|full| &full.ineligible);
        full.map(|(why, n)| Count::of_ineligible(*why, u64::from(*n))).collect()
    }

    fn placement(&self, index: usize) -> PlacementView {
        let asked = self.record.inputs.request.placements[index];
        let name =
            self.catalog.placement(asked.id).map_or_else(|| format!("placement {}", asked.id), |p| p.name.clone());
        let counts = self.record.counts.get(index).into_iter().flatten();
        let offer = self.record.market.placements.get(index);
        let shown = self.record.shown.iter().filter(|s| usize::from(s.placement) == index);
        PlacementView {
            id: asked.id.0,
            name,
            slots: asked.slots,
            // Nanos per impression are micros per thousand.
            floor_micros: offer.map_or(0, |o| o.floor.0),
            shown: shown.map(|s| self.shown(s)).collect(),
            fates: counts.map(|(fate, n)| Count::of_fate(*fate, u64::from(*n))).collect(),
        }
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
            Some(full) => full.candidates.iter().enumerate().map(|(row, c)| self.full_candidate(row, c)).collect(),
            None => (0..self.record.market.entrants.len()).map(|e| self.bare_entrant(e)).collect(),
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
        let row = self.record.market.entrants.rows()[entrant];
        let fates =
            (0..self.record.market.placements.len()).filter_map(|p| Some((p, self.replayed.fates.fate(row, p)?)));
        let endings = fates.map(|(p, fate)| self.ending(row, p, fate)).collect();
        self.known(row, self.record.market.entrants.ads()[entrant], endings)
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
        let Some(at) = self.record.shown.iter().position(|s| s.row == row) else { return Vec::new() };
        let request = RequestNumber::ALL.iter().map(|f| f.feature().name).zip(self.record.viewer.numbers.iter());
        let numbers = RowNumber::ALL.iter().map(|f| f.feature().name).zip(self.record.rows.numbers_of(at));
        let ids = RowId::ALL.iter().map(|f| f.feature().name).zip(self.record.rows.ids_of(at));
        let numbers = request.chain(numbers).map(|(name, x)| fact(name, format!("{x:.4}")));
        numbers.chain(ids.map(|(name, id)| fact(name, format!("{id:016x}")))).collect()
    }
}

fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact { name: name.to_owned(), value: value.into() }
}

fn request_facts(record: &DecisionRecord) -> Vec<Fact> {
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
    known.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| fact(name, value)).collect()
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
