//! What the operator's pages show, as plain structs. Units stand in the names, as in `view`.

use super::numbers::micros;
use crate::api::reports::{ecpm_micros, ratio};

/// `GET /campaigns`.
#[derive(Clone, Debug, Default)]
pub struct CampaignsView {
    /// What the list is narrowed to.
    pub name: String,
    pub status: String,
    pub advertiser: Option<u64>,
    pub rows: Vec<CampaignRow>,
    /// Whether it is not the first page.
    pub continued: bool,
    pub next_after: Option<u64>,
    pub complete_until: Option<String>,
}

#[derive(Clone, Debug)]
pub struct CampaignRow {
    pub id: u64,
    pub name: String,
    pub advertiser_id: u64,
    pub advertiser: String,
    pub stand: Stand,
    pub spent_today_micros: i64,
    pub budget: Budget,
    pub today: Figures,
}

/// The budget of a campaign that binds first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Budget {
    None,
    Day { micros: i64 },
    Lifetime { micros: i64, spent_micros: i64 },
}

/// Sums of one row of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    pub impressions: u64,
    pub clicks: u64,
    pub spent_nanos: i128,
}

/// How something of the catalog stands: the first that holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stand {
    Archived,
    Paused,
    /// What it belongs to is not active.
    PausedAbove,
    /// Not in the catalog that is served yet.
    Unserved,
    OutsideFlight,
    Exhausted,
    /// Of a line item: no level above it has money for one more.
    Unfunded,
    /// Pacing lets it rest for now.
    HeldBack,
    Active,
}

/// `GET /campaigns/ID`.
#[derive(Clone, Debug)]
pub struct CampaignPage {
    pub row: CampaignRow,
    pub time_zone: String,
    pub day: String,
    /// Whether who looks may change it.
    pub changeable: bool,
    pub csrf: Option<String>,
    /// What tokens that are out may still bill.
    pub outstanding_micros: i64,
    pub curve: Curve,
    pub line_items: Vec<LineItemView>,
    /// Line items beyond those shown.
    pub next_after: Option<u64>,
    pub complete_until: Option<String>,
}

/// A day's spend against its plan.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    /// From the first hour of the day on; the last one may be unfinished.
    pub hours: Vec<HourView>,
    /// Every hour of the day, as clocks show where it begins.
    pub names: Vec<String>,
    /// At the end of each hour of the whole day, from its start on; none where nothing has to last for a time.
    pub plan_micros: Option<Vec<i64>>,
    /// Why there is no plan, or what the plan is.
    pub plan: &'static str,
}

#[derive(Clone, Debug, Default)]
pub struct HourView {
    pub name: String,
    pub figures: Figures,
    /// Since the day began, up to the hour's end or to now.
    pub spent_so_far_micros: i64,
    pub planned_so_far_micros: Option<i64>,
    /// How much of the hour has passed.
    pub passed: f64,
}

#[derive(Clone, Debug)]
pub struct LineItemView {
    pub id: u64,
    pub name: String,
    pub stand: Stand,
    pub bid: super::view::Money,
    /// `even`, `front_loaded`, `custom` or `asap`.
    pub pacing: String,
    /// Of its bid, or of the requests; 1,000,000 = all of it.
    pub multiplier_ppm: u32,
    pub by_requests: bool,
    /// Where it has a plan.
    pub standing: Option<crate::workers::pacing::Standing>,
    pub today: Figures,
}

impl CampaignsView {
    /// The list with the same filter, from there on.
    #[must_use]
    pub fn address(&self, after: Option<u64>) -> String {
        let escaped = crate::access::cookie::escaped;
        let also = |name, id: Option<u64>| id.map(|id| format!("&{name}={id}")).unwrap_or_default();
        let narrowed = format!("name={}&status={}", escaped(&self.name), escaped(&self.status));
        format!("/campaigns?{narrowed}{}{}", also("advertiser", self.advertiser), also("after", after))
    }
}

impl Figures {
    #[must_use]
    pub const fn plus(&self, more: &Self) -> Self {
        Self {
            impressions: self.impressions + more.impressions,
            clicks: self.clicks + more.clicks,
            spent_nanos: self.spent_nanos + more.spent_nanos,
        }
    }

    #[must_use]
    pub fn ctr(&self) -> Option<f64> {
        ratio(self.clicks, self.impressions)
    }

    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a price of one impression is far below 2⁶³")]
    pub fn ecpm_micros(&self) -> Option<i64> {
        ecpm_micros(self.spent_nanos, self.impressions).map(|mean| mean.round() as i64)
    }

    #[must_use]
    pub fn spent_micros(&self) -> i64 {
        micros(self.spent_nanos)
    }
}

impl Stand {
    /// The colour's class and the words.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Archived => ("off", "archived"),
            Self::Paused => ("off", "paused"),
            Self::PausedAbove => ("off", "stopped from above"),
            Self::Unserved => ("off", "not served yet"),
            Self::OutsideFlight => ("off", "outside its flight"),
            Self::Exhausted => ("exhausted", "budget spent"),
            Self::Unfunded => ("exhausted", "no money left above it"),
            Self::HeldBack => ("held_back", "held back by pacing"),
            Self::Active => ("serving", "active"),
        }
    }
}

/// `GET /line-items/ID/why-not`.
#[derive(Clone, Debug)]
pub struct WhyNotPage {
    pub name: String,
    pub campaign_id: u64,
    pub campaign: String,
    /// `hour` or `day`: how far back it looks.
    pub span: &'static str,
    pub answer: crate::api::why_not::WhyNotAnswer,
}

/// `GET /accounts`.
#[derive(Clone, Debug, Default)]
pub struct AccountsView {
    pub name: String,
    pub rows: Vec<AccountRow>,
    pub next_after: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct AccountRow {
    pub id: u64,
    pub name: String,
    pub status: String,
    pub spent_micros: i64,
    pub reserved_micros: i64,
    pub available_micros: i64,
}

/// `GET /accounts/ID`.
#[derive(Debug)]
pub struct AccountPage {
    pub account: crate::api::accounts::AccountView,
    pub statement: crate::api::accounts::StatementView,
}

/// `GET /health`.
#[derive(Clone, Debug, Default)]
pub struct HealthView {
    pub uptime_s: u64,
    pub catalog_version: u64,
    /// Checks of readiness that fail.
    pub failing: Vec<&'static str>,
    pub workers: Vec<(&'static str, crate::workers::pulse::State)>,
    pub partitions: Vec<PartitionView>,
    /// Names and values.
    pub folds: Vec<(String, String)>,
    pub disk: Vec<(String, String)>,
    pub world: Vec<(String, String)>,
    /// As the file that would say it.
    pub config: String,
}

#[derive(Clone, Debug)]
pub struct PartitionView {
    pub number: u16,
    pub written: u64,
    pub ledger_behind: Option<u64>,
    pub folds_behind: Option<u64>,
    pub last_ms: Option<i64>,
}

impl AccountsView {
    /// The list with the same filter, from there on.
    #[must_use]
    pub fn address(&self, after: u64) -> String {
        format!("/accounts?name={}&after={after}", crate::access::cookie::escaped(&self.name))
    }
}
