//! The shop's pages and the placements on them.

use serde_json::{Value, json};

use crate::shop::Shop;

/// The kinds of pages a shopper walks through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    Home,
    Search,
    Product,
    Category,
}

impl PageKind {
    /// The placements on such a page with the slots each asks for.
    #[must_use]
    pub const fn placements(self) -> &'static [(u64, u8)] {
        match self {
            Self::Home => &[(1, 4), (4, 1)],
            Self::Search => &[(2, 5)],
            Self::Product => &[(3, 3)],
            Self::Category => &[(5, 4), (4, 1)],
        }
    }
}

const ITEM: fn() -> Value = || json!({"format": "sponsored_item"});

fn banner(width: u32, height: u32) -> Value {
    json!({"format": "banner", "width": width, "height": height})
}

/// The placements of the catalog file.
pub(crate) fn placements() -> Value {
    let tenant = Shop::TENANT;
    json!([
        {"id": 1, "tenant": tenant, "name": "Home, picked for you", "page_type": "home_page", "formats": [ITEM()],
         "slots_max": 6, "floor_micros": 400_000, "max_per_advertiser": 2},
        {"id": 2, "tenant": tenant, "name": "Search results", "page_type": "search_page", "formats": [ITEM()],
         "slots_max": 8, "floor_micros": 700_000, "max_per_advertiser": 3},
        {"id": 3, "tenant": tenant, "name": "Product page, also liked", "page_type": "product_page", "formats": [ITEM()],
         "slots_max": 6, "floor_micros": 300_000, "max_per_advertiser": 2, "blocked_categories": ["grocery"]},
        {"id": 4, "tenant": tenant, "name": "Banner on top", "page_type": "game_page",
         "formats": [banner(728, 90), banner(320, 50)], "slots_max": 1, "floor_micros": 800_000},
        {"id": 5, "tenant": tenant, "name": "Category page", "page_type": "category_page",
         "formats": [ITEM(), banner(300, 250)], "slots_max": 6, "floor_micros": 400_000, "max_per_advertiser": 2}
    ])
}
