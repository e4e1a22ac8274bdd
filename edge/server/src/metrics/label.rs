//! Closed label sets: a metric can only be counted under values that are written here or in the vocabulary crate.

use litfass_ledger::CatchUp;
use litfass_types::{Fate, Ineligible, Port, Traffic};

/// One label with all values it can have.
pub trait Label: Copy + PartialEq + 'static {
    const NAME: &'static str;
    const ALL: &'static [Self];
    fn value(self) -> &'static str;
}

/// No label, one, or a pair: which cell of a family.
pub trait Labels: Copy {
    /// Each label with all its values.
    fn axes() -> Vec<(&'static str, Vec<&'static str>)>;
    /// Row-major index over the axes; below the product of their lengths.
    fn index(self) -> usize;
}

impl Labels for () {
    fn axes() -> Vec<(&'static str, Vec<&'static str>)> {
        Vec::new()
    }

    fn index(self) -> usize {
        0
    }
}

impl<L: Label> Labels for L {
    fn axes() -> Vec<(&'static str, Vec<&'static str>)> {
        vec![(L::NAME, L::ALL.iter().map(|label| label.value()).collect())]
    }

    fn index(self) -> usize {
        position(self)
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    fn axes() -> Vec<(&'static str, Vec<&'static str>)> {
        [A::axes(), B::axes()].concat()
    }

    fn index(self) -> usize {
        position(self.0) * B::ALL.len() + position(self.1)
    }
}

/// Every value is in `ALL`: the enums below and the vocabulary's are made by macros that list each variant once.
fn position<L: Label>(value: L) -> usize {
    L::ALL.iter().position(|other| *other == value).unwrap_or(0)
}

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident $label:literal { $($variant:ident = $text:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($variant),* }
        impl Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$variant),*];
            fn value(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    )*};
}

labels! {
    DecisionResult "result" { Filled = "filled", Empty = "empty", NotRecorded = "not_recorded" }
    /// The five steps of a decision.
    Step "step" { Gather = "gather", Shortlist = "shortlist", Predict = "predict", Settle = "settle", Commit = "commit" }
    EventKind "kind" { Impression = "impression", Viewable = "viewable", Click = "click", Conversion = "conversion", View = "view" }
    EventResult "result" { Accepted = "accepted", Repeated = "repeated", Rejected = "rejected", Expired = "expired" }
    /// What became of a billable event in the ledger.
    BillingOutcome "outcome" { Billed = "billed", Repeated = "repeated", Expired = "expired", Pending = "pending", Unbilled = "unbilled" }
    HoldResult "result" { Granted = "granted", BudgetRefused = "budget_refused", CapRefused = "cap_refused" }
    LeaseStep "step" { Granted = "granted", Refused = "refused", Returned = "returned", Closed = "closed" }
    /// Who carries entries of the log on.
    LogReader "reader" { Folds = "folds", Billing = "billing" }
    /// What readiness looks at.
    Check "check" { Log = "log", Disk = "disk", Ledger = "ledger", Folds = "folds", Workers = "workers", Draining = "draining" }
    RunResult "result" { Published = "published", Refused = "refused", Failed = "failed" }
    Route "route" {
        Decisions = "/v1/decisions", RankAds = "/rank_ads", Events = "/v1/events", Keys = "/v1/keys", Audit = "/v1/audit", Users = "/v1/users", Session = "/login", Tracking = "/t", Accounts = "/v1/accounts", Reports = "/v1/reports", Explanation = "/v1/decisions/{id}",
        DecisionPage = "/decisions/{id}", Live = "/v1/live", Page = "/", OperatorPage = "/campaigns", Health = "/healthz", Catalog = "/v1/catalog", Metrics = "/metrics", Other = "other",
    }
    StatusClass "status" { Success = "2xx", Redirect = "3xx", Client = "4xx", Server = "5xx" }
}

impl StatusClass {
    /// Informational answers are counted as successes: the server sends none itself.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            0..300 => Self::Success,
            300..400 => Self::Redirect,
            400..500 => Self::Client,
            _ => Self::Server,
        }
    }
}

impl Label for Port {
    const NAME: &'static str = "port";
    const ALL: &'static [Self] = &Self::ALL;
    fn value(self) -> &'static str {
        self.name()
    }
}

impl Label for CatchUp {
    const NAME: &'static str = "waits_for";
    const ALL: &'static [Self] = &Self::ALL;
    fn value(self) -> &'static str {
        self.name()
    }
}

impl Label for Traffic {
    const NAME: &'static str = "class";
    const ALL: &'static [Self] = Self::ALL;
    fn value(self) -> &'static str {
        self.name()
    }
}

macro_rules! reason_labels {
    ($($type:ident $label:literal;)*) => {$(
        impl Label for $type {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = Self::ALL;
            fn value(self) -> &'static str {
                self.reason().code
            }
        }
    )*};
}

reason_labels! {
    Fate "fate";
    Ineligible "predicate";
}
