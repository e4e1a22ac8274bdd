//! `/v1/keys` on the wire.

use litfass_store::keys::{KeyRow, Role, Scope};
use litfass_types::{AdvertiserId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, one_of};
use crate::access::Wanted;

pub const NAME_MAX: usize = 128;
pub const RATE_MAX: u32 = 1_000_000;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct NewKeyAsk {
    pub role: String,
    pub tenant: Option<u64>,
    pub advertiser: Option<u64>,
    #[serde(default)]
    pub name: String,
    /// UTC milliseconds.
    pub expires: Option<i64>,
    /// Requests a second.
    pub rate: Option<u32>,
}

#[derive(Serialize, Debug)]
pub struct KeyAnswer {
    pub id: u64,
    pub role: &'static str,
    pub tenant: Option<u64>,
    pub advertiser: Option<u64>,
    pub name: String,
    pub created: i64,
    pub expires: Option<i64>,
    pub revoked: Option<i64>,
    pub rate: Option<u32>,
    /// Only in the answer to its making.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

#[derive(Serialize, Debug)]
pub struct KeyList {
    pub keys: Vec<KeyAnswer>,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
}

impl NewKeyAsk {
    /// # Errors
    /// Names the first field outside its limits.
    pub fn check(self, now: Timestamp) -> Result<Wanted, Invalid> {
        let role = one_of("role", Some(&self.role), Role::parse, Role::ALL.iter().map(|role| role.name()))?;
        let role = role.ok_or_else(|| Invalid::new("role", "must be given"))?;
        if self.name.len() > NAME_MAX {
            return Err(Invalid::new("name", format!("must be at most {NAME_MAX} bytes long")));
        }
        if self.expires.is_some_and(|at| at <= now.0) {
            return Err(Invalid::new("expires", "is UTC milliseconds, in the future"));
        }
        if self.rate.is_some_and(|rate| !(1..=RATE_MAX).contains(&rate)) {
            return Err(Invalid::new("rate", format!("must be 1 to {RATE_MAX} requests a second")));
        }
        let wanted = Wanted {
            role,
            scope: scope(self.tenant, self.advertiser)?,
            name: self.name,
            expires: self.expires.map(Timestamp),
            rate: self.rate,
        };
        wanted.check().map_err(|why| Invalid::new("role", why))?;
        Ok(wanted)
    }
}

/// # Errors
/// When an advertiser is named without its tenant.
pub fn scope(tenant: Option<u64>, advertiser: Option<u64>) -> Result<Scope, Invalid> {
    match (tenant.map(TenantId), advertiser.map(AdvertiserId)) {
        (Some(tenant), Some(advertiser)) => Ok(Scope::Advertiser(tenant, advertiser)),
        (Some(tenant), None) => Ok(Scope::Tenant(tenant)),
        (None, None) => Ok(Scope::Platform),
        (None, Some(_)) => Err(Invalid::new("tenant", "must be given with an advertiser")),
    }
}

impl KeyAnswer {
    #[must_use]
    pub fn of(row: &KeyRow) -> Self {
        Self {
            id: row.id.0,
            role: row.role.name(),
            tenant: row.scope.tenant().map(|id| id.0),
            advertiser: row.scope.advertiser().map(|id| id.0),
            name: row.name.clone(),
            created: row.created.0,
            expires: row.expires.map(|at| at.0),
            revoked: row.revoked.map(|at| at.0),
            rate: row.rate,
            key: None,
        }
    }
}
