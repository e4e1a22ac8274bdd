//! Every limit on what a catalog may hold, by name.

use litfass_types::{Duration, Timestamp};

/// Bytes of a name, title, text, item key, page type or group name.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Bytes of a URL.
pub const URL_BYTES_MAX: usize = 2_048;
/// Bytes of one targeting value or category.
pub const VALUE_BYTES_MAX: usize = 128;
/// The largest stable id: what survives a JSON number.
pub const ID_MAX: u64 = (1 << 53) - 1;

/// The first instant of the year 10000: no flight begins or ends as late.
pub const INSTANT_MAX: Timestamp = Timestamp(253_402_300_800_000);

pub const CURVE_POINTS_MAX: usize = 64;
pub const CAPS_PER_OBJECT_MAX: usize = 8;
pub const CAP_IMPRESSIONS_MAX: u32 = 1_000_000;
pub const CAP_WINDOW_MAX: Duration = Duration::days(366);

/// Nested `all`, `any` and `not` around a predicate.
pub const TARGETING_DEPTH_MAX: usize = 16;
/// Nodes of one line item's targeting.
pub const TARGETING_NODES_MAX: usize = 256;
/// Values over all predicates of one line item.
pub const TARGETING_VALUES_MAX: usize = 2_000;
/// Alternatives into which one line item's targeting may unfold.
pub const CONJUNCTIONS_MAX: usize = 64;
/// Predicates that one alternative may require at once.
pub const REQUIRED_PER_CONJUNCTION_MAX: usize = 16;

/// The longest video.
pub const VIDEO_DURATION_MAX: Duration = Duration::hours(1);
pub const MIME_TYPES_PER_VIDEO_MAX: usize = 16;

pub const CATEGORIES_PER_AD_MAX: usize = 64;
pub const EXCLUSION_GROUPS_PER_TENANT_MAX: usize = 64;
/// Of those, how many the line items of one advertiser may name between them where an edit adds one: no advertiser takes them all.
pub const EXCLUSION_GROUPS_PER_ADVERTISER_MAX: usize = 16;
pub const FORMATS_PER_PLACEMENT_MAX: usize = 64;
pub const BLOCKED_PER_PLACEMENT_MAX: usize = 1_000;
pub const SLOTS_PER_PLACEMENT_MAX: u8 = 20;

/// Objects of one catalog: its alternatives of targeting can then be numbered by 32 bits.
pub const OBJECTS_MAX: usize = 1 << 25;

/// Problems reported of one catalog.
pub const PROBLEMS_MAX: usize = 1_000;
