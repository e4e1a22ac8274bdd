//! Which exclusion groups the line items of each tenant name: counted where an edit is judged, in its own transaction, because a
//! tenant has few of them and a catalog with more could not be served.
//!
//! Part of the catalog's index: filled and brought up to date with it.

use std::collections::{BTreeMap, BTreeSet};

use litfass_catalog::limits::{EXCLUSION_GROUPS_PER_ADVERTISER_MAX, EXCLUSION_GROUPS_PER_TENANT_MAX};
use litfass_catalog::model::{LineItem, Object};
use litfass_catalog::{ObjectKind, ObjectRef, Problem};
use litfass_types::{AdvertiserId, TenantId};
use rusqlite::OptionalExtension;

use super::CatalogError;
use super::index;
use super::owner::Owner;
use crate::database::sql::{Transaction, bind};

const SCHEMA: &str = "
CREATE TABLE catalog_groups (
    line_item  INTEGER NOT NULL,
    name       TEXT NOT NULL,
    tenant     INTEGER NOT NULL,
    advertiser INTEGER NOT NULL,
    PRIMARY KEY (line_item, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX catalog_groups_tenants ON catalog_groups (tenant, advertiser, name);
UPDATE catalog_indexed SET sequence = 0;
";

/// Makes the table in a file where there is none; the index is then made again from its beginning, which fills it.
pub(super) fn create(transaction: &rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
    let there = transaction
        .query_row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'catalog_groups'", [], |_| Ok(()))
        .optional()?;
    if there.is_none() {
        transaction.execute_batch(SCHEMA)?;
    }
    Ok(())
}

/// The groups of a line item as it is now.
pub(super) fn put(tx: &Transaction<'_>, object: &Object, owner: Owner) -> Result<(), CatalogError> {
    let (Object::LineItem(line_item), Some(advertiser)) = (object, owner.advertiser) else { return Ok(()) };
    tx.execute("DELETE FROM catalog_groups WHERE line_item = ?1", bind![line_item.id.0])?;
    for name in &line_item.exclusions {
        let row = bind![line_item.id.0, name, owner.tenant.0, advertiser.0];
        tx.execute("INSERT INTO catalog_groups VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING", row)?;
    }
    Ok(())
}

/// Refuses line items that bring a group for which their tenant or advertiser has no room. What an object of the edit no longer
/// names is free for the next edit.
pub(super) fn claim(
    tx: &Transaction<'_>,
    objects: &[&Object],
    refused: &mut BTreeMap<ObjectRef, Problem>,
) -> Result<(), CatalogError> {
    let mut tenants: BTreeMap<TenantId, Named> = BTreeMap::new();
    for object in objects {
        let Object::LineItem(line_item) = object else { continue };
        let campaign = ObjectRef { kind: ObjectKind::Campaign, id: line_item.campaign.0 };
        // Without a campaign it is refused for that.
        let owner = index::find(tx, campaign)?.map(|found| found.owner);
        let Some((tenant, advertiser)) = owner.and_then(|owner| Some((owner.tenant, owner.advertiser?))) else {
            continue;
        };
        if !tenants.contains_key(&tenant) && !line_item.exclusions.is_empty() {
            tenants.insert(tenant, Named::of(tx, tenant)?);
        }
        let Some(named) = tenants.get_mut(&tenant) else { continue };
        if let Err((field, message)) = named.take(advertiser, line_item) {
            refused.insert(object.reference(), Problem { object: object.reference(), field, message });
        }
    }
    Ok(())
}

/// What the line items of one tenant name.
#[derive(Default)]
struct Named {
    all: BTreeSet<String>,
    by_advertiser: BTreeMap<AdvertiserId, BTreeSet<String>>,
}

impl Named {
    fn of(tx: &Transaction<'_>, tenant: TenantId) -> Result<Self, CatalogError> {
        let mut named = Self::default();
        tx.each("SELECT DISTINCT advertiser, name FROM catalog_groups WHERE tenant = ?1", bind![tenant.0], |row| {
            named.add(AdvertiserId(row.unsigned(0)?), row.text(1)?);
            Ok::<_, CatalogError>(())
        })?;
        Ok(named)
    }

    fn add(&mut self, advertiser: AdvertiserId, name: String) {
        self.by_advertiser.entry(advertiser).or_default().insert(name.clone());
        self.all.insert(name);
    }

    /// All of the line item's groups or, with the field and why, none.
    fn take(&mut self, advertiser: AdvertiserId, line_item: &LineItem) -> Result<(), (String, String)> {
        let own = self.by_advertiser.entry(advertiser).or_default();
        let (mut in_tenant, mut in_advertiser) = (self.all.len(), own.len());
        for (i, name) in line_item.exclusions.iter().enumerate() {
            let (is_new, is_news_to_it) = (!self.all.contains(name), !own.contains(name));
            let refusal = |whose: &str, max: usize| {
                let message = format!("its {whose} has {max} exclusion groups already, {name:?} not among them");
                Err((format!("exclusion_groups[{i}]"), message))
            };
            in_tenant += usize::from(is_new);
            in_advertiser += usize::from(is_news_to_it);
            if is_new && in_tenant > EXCLUSION_GROUPS_PER_TENANT_MAX {
                return refusal("tenant", EXCLUSION_GROUPS_PER_TENANT_MAX);
            }
            if is_news_to_it && in_advertiser > EXCLUSION_GROUPS_PER_ADVERTISER_MAX {
                return refusal("advertiser", EXCLUSION_GROUPS_PER_ADVERTISER_MAX);
            }
        }
        line_item.exclusions.iter().for_each(|name| self.add(advertiser, name.clone()));
        Ok(())
    }
}
