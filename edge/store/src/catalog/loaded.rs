//! What the audit log says of a file that was loaded: a row for the load as a whole, which names the file by its hash, and one for every
//! object that was there before and is different now. What is new has no row of its own: the first version of it is in the catalog.

use std::collections::BTreeSet;

use litfass_catalog::model::Object;
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_types::{TenantId, Timestamp};
use serde_json::{Value, json};

use super::CatalogError;
use super::load::parent;
use super::store::stored;
use super::view::view;
use crate::audit::{self, Entry};
use crate::database::sql::Transaction;

/// Who it is: files are loaded by whoever may write to the folder.
const WHO: &str = "command line";

/// Objects as they were before a load.
pub(super) struct Before(Vec<(ObjectRef, Option<Value>)>);

impl Before {
    pub(super) fn of(tx: &Transaction<'_>, objects: &BTreeSet<ObjectRef>) -> Result<Self, CatalogError> {
        objects.iter().map(|object| Ok((*object, shown(tx, *object)?))).collect::<Result<_, CatalogError>>().map(Self)
    }

    /// After the load, in its transaction.
    pub(super) fn write(self, tx: &Transaction<'_>, now: Timestamp, whole: Value) -> Result<(), CatalogError> {
        for (object, before) in self.0 {
            let (tenant, after) = (tenant_of(tx, object)?, shown(tx, object)?);
            let (kind, name) = (object.kind.name().to_owned(), object.id.to_string());
            audit::append(tx, &entry(now, "update", tenant, (kind, name), before, after))?;
        }
        let kind = ("catalog".to_owned(), String::new());
        Ok(audit::append(tx, &entry(now, "load", None, kind, None, Some(whole)))?)
    }
}

fn entry(
    time: Timestamp,
    action: &str,
    tenant: Option<TenantId>,
    (kind, object): (String, String),
    before: Option<Value>,
    after: Option<Value>,
) -> Entry {
    Entry { time, who: WHO.to_owned(), action: action.to_owned(), tenant, kind, object, before, after }
}

/// What the load as a whole was.
pub(super) fn whole(bytes: &[u8], inserted: u64, changed: u64, limits: usize, sequence: u64) -> Value {
    let file = blake3::hash(bytes).to_hex().to_string();
    json!({ "file_blake3": file, "new": inserted, "changed": changed, "limits": limits, "sequence": sequence })
}

fn shown(tx: &Transaction<'_>, object: ObjectRef) -> Result<Option<Value>, CatalogError> {
    Ok(view(tx, object)?.map(|view| Value::Object(view.members)))
}

fn tenant_of(tx: &Transaction<'_>, object: ObjectRef) -> Result<Option<TenantId>, CatalogError> {
    let mut at = Some(object);
    while let Some(object) = at.filter(|object| object.kind != ObjectKind::Tenant) {
        let found: Option<Object> = stored(tx, object)?.map(|stored| stored.object(object)).transpose()?;
        at = found.as_ref().and_then(parent);
    }
    Ok(at.map(|tenant| TenantId(tenant.id)))
}
