//! The features of one request: what is known of the viewer and the context, computed once and written to the record.

use litfass_types::{Device, Os, PlacementId, Term, TermKind, Timestamp};

use crate::exact::{ln, single};
use crate::profile::Viewer;
use crate::set::{FeatureSet, RequestId, RequestNumber};

/// How many of the viewer's last distinct items (and categories) are crossed with a candidate's.
pub const HISTORY_MAX: usize = 16;

/// What a request says besides the viewer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestFacts<'a> {
    pub now: Timestamp,
    pub device: Option<Device>,
    pub os: Option<Os>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<&'a str>,
    pub page_category: Option<&'a str>,
    /// The first of the request.
    pub placement: PlacementId,
}

/// Columns as `RequestNumber` and `RequestId` name them, and the last distinct items and categories, newest first.
#[derive(Clone, PartialEq, Debug)]
pub struct ViewerBlock {
    pub numbers: Vec<f32>,
    pub ids: Vec<u64>,
    pub items: Vec<u64>,
    pub categories: Vec<u64>,
}

impl ViewerBlock {
    #[must_use]
    pub fn new(set: &FeatureSet, request: &RequestFacts<'_>, viewer: &Viewer) -> Self {
        Self {
            numbers: numbers(request.now, viewer).to_vec(),
            ids: ids(set, request, viewer).to_vec(),
            items: last_distinct(viewer.recent.iter().map(|i| i.item)),
            categories: last_distinct(viewer.recent.iter().map(|i| i.category)),
        }
    }

    /// 0 where nothing is known or the column is not there.
    #[must_use]
    pub fn id(&self, feature: RequestId) -> u64 {
        self.ids.get(feature.column()).copied().unwrap_or(0)
    }
}

fn numbers(now: Timestamp, viewer: &Viewer) -> [f32; RequestNumber::COUNT] {
    let orders = f64::from(viewer.orders);
    RequestNumber::ALL.map(|feature| {
        single(match feature {
            RequestNumber::Known => f64::from(u8::from(viewer.is_known())),
            RequestNumber::Orders => ln(1.0 + orders),
            RequestNumber::OrderSize => ln(1.0 + f64::from(viewer.purchases) / orders.max(1.0)),
            RequestNumber::OrderAge => viewer.last_order.map_or(0.0, |last| decay(days_between(last, now), 30.0)),
            RequestNumber::Interactions => ln(1.0 + f64::from(viewer.interactions)),
        })
    })
}

fn ids(set: &FeatureSet, request: &RequestFacts<'_>, viewer: &Viewer) -> [u64; RequestId::COUNT] {
    RequestId::ALL.map(|feature| match feature {
        RequestId::Device => request.device.map_or(0, |d| Term::new(TermKind::Device, d.name()).0),
        RequestId::Os => request.os.map_or(0, |o| Term::new(TermKind::Os, o.name()).0),
        RequestId::HourOfWeek => set.request_id(feature, hour_of_week(request.now)),
        RequestId::Placement => set.request_id(feature, request.placement.0),
        RequestId::Country => request.country.map_or(0, |c| Term::new(TermKind::Geo, c).0),
        RequestId::PageCategory => request.page_category.map_or(0, |c| Term::new(TermKind::Category, c).0),
        RequestId::Stage => set.request_id(feature, stage(viewer)),
    })
}

/// 0 unknown, 1 seen but never bought, 2 … by orders.
fn stage(viewer: &Viewer) -> u64 {
    match viewer.orders {
        0 => u64::from(viewer.is_known()),
        1 => 2,
        2 => 3,
        3..=4 => 4,
        5..=8 => 5,
        9..=16 => 6,
        _ => 7,
    }
}

/// UTC; 1970-01-01 was a Thursday.
fn hour_of_week(now: Timestamp) -> u64 {
    (now.0.div_euclid(3_600_000) + 72).rem_euclid(168).unsigned_abs()
}

fn last_distinct(oldest_first: impl DoubleEndedIterator<Item = u64>) -> Vec<u64> {
    let mut distinct = Vec::with_capacity(HISTORY_MAX);
    for hash in oldest_first.rev().filter(|hash| *hash != 0) {
        if distinct.len() < HISTORY_MAX && !distinct.contains(&hash) {
            distinct.push(hash);
        }
    }
    distinct
}

/// Days from one instant to a later one; 0 where it is not later.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "milliseconds of any calendar fit 53 bits")]
pub(crate) fn days_between(earlier: Timestamp, later: Timestamp) -> f64 {
    (later - earlier).0.max(0) as f64 / 86_400_000.0
}

/// 1 now, a half after `half` days, towards 0.
pub(crate) fn decay(days: f64, half: f64) -> f64 {
    1.0 / (1.0 + days / half)
}
