//! A served catalog that keeps up with the store: small changes go into the overlay at once, and when those have piled up a
//! thread of its own makes a new base.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;

use litfass_catalog::model::Object;
use litfass_catalog::{AdOrder, Catalog, ObjectKind, ObjectRef};
use litfass_types::{AdvertiserId, CampaignId, CatalogVersion, LineItemId};

use super::CatalogError;
use super::limit::Limit;
use super::read::inconsistent;
use super::store::CatalogStore;

/// The catalog's newest version, and the limits that came with it.
#[derive(Clone, Debug)]
pub struct Update {
    pub catalog: Arc<Catalog>,
    /// To be sent as commands before the new objects are of use. All are of objects in the catalog; that of an object which was left
    /// out comes with the version that has it.
    pub limits: Vec<Limit>,
}

/// Reads the whole catalog once and then what changes. Asked by one thread, a few times a second.
#[derive(Debug)]
pub struct Follower {
    store: CatalogStore,
    current: Arc<Catalog>,
    /// What did not fit the last version: it is tried again with every next one.
    left_out: BTreeSet<ObjectRef>,
    /// Limits of objects that no version had yet.
    kept_back: Vec<Limit>,
    /// Objects that have changed since the base was made.
    since_base: usize,
    overlay_objects_max: usize,
    merging: Option<JoinHandle<Catalog>>,
}

impl Follower {
    /// Reads the catalog as it stands, without what does not fit it; the update holds every limit in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: CatalogStore, overlay_objects_max: usize) -> Result<(Self, Update), CatalogError> {
        let (current, left_out) = store.read_fitting()?;
        let (current, limits) = (Arc::new(current), store.limits()?);
        let kept_back = Vec::new();
        let mut follower =
            Self { store, current, left_out, kept_back, since_base: 0, overlay_objects_max, merging: None };
        let update = follower.update(limits);
        Ok((follower, update))
    }

    /// The newest version, where it is newer than the last one given, or the same on a new base.
    ///
    /// # Errors
    /// When the store cannot be read; the last version goes on serving, and the next call tries again.
    pub fn poll(&mut self) -> Result<Option<Update>, CatalogError> {
        let merged = self.take_merged();
        let (at, seen) = (self.store.version()?, self.current.version());
        let update = if at.timeline != seen.timeline {
            Some(self.begin_again()?)
        } else if merged.is_some() || at != seen {
            Some(self.catch_up(merged.as_ref())?)
        } else {
            None
        };
        self.start_merge();
        Ok(update)
    }

    #[must_use]
    pub fn current(&self) -> &Arc<Catalog> {
        &self.current
    }

    /// Of another history of the database no change that was seen may be left, and its numbers may stand for others.
    fn begin_again(&mut self) -> Result<Update, CatalogError> {
        tracing::warn!("the database is in another timeline: the catalog is read again");
        let (current, left_out) = self.store.read_fitting()?;
        let limits = self.store.limits()?;
        (self.current, self.left_out) = (Arc::new(current), left_out);
        (self.merging, self.since_base) = (None, 0);
        self.kept_back.clear();
        Ok(self.update(limits))
    }

    /// Applies what the store has beyond the merged or else the current version.
    fn catch_up(&mut self, merged: Option<&Catalog>) -> Result<Update, CatalogError> {
        let seen = self.current.version();
        let since_base = if merged.is_some() { 0 } else { self.since_base };
        let base = merged.unwrap_or(&self.current);
        let changes = self.store.changes_since(base.version().sequence)?;
        self.since_base = since_base + changes.objects.len();
        let (mut objects, mut again) = (changes.objects, self.left_out.clone());
        again.retain(|left_out| !objects.iter().any(|object| object.reference() == *left_out));
        objects.extend(self.store.current(&again)?);
        let (current, left_out) = taking(base, changes.version, objects, &self.left_out)?;
        (self.current, self.left_out) = (Arc::new(current), left_out);
        // A merged base lies behind: limits that came since then were given before.
        let limits = changes.limits.into_iter().filter(|limit| limit.sequence > seen.sequence).collect();
        Ok(self.update(limits))
    }

    /// The current version with those of these limits, and of what was kept back, that can be set now.
    fn update(&mut self, limits: Vec<Limit>) -> Update {
        let of = |limit: &Limit| (limit.object, limit.field);
        self.kept_back.retain(|kept| !limits.iter().any(|limit| of(limit) == of(kept)));
        let all = self.kept_back.drain(..).chain(limits);
        let (limits, kept_back) = all.partition(|limit| has(&self.current, limit.object));
        self.kept_back = kept_back;
        Update { catalog: Arc::clone(&self.current), limits }
    }

    fn take_merged(&mut self) -> Option<Catalog> {
        let merging = self.merging.take_if(|merging| merging.is_finished())?;
        Some(merging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }

    fn start_merge(&mut self) {
        let full = self.since_base > self.overlay_objects_max || self.current.wants_merge();
        if full && self.since_base > 0 && self.merging.is_none() {
            let current = Arc::clone(&self.current);
            self.merging = Some(std::thread::spawn(move || current.merged(AdOrder::ByLineItem)));
        }
    }
}

