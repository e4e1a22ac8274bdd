//! Whose an object is, and whether a key's scope covers it. What lies outside does not exist for the caller, whichever field
//! names it.

use litfass_types::{AdvertiserId, TenantId};

use crate::keys::Scope;

/// A tenant is its own; placements are no advertiser's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Owner {
    pub(super) tenant: TenantId,
    pub(super) advertiser: Option<AdvertiserId>,
}

impl Scope {
    /// An advertiser's scope covers its own objects and what they refer to: its tenant and that tenant's placements.
    pub(super) fn covers(self, owner: Owner) -> bool {
        match self {
            Self::Platform => true,
            Self::Tenant(tenant) => owner.tenant == tenant,
            Self::Advertiser(tenant, advertiser) => {
                owner.tenant == tenant && owner.advertiser.is_none_or(|owner| owner == advertiser)
            }
        }
    }
}
