//! What a process does, where several share one data directory: each has a name, and one role or more.
//!
//! Every process folds the whole log and follows the catalog, so any of them can look things up. `decide` answers requests
//! against budget that it leases; `events` takes what comes back and bills it; `admin` is the one process that changes the
//! catalog, takes commands of money and shows the pages. One process with all three is the whole platform.

use std::collections::BTreeSet;

use crate::metrics::label::Route;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ProcessRole {
    Decide,
    Events,
    Admin,
}

impl ProcessRole {
    pub const ALL: [Self; 3] = [Self::Decide, Self::Events, Self::Admin];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Events => "events",
            Self::Admin => "admin",
        }
    }

    /// Who answers there; `None`: any process.
    #[must_use]
    pub const fn answering(route: Route) -> Option<Self> {
        match route {
            Route::Decisions | Route::RankAds => Some(Self::Decide),
            Route::Events | Route::Users | Route::Tracking => Some(Self::Events),
            Route::Keys
            | Route::Audit
            | Route::Accounts
            | Route::Reports
            | Route::Catalog
            | Route::Live
            | Route::Page
            | Route::OperatorPage => Some(Self::Admin),
            Route::Session
            | Route::Explanation
            | Route::DecisionPage
            | Route::Health
            | Route::Metrics
            | Route::Other => None,
        }
    }
}

/// At least one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProcessRoles(BTreeSet<ProcessRole>);

impl ProcessRoles {
    #[must_use]
    pub fn include(&self, role: ProcessRole) -> bool {
        self.0.contains(&role)
    }

    /// From names separated by commas; `None` where one is unknown or there is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let role = |name: &str| ProcessRole::ALL.into_iter().find(|role| role.name() == name.trim());
        let roles = text.split(',').map(role).collect::<Option<BTreeSet<_>>>()?;
        (!roles.is_empty()).then_some(Self(roles))
    }

    /// As `parse` reads it.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
    }
}

/// A process's name among those that share a data directory: 1 to 32 of a-z, 0-9 and _.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProcessName(String);

impl ProcessName {
    /// `None` where it is no name, or that of the log's partition of commands.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        let sound = letters && (1..=32).contains(&text.len()) && text != crate::desk::ADMIN;
        sound.then(|| Self(text.to_owned()))
    }
}

impl std::ops::Deref for ProcessName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{ProcessName, ProcessRoles};

    #[test]
    fn roles_are_named_in_any_order_and_none_is_made_up() {
        assert_eq!(ProcessRoles::parse("events,decide").unwrap().text(), "decide, events");
        for bad in ["", "decide,", "decider", "decide events"] {
            assert_eq!(ProcessRoles::parse(bad), None, "{bad}");
        }
        for bad in ["", "admin", "Decide", "decide-1"] {
            assert_eq!(ProcessName::parse(bad), None, "{bad}");
        }
    }
}
