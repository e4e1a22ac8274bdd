//! `GET /v1/audit` on the wire.

use litfass_store::audit::{Filter, Written};
use litfass_types::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::invalid::Invalid;
use super::number;
use crate::access::Caller;
use crate::problem::{Code, Problem};

const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1_000;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AuditAsk {
    #[serde(default, deserialize_with = "number::may_be_given")]
    pub tenant: Option<u64>,
    pub who: Option<String>,
    pub action: Option<String>,
    pub kind: Option<String>,
    pub object: Option<String>,
    /// UTC milliseconds: from this time on, and until just before that one.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// `next` of the page before.
    pub cursor: Option<u64>,
    pub limit: Option<u32>,
}

#[derive(Serialize, Debug)]
pub struct AuditEntry {
    pub id: u64,
    pub time: i64,
    pub who: String,
    pub action: String,
    pub tenant: Option<u64>,
    pub kind: String,
    pub object: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

#[derive(Serialize, Debug)]
pub struct AuditList {
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
}

impl AuditAsk {
    /// # Errors
    /// When it is outside its bounds.
    pub fn limit(&self) -> Result<u32, Invalid> {
        let limit = self.limit.unwrap_or(PAGE);
        if (1..=PAGE_MAX).contains(&limit) {
            Ok(limit)
        } else {
            Err(Invalid::new("limit", format!("must be 1 to {PAGE_MAX}")))
        }
    }

    /// What is asked for, within the caller's scope.
    ///
    /// # Errors
    /// 404 for a tenant outside the scope.
    pub fn filter(self, caller: &Caller) -> Result<Filter, Problem> {
        let asked = self.tenant.map(TenantId);
        if let Some(tenant) = asked.filter(|tenant| !caller.reaches(*tenant)) {
            return Err(Problem::new(Code::UnknownTenant, format!("there is no tenant {tenant}")).at("tenant"));
        }
        Ok(Filter {
            tenant: asked.or_else(|| caller.scope.tenant()),
            who: self.who,
            action: self.action,
            kind: self.kind,
            object: self.object,
            from: self.from.map(Timestamp),
            to: self.to.map(Timestamp),
            below: self.cursor,
        })
    }
}

impl AuditEntry {
    #[must_use]
    pub fn of(row: Written) -> Self {
        let Written { id, entry } = row;
        Self {
            id,
            time: entry.time.0,
            who: entry.who,
            action: entry.action,
            tenant: entry.tenant.map(|tenant| tenant.0),
            kind: entry.kind,
            object: entry.object,
            before: entry.before,
            after: entry.after,
        }
    }
}
