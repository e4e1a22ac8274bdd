//! From objects to a catalog, object by object, so that no more than the catalog itself need be in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use litfass_types::{CatalogVersion, PlacementId, hash_pair};

use crate::catalog::{Catalog, Dead, Layout};
use crate::draft::Draft;
use crate::limits::OBJECTS_MAX;
use crate::link::link;
use crate::model::{Object, Placement};
use crate::orders::AdOrder;
use crate::problem::{ObjectKind, ObjectRef, Problem, Problems};
use crate::segment::Segment;
use crate::surroundings::Surroundings;
use crate::validate;

/// Takes the objects of one catalog, in any order, each once.
#[derive(Debug, Default)]
pub struct Builder {
    draft: Draft,
    around: Surroundings,
    problems: Problems,
    objects: usize,
}

impl Builder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For a segment on top of what `around` has already; `problems` are known already.
    pub(crate) fn within(around: Surroundings, problems: Problems) -> Self {
        Self { around, problems, ..Self::default() }
    }

    /// Takes one object. What is wrong with it is reported by `finish`.
    pub fn push(&mut self, object: Object) {
        validate::check(&object, &mut self.problems);
        let reference = object.reference();
        let twice = match &object {
            Object::Tenant(o) => self.around.tenants.contains_key(&o.id),
            Object::Placement(o) => self.around.placements.contains_key(&o.id),
            Object::Segment(o) => self.around.segments.contains_key(&o.id),
            // Rows of the other kinds are compared when they are sorted.
            Object::Advertiser(_) | Object::Campaign(_) | Object::LineItem(_) | Object::Creative(_) | Object::Ad(_) => {
                false
            }
        };
        if twice {
            self.problems.add(reference, "id", "is given twice");
        }
        self.replace(object);
    }

    /// Takes one object that is valid by itself or already complained of; a tenant or placement replaces its predecessor.
    pub(crate) fn replace(&mut self, object: Object) {
        self.objects += 1;
        if self.objects > OBJECTS_MAX {
            let message = format!("the catalog has more than {OBJECTS_MAX} objects");
            return self.problems.add(object.reference(), "id", message);
        }
        self.draft.push(object, &mut self.around, &mut self.problems);
    }

    /// # Errors
    /// Every problem that was found, the first [`crate::limits::PROBLEMS_MAX`] of them; then there is no catalog.
    pub fn finish(self, version: CatalogVersion, order: AdOrder<'_>) -> Result<Catalog, Vec<Problem>> {
        let (base, around) = self.segment(&Segment::default(), order)?;
        let overlay =
            link(Draft::default(), &base, &mut Surroundings::default(), AdOrder::ByLineItem, &mut Problems::default());
        Ok(Catalog::assemble(version, Arc::new(base), overlay, Dead::default(), Arc::new(around)))
    }

    /// The segment that stands on `base`, and what is around both.
    pub(crate) fn segment(
        mut self,
        base: &Segment,
        order: AdOrder<'_>,
    ) -> Result<(Segment, Surroundings), Vec<Problem>> {
        check_placements(&mut self.around, &mut self.problems);
        check_segments(&self.around, &mut self.problems);
        let segment = link(self.draft, base, &mut self.around, order, &mut self.problems);
        check_blocked(&self.around, base, &segment, &mut self.problems);
        if self.problems.is_empty() { Ok((segment, self.around)) } else { Err(self.problems.into_vec()) }
    }
}

impl Catalog {
    /// A catalog of these objects, all in its base.
    ///
    /// # Errors
    /// As [`Builder::finish`].
    pub fn build(version: CatalogVersion, objects: impl IntoIterator<Item = Object>) -> Result<Self, Vec<Problem>> {
        let mut builder = Builder::new();
        objects.into_iter().for_each(|object| builder.push(object));
        builder.finish(version, AdOrder::ByLineItem)
    }

    pub(crate) fn assemble(
        version: CatalogVersion,
        base: Arc<Segment>,
        overlay: Segment,
        dead: Dead,
        around: Arc<Surroundings>,
    ) -> Self {
        let layout = Layout(hash_pair(base.fingerprint, overlay.fingerprint));
        Self { version, base, overlay: Arc::new(overlay), dead: Arc::new(dead), around, layout }
    }
}

fn reference(placement: &Placement) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Placement, id: placement.id.0 }
}

/// Placements belong to a tenant, and no two to one page type.
fn check_placements(around: &mut Surroundings, problems: &mut Problems) {
    around.page_types.clear();
    for placement in around.placements.values() {
        if !around.tenants.contains_key(&placement.tenant) {
            problems.add(reference(placement), "tenant", format!("there is no tenant {}", placement.tenant));
        }
        let Some(page_type) = &placement.page_type else { continue };
        if let Some(PlacementId(other)) = around.page_types.insert(page_type.clone(), placement.id) {
            problems.add(reference(placement), "page_type", format!("placement {other} has {page_type:?} already"));
        }
    }
}

/// Segments belong to a tenant, and no two of one tenant have the same name.
fn check_segments(around: &Surroundings, problems: &mut Problems) {
    let mut names = BTreeMap::new();
    for segment in around.segments.values() {
        let reference = ObjectRef { kind: ObjectKind::Segment, id: segment.id.0 };
        if !around.tenants.contains_key(&segment.tenant) {
            problems.add(reference, "tenant", format!("there is no tenant {}", segment.tenant));
        }
        if let Some(other) = names.insert((segment.tenant, &segment.name), segment.id) {
            problems.add(reference, "name", format!("segment {other} is called {:?} already", segment.name));
        }
    }
}

/// Blocked advertisers are the placement's tenant's.
fn check_blocked(around: &Surroundings, base: &Segment, segment: &Segment, problems: &mut Problems) {
    for placement in around.placements.values() {
        for (i, id) in placement.blocked_advertisers.iter().enumerate() {
            let own = segment.advertiser(*id).map(|row| segment.advertisers[row as usize].tenant);
            let tenant = own.or_else(|| base.advertiser(*id).map(|row| base.advertisers[row as usize].tenant));
            if tenant != Some(placement.tenant) {
                let message = format!("there is no advertiser {id} of its tenant");
                problems.add(reference(placement), format!("blocked_advertisers[{i}]"), message);
            }
        }
    }
}