/// Whether the object is in the catalog; of those that have limits.
fn has(catalog: &Catalog, object: ObjectRef) -> bool {
    match object.kind {
        ObjectKind::Advertiser => catalog.advertiser_by_id(AdvertiserId(object.id)).is_some(),
        ObjectKind::Campaign => catalog.campaign_by_id(CampaignId(object.id)).is_some(),
        ObjectKind::LineItem => catalog.line_item_by_id(LineItemId(object.id)).is_some(),
        ObjectKind::Tenant | ObjectKind::Creative | ObjectKind::Ad | ObjectKind::Placement | ObjectKind::Segment => {
            false
        }
    }
}

/// The next version with every object that fits. What is in the store was validated when it was written; should one not fit all the
/// same, it keeps its former self, and no other waits for it. Also what was left out, said once of each.
fn taking(
    base: &Catalog,
    version: CatalogVersion,
    mut objects: Vec<Object>,
    known: &BTreeSet<ObjectRef>,
) -> Result<(Catalog, BTreeSet<ObjectRef>), CatalogError> {
    let mut left_out = BTreeSet::new();
    loop {
        let problems = match base.with_changes(version, objects.iter().cloned()) {
            Ok(next) => return Ok((next, left_out)),
            Err(problems) => problems,
        };
        let misfits: BTreeSet<_> = problems.iter().map(|problem| problem.object).collect();
        let before = objects.len();
        objects.retain(|object| !misfits.contains(&object.reference()));
        if objects.len() == before {
            return Err(inconsistent(&problems));
        }
        let news = problems.iter().filter(|problem| !known.contains(&problem.object));
        news.for_each(|problem| tracing::error!("left out of the served catalog: {problem}"));
        left_out.extend(misfits);
    }
}

#[cfg(test)]
mod tests {
    use litfass_catalog::model::{Advertiser, Campaign, Flight, Status, Tenant};
    use litfass_types::{TenantId, Timestamp};

    use super::*;

    #[test]
    fn a_base_that_lags_behind_brings_no_limit_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("litfass.db");
        let mut loader = CatalogStore::open(&path).unwrap();
        let file = |name: &str, limit: i64| {
            let advertiser = serde_json::json!({"id": 1, "tenant": 1, "name": name, "credit_limit_micros": limit});
            serde_json::to_vec(&serde_json::json!({"tenants": [{"id": 1, "name": "t"}], "advertisers": [advertiser]}))
                .unwrap()
        };
        loader.load_bytes(&file("old", 1), Timestamp(0)).unwrap();
        let (mut follower, first) = Follower::open(CatalogStore::open(&path).unwrap(), 10).unwrap();
        loader.load_bytes(&file("new", 2), Timestamp(0)).unwrap();
        assert_eq!(follower.catch_up(None).unwrap().limits.len(), 1);
        let rebased = follower.catch_up(Some(&first.catalog)).unwrap();
        assert_eq!((rebased.limits, rebased.catalog.version()), (Vec::new(), loader.version().unwrap()));
        let name = rebased.catalog.live_advertisers().map(|row| rebased.catalog.advertiser(row).name.to_owned());
        assert_eq!(name.collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn an_object_that_does_not_fit_keeps_no_other_from_being_served() {
        let advertiser = |id: u64, tenant: u64, name: &str| {
            let (id, tenant) = (AdvertiserId(id), TenantId(tenant));
            let (name, status, time_zone) = (name.to_owned(), Status::Active, "UTC".to_owned());
            Object::Advertiser(Advertiser { id, tenant, name, status, time_zone, caps: Vec::new() })
        };
        let tenant = Object::Tenant(Tenant { id: TenantId(1), name: "t".to_owned() });
        let version = |sequence| CatalogVersion { timeline: 1, sequence };
        let base = Catalog::build(version(1), [tenant, advertiser(1, 1, "old")]).unwrap();
        let campaign = Campaign {
            id: CampaignId(5),
            advertiser: AdvertiserId(9),
            name: "beneath it".to_owned(),
            status: Status::Active,
            flight: Flight::default(),
            caps: Vec::new(),
        };
        let changes = vec![advertiser(1, 1, "new"), advertiser(9, 77, "nobody's"), Object::Campaign(campaign)];
        let (next, left_out) = taking(&base, version(4), changes, &BTreeSet::new()).unwrap();
        let names = next.live_advertisers().map(|row| next.advertiser(row).name.to_owned());
        assert_eq!((names.collect::<Vec<_>>(), next.version().sequence), (vec!["new".to_owned()], 4));
        assert_eq!((next.campaign_by_id(CampaignId(5)), left_out.len()), (None, 2));
    }
}
