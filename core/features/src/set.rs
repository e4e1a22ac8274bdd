//! The feature set as one table: what each feature is called, what it is, which phase reads it.
//!
//! Serving, training and the generated documentation read this table. A model is trained for one set and names it by its
//! hash; a set is never changed in place: a new column is a new set.

use litfass_types::{FEATURE_HASH_SEED, hash_pair, xxh64};

/// What a feature's value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An `f32`, scaled to about −3 … 3; 0 where nothing is known.
    Number,
    /// A 64-bit hash; 0 where nothing is known.
    Hashed,
    /// The pair hash of two hashed features, never stored: it follows from its halves.
    Cross,
}

/// How often it is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Once per request.
    Request,
    /// Once per candidate.
    Row,
}

/// Which phase reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// All candidates, and the entrants again.
    First,
    /// The entrants.
    Last,
    /// No model: written to the record to be studied.
    LogOnly,
}

/// One line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feature {
    pub name: &'static str,
    pub kind: Kind,
    pub side: Side,
    pub phase: Phase,
    pub text: &'static str,
}

macro_rules! feature_set {
    ($($(#[$doc:meta])* $group:ident, $kind:ident, $side:ident {
        $($variant:ident = $name:literal, $phase:ident, $text:literal;)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
            pub enum $group { $($variant),* }
            impl $group {
                pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];
                pub const COUNT: usize = Self::ALL.len();
                /// The column.
                #[must_use]
                pub const fn column(self) -> usize {
                    self as usize
                }
                #[must_use]
                pub const fn feature(self) -> Feature {
                    match self {
                        $(Self::$variant => Feature {
                            name: $name, kind: Kind::$kind, side: Side::$side, phase: Phase::$phase, text: $text,
                        }),*
                    }
                }
            }
        )*
        /// The whole set, groups in the order of the table.
        pub const FEATURES: &[Feature] = &[$($($group::$variant.feature()),*),*];
    };
}

feature_set! {
    /// Numbers of the viewer, once per request.
    RequestNumber, Number, Request {
        Known = "viewer_known", First, "1 if anything is known of the viewer";
        Orders = "viewer_orders", First, "ln(1 + orders)";
        OrderSize = "viewer_order_size", First, "ln(1 + purchases per order)";
        OrderAge = "viewer_order_age", First, "1 / (1 + days since the last order / 30)";
        Interactions = "viewer_interactions", LogOnly, "ln(1 + interactions)";
    }
    /// Numbers of an ad and of a viewer with an ad.
    RowNumber, Number, Row {
        Popularity30 = "popularity_30d", First, "(ln(share of the orders of 30 days with this item) + 6) / 2";
        Popularity7 = "popularity_7d", First, "the same of 7 days";
        ClickRate = "click_rate", First, "logit of the ad's smoothed click rate / 2";
        ConversionRate = "conversion_rate", First, "logit of the ad's smoothed conversion rate / 2";
        Freshness = "freshness", First, "1 / (1 + days since the ad was created / 14)";
        Bought = "bought", First, "1 if the viewer bought the item";
        BoughtCount = "bought_count", First, "ln(1 + purchases of the item by the viewer)";
        BoughtShare = "bought_share", First, "logit of the smoothed share of the viewer's orders with the item, + 5, / 2; 0 if never";
        BoughtRecency = "bought_recency", First, "1 / (1 + days since the viewer bought the item / 30)";
        BoughtLastOrder = "bought_last_order", First, "1 if the viewer's last order had it";
        BoughtSince = "bought_since", First, "logit of the smoothed share of the orders after the first purchase that had the item again, + 2; 0 if never";
        BoughtGap = "bought_gap", First, "1 / (1 + orders since the one that last had the item); 0 if never";
        BoughtPopularity = "bought_popularity_30d", First, "popularity_30d where the viewer bought the item";
        BoughtClickRate = "bought_click_rate", First, "click_rate where the viewer bought the item";
        NewcomerPopularity30 = "newcomer_popularity_30d", First, "popularity_30d where the viewer has no orders";
        NewcomerPopularity7 = "newcomer_popularity_7d", First, "popularity_7d where the viewer has no orders";
        NewcomerClickRate = "newcomer_click_rate", First, "click_rate where the viewer has no orders";
        NewcomerFreshness = "newcomer_freshness", First, "freshness where the viewer has no orders";
        Viewed = "viewed", First, "ln(1 + views of the item by the viewer)";
        Clicked = "clicked", First, "ln(1 + clicks of the viewer on the item)";
        SeenRecency = "seen_recency", First, "1 / (1 + days since the viewer did anything with the item)";
        CategoryShare = "category_share", First, "share of the viewer's interactions in the ad's first category";
        CategoryCount = "category_count", First, "ln(1 + the viewer's interactions in the ad's first category)";
    }
    /// Hashed features of the request.
    RequestId, Hashed, Request {
        Device = "device", Last, "kind of device";
        Os = "os", Last, "operating system";
        HourOfWeek = "hour_of_week", Last, "hours since Monday 00:00 UTC";
        Placement = "placement", Last, "first placement of the request";
        Country = "country", Last, "geo term of the country";
        PageCategory = "page_category", Last, "first category of the page";
        Stage = "viewer_stage", Last, "bucket of the viewer's orders";
    }
    /// Hashed features of an ad and of a viewer with an ad.
    RowId, Hashed, Row {
        Item = "item", Last, "the advertised item";
        Category = "category", Last, "the ad's first category";
        Advertiser = "advertiser", Last, "advertiser id";
        Ad = "ad", Last, "ad id";
        Popularity = "popularity", Last, "bucket of popularity_30d";
        BoughtState = "bought_state", Last, "buckets of times bought and days since, and whether the last order had it";
        ShareState = "share_state", Last, "buckets of the share of the viewer's orders with the item and of the orders";
        GapState = "gap_state", Last, "buckets of times bought, orders since the last and orders since the first purchase";
        SeenState = "seen_state", Last, "buckets of views, clicks and days since anything was done with the item";
    }
    /// Pairs of hashed features.
    Cross, Cross, Row {
        CategoryPlacement = "category×placement", Last, "";
        AdPlacement = "ad×placement", Last, "";
        ItemDevice = "item×device", Last, "";
        CategoryDevice = "category×device", Last, "";
        ItemCountry = "item×country", Last, "";
        CategoryPage = "category×page_category", Last, "";
        CategoryHour = "category×hour_of_week", Last, "";
        ItemStage = "item×viewer_stage", Last, "";
        ItemBought = "item×bought_state", Last, "";
        PopularityStage = "popularity×viewer_stage", Last, "";
        PopularityBought = "popularity×bought_state", Last, "";
        PopularityGap = "popularity×gap_state", Last, "";
        BoughtStage = "bought_state×viewer_stage", Last, "";
        HistoryItem = "history×item", Last, "each of the viewer's last distinct items with the ad's item";
        HistoryCategory = "history_category×category", Last, "each of the viewer's last distinct categories with the ad's";
    }
}

