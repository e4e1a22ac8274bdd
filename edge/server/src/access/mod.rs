//! Who calls, and what they may do.
//!
//! Invariants: every address but the public ones (`middleware::PUBLIC`) is refused without a valid key, before its handler
//! runs; a role's rights are one table, `Action`; an object outside the caller's scope is answered exactly as one that does not
//! exist. While no key was ever made, a server on a loopback address is open: whoever reaches it is the platform's admin.

pub mod cookie;
mod keys;
pub(crate) mod middleware;
pub mod rate;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use litfass_types::{AdvertiserId, TenantId};

pub use keys::{Keys, Made, Shown, Wanted, make};
pub use litfass_store::keys::{KeyId, Role, Scope};

use crate::problem::{Code, Problem};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $words:literal, [$($role:ident),*];)*) => {
        /// What can be asked of the server, and by which roles.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Action { $($(#[$doc])* $name),* }
        impl Action {
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// In words that follow "may".
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words),* }
            }
            #[must_use]
            pub const fn roles(self) -> &'static [Role] {
                match self { $(Self::$name => &[$(Role::$role),*]),* }
            }
        }
    };
}

actions! {
    Decide = "ask for decisions", [Admin, Serving];
    ReportEvents = "report events", [Admin, Serving];
    Explain = "read explanations", [Admin, Advertiser, Reporting];
    ReadCatalog = "read the catalog", [Admin, Advertiser, Reporting];
    /// Campaigns and what is below them.
    WriteCampaigns = "change campaigns", [Admin, Advertiser];
    /// Tenants, advertisers, placements, segments, reviews.
    WriteInventory = "change advertisers and placements", [Admin];
    ReadMoney = "read accounts", [Admin, Advertiser, Reporting];
    MoveMoney = "move money", [Admin];
    Report = "read reports", [Admin, Advertiser, Reporting];
    /// The live page, metrics, system health: figures of all tenants together, so of the platform only.
    Operate = "look at the system", [Admin, Reporting];
    ManageKeys = "manage keys", [Admin];
    ReadAudit = "read the audit log", [Admin];
    /// Also opting one out: a key that a site's front end holds could silence anybody.
    EraseUser = "erase a user", [Admin];
    /// A key of machines opens no session.
    LogIn = "log in", [Admin, Advertiser, Reporting];
}

/// Who sent a request, as the middleware found out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// None where the server is open.
    pub key: Option<KeyId>,
    pub role: Role,
    pub scope: Scope,
    /// What a form has to send along; only where a session's cookie says who it is.
    pub csrf: Option<String>,
}

impl Caller {
    /// Whoever reaches an open server.
    pub const OPEN: Self = Self { key: None, role: Role::Admin, scope: Scope::Platform, csrf: None };

    /// For the audit log.
    #[must_use]
    pub fn who(&self) -> String {
        self.key.map_or_else(|| "open".to_owned(), |key| format!("key {key}"))
    }

    /// Whether a change comes from a page of this session. The token is a secret, so it is compared as a hash.
    #[must_use]
    pub fn sent_form(&self, token: &str) -> bool {
        self.csrf.as_ref().is_some_and(|own| blake3::hash(own.as_bytes()) == blake3::hash(token.as_bytes()))
    }

    /// # Errors
    /// 403 where the role has no such right.
    pub fn may(&self, action: Action) -> Result<(), Problem> {
        let roles = action.roles();
        if roles.contains(&self.role) {
            return Ok(());
        }
        let wanted = roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" or ");
        let (role, words) = (self.role.name(), action.words());
        Err(Problem::new(Code::Forbidden, format!("a key with the role {role} may not {words}: that takes {wanted}")))
    }

    /// What concerns all tenants.
    ///
    /// # Errors
    /// 403 where the scope is narrower than the platform.
    pub fn platform(&self) -> Result<(), Problem> {
        if self.scope == Scope::Platform {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden, "this concerns all tenants: it takes a key of the platform"))
    }

    /// Whether what belongs to the tenant as a whole is within the scope.
    #[must_use]
    pub fn reaches(&self, tenant: TenantId) -> bool {
        match self.scope {
            Scope::Platform => true,
            Scope::Tenant(own) => own == tenant,
            Scope::Advertiser(..) => false,
        }
    }

    /// Whether that advertiser's own objects are within the scope.
    #[must_use]
    pub fn reaches_advertiser(&self, tenant: TenantId, advertiser: AdvertiserId) -> bool {
        match self.scope {
            Scope::Platform => true,
            Scope::Tenant(own) => own == tenant,
            Scope::Advertiser(home, own) => (home, own) == (tenant, advertiser),
        }
    }

    /// # Errors
    /// 404 where the tenant's objects are outside the scope.
    pub fn tenant(&self, tenant: TenantId) -> Result<(), Problem> {
        if self.reaches(tenant) { Ok(()) } else { Err(absent()) }
    }

    /// # Errors
    /// 404 where the advertiser's objects are outside the scope.
    pub fn advertiser(&self, tenant: TenantId, advertiser: AdvertiserId) -> Result<(), Problem> {
        if self.reaches_advertiser(tenant, advertiser) { Ok(()) } else { Err(absent()) }
    }
}

/// One answer for what is not there and for what is somebody else's.
pub(crate) fn absent() -> Problem {
    Problem::new(Code::NotFound, "there is no such object within this key's scope")
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// The middleware has put it there; a public address has none to give.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Problem::new(Code::Unauthenticated, "this address takes an API key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role, scope: Scope) -> Caller {
        Caller { key: Some(KeyId(1)), role, scope, csrf: None }
    }

    #[test]
    fn a_scope_reaches_its_own_objects_and_no_others() {
        let (one, two, own, other) = (TenantId(1), TenantId(2), AdvertiserId(10), AdvertiserId(11));
        let platform = caller(Role::Admin, Scope::Platform);
        let tenant = caller(Role::Admin, Scope::Tenant(one));
        let advertiser = caller(Role::Advertiser, Scope::Advertiser(one, own));
        assert!(platform.reaches(two) && platform.reaches_advertiser(two, other) && platform.platform().is_ok());
        assert!(tenant.reaches(one) && tenant.reaches_advertiser(one, other) && tenant.platform().is_err());
        assert!(!tenant.reaches(two) && !tenant.reaches_advertiser(two, own));
        assert!(advertiser.reaches_advertiser(one, own) && advertiser.platform().is_err());
        assert!(!advertiser.reaches(one) && !advertiser.reaches_advertiser(one, other));
        assert!(!advertiser.reaches_advertiser(two, own), "an id alone does not make it the same advertiser");
    }

    #[test]
    fn only_an_admin_may_do_everything() {
        for action in Action::ALL {
            assert!(caller(Role::Admin, Scope::Platform).may(*action).is_ok(), "{action:?}");
        }
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Admin) {
            let refused = caller(role, Scope::Platform).may(Action::MoveMoney).unwrap_err();
            assert_eq!(refused.code(), Code::Forbidden);
            assert!(refused.detail().contains(role.name()) && refused.detail().contains("admin"), "{refused:?}");
        }
        assert!(caller(Role::Serving, Scope::Platform).may(Action::Explain).is_err());
        assert!(caller(Role::Reporting, Scope::Platform).may(Action::Decide).is_err());
    }
}
