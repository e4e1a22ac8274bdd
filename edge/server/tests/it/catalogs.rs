//! Small catalogs: a shop with one home page, and sellers who want to be on it.

use serde_json::{Value, json};

/// The home page: five slots, at most one per seller, floor `FLOOR_MICROS` per mille.
pub(crate) const HOME: u64 = 1;
/// Two slots without a floor, found by its page type too.
pub(crate) const GAME_PAGE: u64 = 2;
/// A placement of another tenant.
pub(crate) const ELSEWHERE: u64 = 3;

/// As micros per mille; the same number as nanos per impression.
pub(crate) const FLOOR_MICROS: i64 = 1_000_000;

/// One advertiser with one campaign, one line item and `ads` ads.
#[derive(Clone)]
pub(crate) struct Seller {
    pub(crate) number: u64,
    pub(crate) bid_micros: i64,
    pub(crate) per: &'static str,
    /// Not stated where it is 0.
    pub(crate) credit_micros: i64,
    /// Beside those of `Seller::by_the_mille`: fields of the campaign and of the line item.
    pub(crate) campaign: Value,
    pub(crate) line_item: Value,
    pub(crate) ads: u64,
}

impl Seller {
    /// Bids five times the floor, as fast as possible, with credit enough.
    pub(crate) fn by_the_mille(number: u64) -> Self {
        Self {
            number,
            bid_micros: 5 * FLOOR_MICROS,
            per: "mille",
            credit_micros: 1_000_000_000,
            campaign: json!({}),
            line_item: json!({}),
            ads: 1,
        }
    }

    /// Bids half a currency unit a click.
    pub(crate) fn by_the_click(number: u64) -> Self {
        Self { bid_micros: 500_000, per: "click", ..Self::by_the_mille(number) }
    }

    pub(crate) const fn campaign_id(&self) -> u64 {
        100 + self.number
    }

    pub(crate) const fn line_item_id(&self) -> u64 {
        1_000 + self.number
    }

    fn ad_id(&self, index: u64) -> u64 {
        100_000 + self.number * 100 + index
    }

    fn landing(&self, index: u64) -> String {
        format!("https://shop.example/item/{}-{index}", self.number)
    }

    fn advertiser(&self) -> Value {
        let credit =
            if self.credit_micros == 0 { json!({}) } else { json!({ "credit_limit_micros": self.credit_micros }) };
        joined(json!({ "id": 10 + self.number, "tenant": 1, "name": format!("Seller {}", self.number) }), &credit)
    }

    fn campaign(&self) -> Value {
        let own = json!({ "id": self.campaign_id(), "advertiser": 10 + self.number, "name": format!("Campaign {}", self.number) });
        joined(own, &self.campaign)
    }

    fn line_item(&self) -> Value {
        let own = json!({ "id": self.line_item_id(), "campaign": self.campaign_id(), "name": format!("Line {}", self.number), "pacing": "asap",
                          "bid": { "micros": self.bid_micros, "per": self.per } });
        joined(own, &self.line_item)
    }

    fn creative(&self, index: u64) -> Value {
        json!({ "id": self.ad_id(index), "advertiser": 10 + self.number, "format": "sponsored_item", "title": format!("Lamp {}-{index}", self.number),
                "text": "Bright & <small>", "landing_url": self.landing(index) })
    }

    fn ad(&self, index: u64) -> Value {
        json!({ "id": self.ad_id(index), "line_item": self.line_item_id(), "creative": self.ad_id(index),
                "item": format!("SKU-{}-{index}", self.number), "categories": ["lamps"] })
    }
}

/// `own` with the fields of `more` beside or instead of its own.
fn joined(mut own: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        own[key] = value.clone();
    }
    own
}

/// A catalog file with these sellers, the home page, a game page, and a tenant beside them.
pub(crate) fn catalog(sellers: &[Seller]) -> Value {
    let each = |make: &dyn Fn(&Seller) -> Value| sellers.iter().map(make).collect::<Vec<_>>();
    let per_ad = |make: &dyn Fn(&Seller, u64) -> Value| {
        sellers
            .iter()
            .flat_map(|seller| (0..seller.ads).map(|index| make(seller, index)).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    json!({
        "tenants": [{ "id": 1, "name": "Lamp shop" }, { "id": 2, "name": "Another shop" }],
        "advertisers": each(&Seller::advertiser),
        "campaigns": each(&Seller::campaign),
        "line_items": each(&Seller::line_item),
        "creatives": per_ad(&Seller::creative),
        "ads": per_ad(&Seller::ad),
        "placements": [
            { "id": HOME, "tenant": 1, "name": "home", "page_type": "home", "slots_max": 5, "floor_micros": FLOOR_MICROS, "max_per_advertiser": 1 },
            { "id": GAME_PAGE, "tenant": 1, "name": "game", "page_type": "game_page", "slots_max": 2, "max_per_advertiser": 1 },
            { "id": ELSEWHERE, "tenant": 2, "name": "elsewhere" },
        ],
    })
}
