//! The few things of a catalog that are kept whole instead of in segments of rows: tenants, placements, segments of viewers, time zones and the names
//! of exclusion groups. They are copied when one of them changes.

use std::collections::BTreeMap;

use litfass_types::{PlacementId, SegmentId, TenantId, TimeZones};

use crate::limits::EXCLUSION_GROUPS_PER_TENANT_MAX;
use crate::model::{Placement, Segment, Tenant};

#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) tenants: BTreeMap<TenantId, Tenant>,
    pub(crate) placements: BTreeMap<PlacementId, Placement>,
    pub(crate) segments: BTreeMap<SegmentId, Segment>,
    pub(crate) page_types: BTreeMap<String, PlacementId>,
    pub(crate) zones: TimeZones,
    pub(crate) groups: ExclusionGroups,
}

/// The bit of each exclusion group among its tenant's; a bit without a name is free.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExclusionGroups(BTreeMap<TenantId, Vec<Option<String>>>);

impl ExclusionGroups {
    /// `None` where the tenant has no bit left.
    pub(crate) fn intern(&mut self, tenant: TenantId, name: &str) -> Option<u64> {
        let names = self.0.entry(tenant).or_default();
        if let Some(bit) = names.iter().position(|known| known.as_deref() == Some(name)) {
            return Some(1 << bit);
        }
        if let Some(bit) = names.iter().position(Option::is_none) {
            names[bit] = Some(name.to_owned());
            return Some(1 << bit);
        }
        if names.len() == EXCLUSION_GROUPS_PER_TENANT_MAX {
            return None;
        }
        names.push(Some(name.to_owned()));
        Some(1 << (names.len() - 1))
    }

    /// Tenants with no bit left.
    pub(crate) fn full(&self) -> impl Iterator<Item = TenantId> {
        let is_full = |names: &Vec<Option<String>>| {
            names.len() == EXCLUSION_GROUPS_PER_TENANT_MAX && names.iter().all(Option::is_some)
        };
        self.0.iter().filter(move |(_, names)| is_full(names)).map(|(tenant, _)| *tenant)
    }

    /// Frees every bit of the tenant that is not in the mask.
    pub(crate) fn keep(&mut self, tenant: TenantId, mask: u64) {
        for (bit, name) in self.0.entry(tenant).or_default().iter_mut().enumerate() {
            *name = name.take().filter(|_| mask & (1 << bit) != 0);
        }
    }

    pub(crate) fn names(&self, tenant: TenantId, mask: u64) -> impl Iterator<Item = &str> {
        let names = self.0.get(&tenant).map_or(&[][..], Vec::as_slice);
        crate::bitset::ones(mask).filter_map(|bit| names.get(bit as usize)?.as_deref())
    }
}
