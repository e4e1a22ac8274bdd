//! The catalog's twin: objects in a map, everything by looking at all of them.

use std::collections::{BTreeMap, BTreeSet};

use litfass_catalog::model::{Ad, Advertiser, Campaign, Creative, LineItem, Object, Status};
use litfass_catalog::targeting::{Assignment, matches};
use litfass_catalog::{Bitset, Catalog, ObjectKind, ObjectRef, PREDICATES, Query, Schedule, Scratch};
use litfass_types::{AdId, Calendar, Ineligible, LineItemId, TenantId, Term, Timestamp};

#[derive(Clone, Debug, Default)]
pub(crate) struct Naive {
    pub(crate) objects: BTreeMap<ObjectRef, Object>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) tenant: TenantId,
    pub(crate) terms: Vec<Term>,
    pub(crate) placements: Vec<Term>,
    pub(crate) now: Timestamp,
}

#[derive(PartialEq, Eq, Debug, Default)]
pub(crate) struct Found {
    pub(crate) line_items: BTreeSet<LineItemId>,
    pub(crate) ads: BTreeSet<AdId>,
    pub(crate) removed: [u32; PREDICATES],
}

/// A seventh has no funds and a fifth is held back; which ones depends on nothing but the id.
pub(crate) const fn is_funded(id: LineItemId) -> bool {
    !id.0.is_multiple_of(7)
}

pub(crate) const fn is_paced_out(id: LineItemId) -> bool {
    id.0.is_multiple_of(5)
}

macro_rules! lookup {
    ($name:ident, $all:ident, $kind:ident) => {
        #[allow(dead_code, reason = "one pair per kind")]
        pub(crate) fn $name(&self, id: u64) -> Option<&$kind> {
            match self.objects.get(&ObjectRef { kind: ObjectKind::$kind, id }) {
                Some(Object::$kind(object)) => Some(object),
                _ => None,
            }
        }
        #[allow(dead_code, reason = "one pair per kind")]
        pub(crate) fn $all(&self) -> Vec<&$kind> {
            self.objects
                .values()
                .filter_map(|o| if let Object::$kind(object) = o { Some(object) } else { None })
                .collect()
        }
    };
}

impl Naive {
    pub(crate) fn apply(&mut self, objects: impl IntoIterator<Item = Object>) {
        self.objects.extend(objects.into_iter().map(|object| (object.reference(), object)));
    }

    lookup!(advertiser, advertisers, Advertiser);
    lookup!(campaign, campaigns, Campaign);
    lookup!(line_item, line_items, LineItem);
    lookup!(creative, creatives, Creative);
    lookup!(ad, ads, Ad);

    pub(crate) fn find(&self, ask: &Ask) -> Found {
        let mut found = Found::default();
        for line_item in self.line_items() {
            match self.first_failure(line_item, ask) {
                Some(predicate) => found.removed[usize::from(predicate.number()) - 1] += 1,
                None => drop(found.line_items.insert(line_item.id)),
            }
        }
        let shown = self.ads().into_iter().filter(|ad| ad.status == Status::Active);
        found.ads = shown.filter(|ad| found.line_items.contains(&ad.line_item)).map(|ad| ad.id).collect();
        found
    }

    pub(crate) fn first_failure(&self, line_item: &LineItem, ask: &Ask) -> Option<Ineligible> {
        let campaign = self.campaign(line_item.campaign.0).unwrap();
        let advertiser = self.advertiser(campaign.advertiser.0).unwrap();
        let calendar = Calendar::named(&advertiser.time_zone).unwrap();
        let hour_of_week = calendar.hour_of_week(ask.now);
        let assignment = Assignment { terms: &ask.terms, placements: &ask.placements, hour_of_week };
        let active = |status| status == Status::Active;
        let passes = [
            (Ineligible::Tenant, advertiser.tenant == ask.tenant),
            (Ineligible::Status, active(line_item.status) && active(campaign.status) && active(advertiser.status)),
            (Ineligible::Flight, line_item.flight.contains(ask.now) && campaign.flight.contains(ask.now)),
            (Ineligible::Targeting, matches(&line_item.targeting, &assignment)),
            (Ineligible::Funds, is_funded(line_item.id)),
            (Ineligible::PacedOut, !is_paced_out(line_item.id)),
        ];
        passes.into_iter().find(|(_, passes)| !passes).map(|(predicate, _)| predicate)
    }
}

/// Line items by number, as the decision hands them in.
pub(crate) fn by_line_item(catalog: &Catalog, holds: impl Fn(LineItemId) -> bool) -> Bitset {
    catalog.live_line_items().filter(|ix| holds(catalog.line_item(*ix).id)).map(|ix| ix.0).collect()
}

/// What the catalog says, by ids.
pub(crate) fn ask(catalog: &Catalog, ask: &Ask, schedule: &Schedule, scratch: &mut Scratch) -> Found {
    let (funded, paced_out) = (by_line_item(catalog, is_funded), by_line_item(catalog, is_paced_out));
    let query = Query {
        tenant: ask.tenant,
        terms: &ask.terms,
        placements: &ask.placements,
        now: ask.now,
        schedule,
        funded: &funded,
        paced_out: &paced_out,
    };
    let eligible = catalog.eligible(&query, scratch);
    let removed = std::array::from_fn(|i| eligible.removed(Ineligible::ALL[i]));
    Found {
        line_items: eligible.line_items().iter().map(|i| catalog.line_item(litfass_types::LineItemIx(i)).id).collect(),
        ads: eligible.ads().iter().map(|i| catalog.ad(litfass_types::AdIx(i)).id).collect(),
        removed,
    }
}