/// The set by name, with the hashes of its numbered features' names computed once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureSet {
    request: [u64; RequestId::COUNT],
    row: [u64; RowId::COUNT],
}

impl Default for FeatureSet {
    fn default() -> Self {
        Self::v1()
    }
}

impl FeatureSet {
    pub const NAME: &str = "v1";

    #[must_use]
    pub fn v1() -> Self {
        let hash = |feature: Feature| xxh64(feature.name.as_bytes(), FEATURE_HASH_SEED);
        Self {
            request: std::array::from_fn(|i| hash(RequestId::ALL[i].feature())),
            row: std::array::from_fn(|i| hash(RowId::ALL[i].feature())),
        }
    }

    /// Names the set in artifacts: a model is refused where this differs.
    #[must_use]
    pub fn hash() -> u64 {
        let lines = FEATURES.iter().map(|f| format!("{} {:?} {:?} {:?} {}\n", f.name, f.kind, f.side, f.phase, f.text));
        xxh64(lines.collect::<String>().as_bytes(), FEATURE_HASH_SEED)
    }

    /// A numbered value of a request feature: the pair hash of the feature's name and the number.
    #[must_use]
    pub const fn request_id(&self, feature: RequestId, value: u64) -> u64 {
        hash_pair(self.request[feature.column()], value)
    }

    /// A numbered value of a row feature.
    #[must_use]
    pub const fn row_id(&self, feature: RowId, value: u64) -> u64 {
        hash_pair(self.row[feature.column()], value)
    }
}

/// The hash of an item given by its SKU.
#[must_use]
pub fn item_hash(sku: &str) -> u64 {
    let mut text = String::with_capacity(5 + sku.len());
    text.push_str("item=");
    text.push_str(sku);
    xxh64(text.as_bytes(), FEATURE_HASH_SEED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_a_name_of_its_own() {
        for (i, a) in FEATURES.iter().enumerate() {
            assert!(FEATURES[i + 1..].iter().all(|b| b.name != a.name), "{}", a.name);
        }
    }

    #[test]
    fn columns_number_the_table_in_its_order() {
        assert!(RowNumber::ALL.iter().enumerate().all(|(i, f)| f.column() == i));
        assert!(RowId::ALL.iter().enumerate().all(|(i, f)| f.column() == i));
        assert!(RequestId::ALL.iter().enumerate().all(|(i, f)| f.column() == i));
    }
}
