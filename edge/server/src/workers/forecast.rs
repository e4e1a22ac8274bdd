//! When each line item's traffic comes: the logged requests of every hour of the week for which it would have been eligible.
//!
//! Requests are counted by tenant, placement and country; so much of a line item's targeting shapes its forecast, and its
//! dayparts and flight. A line item that asks for more (a device, a category, a segment) is taken to find it evenly among all
//! requests of its tenant.

use std::collections::BTreeMap;
use std::sync::Arc;

use litfass_catalog::model::PacingMode;
use litfass_catalog::{Bitset, Catalog, Query, Schedule, Scratch, placement_term};
use litfass_market::pacing::{HOURS, Shape, hour_of_week};
use litfass_store::fold::{TrafficAt, TrafficSource};
use litfass_types::{CampaignId, Duration, LineItemId, LineItemIx, TenantId, Term, TermKind, Timestamp, hash_pair};

/// The busiest sources, at most: the rest shapes nothing.
const SOURCES_MAX: usize = 64;
/// The mark of who is eligible for nothing that was counted.
const NOTHING: u64 = 0;

/// Shapes by line item, those that are alike shared.
#[derive(Debug, Default)]
pub struct Forecasts {
    by_line_item: BTreeMap<LineItemId, Arc<Shape>>,
    flat: Shape,
}

/// Requests of one source in one hour of the week, at its next occurrence.
struct Slot<'a> {
    source: &'a TrafficSource,
    hour: usize,
    requests: u64,
}

impl Forecasts {
    /// The clock where nothing is known.
    #[must_use]
    pub fn of(&self, line_item: LineItemId) -> &Shape {
        self.by_line_item.get(&line_item).map_or(&self.flat, |shape| shape)
    }

    /// Of the first line item of a campaign that keeps to a plan: what a campaign's own budget is drawn against.
    #[must_use]
    pub fn of_campaign(&self, catalog: &Catalog, campaign: CampaignId) -> &Shape {
        let rows = catalog.live_line_items().map(|ix| catalog.line_item(ix));
        let mut paced = rows.filter(|row| row.campaign == campaign && row.pacing != PacingMode::Asap);
        paced.next().map_or(&self.flat, |row| self.of(row.id))
    }

    #[must_use]
    pub fn new(catalog: &Catalog, traffic: &TrafficAt, now: Timestamp) -> Self {
        if traffic.sources.is_empty() {
            return Self::default();
        }
        let hours = busiest(traffic);
        let mut marks = vec![NOTHING; catalog.line_items() as usize];
        look(catalog, &hours, now, |number, _, eligible| {
            eligible.iter().for_each(|ix| marks[ix as usize] = hash_pair(marks[ix as usize], number));
        });
        let mut alike: BTreeMap<u64, (LineItemIx, [u64; HOURS])> = BTreeMap::new();
        let live =
            || catalog.live_line_items().map(|ix| (ix, marks[ix.0 as usize])).filter(|(_, mark)| *mark != NOTHING);
        live().for_each(|(ix, mark)| _ = alike.entry(mark).or_insert((ix, [0; HOURS])));
        look(catalog, &hours, now, |_, slot, eligible| {
            let those = alike.values_mut().filter(|(ix, _)| eligible.contains(ix.0));
            those.for_each(|(_, counts)| counts[slot.hour] += slot.requests);
        });
        let shape = |counts: &[u64; HOURS]| Arc::new(Shape::of(&traffic.filled(counts)));
        let shapes: BTreeMap<u64, Arc<Shape>> =
            alike.iter().map(|(mark, (_, counts))| (*mark, shape(counts))).collect();
        let tenants: BTreeMap<TenantId, Arc<Shape>> =
            by_tenant(traffic).iter().map(|(id, counts)| (*id, shape(counts))).collect();
        let by_line_item = catalog.live_line_items().filter_map(|ix| {
            let row = catalog.line_item(ix);
            let shape = shapes.get(&marks[ix.0 as usize]).or_else(|| tenants.get(&row.tenant))?;
            Some((row.id, Arc::clone(shape)))
        });
        Self { by_line_item: by_line_item.collect(), flat: Shape::flat() }
    }
}

/// The busiest sources' hours that had any request.
fn busiest(traffic: &TrafficAt) -> Vec<Slot<'_>> {
    let mut sources: Vec<_> = traffic.sources.iter().collect();
    sources.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.iter().sum::<u64>()));
    sources.truncate(SOURCES_MAX);
    let slots = (0..HOURS).flat_map(|hour| {
        let of = sources.iter().map(move |(source, counts)| Slot { source, hour, requests: counts[hour] });
        of.collect::<Vec<_>>()
    });
    slots.filter(|slot| slot.requests > 0).collect()
}

/// Who could take part in each slot, had everybody funds.
fn look(catalog: &Catalog, slots: &[Slot<'_>], now: Timestamp, mut see: impl FnMut(u64, &Slot<'_>, &Bitset)) {
    let (funded, paced_out) = (Bitset::full(catalog.line_items() as usize), Bitset::default());
    let (mut scratch, mut schedule) = (Scratch::default(), Schedule::at(catalog, now));
    for (slot, number) in slots.iter().zip(1..) {
        let at = next(slot.hour, now);
        if !schedule.covers(catalog, at) {
            schedule = Schedule::at(catalog, at);
        }
        let terms: Vec<Term> = slot.source.country.iter().map(|country| Term::new(TermKind::Geo, country)).collect();
        let query = Query {
            tenant: slot.source.tenant,
            terms: &terms,
            placements: &[placement_term(slot.source.placement)],
            now: at,
            schedule: &schedule,
            funded: &funded,
            paced_out: &paced_out,
        };
        see(number, slot, catalog.eligible(&query, &mut scratch).line_items());
    }
}

/// That hour of the week, now or within the next seven days.
fn next(hour: usize, now: Timestamp) -> Timestamp {
    let ahead = (HOURS + hour - hour_of_week(now)) % HOURS;
    now + Duration::hours(i64::try_from(ahead).unwrap_or(0))
}

fn by_tenant(traffic: &TrafficAt) -> BTreeMap<TenantId, [u64; HOURS]> {
    let mut tenants = BTreeMap::new();
    for (source, counts) in &traffic.sources {
        let sums = tenants.entry(source.tenant).or_insert([0_u64; HOURS]);
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    tenants
}
