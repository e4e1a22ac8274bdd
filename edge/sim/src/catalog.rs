//! The catalog file of the shop, as `litfass catalog load` reads it.

use litfass_types::{Duration, Timestamp};
use serde_json::{Value, json};

use crate::demand::{ADS_FROM, Ad, Campaign, Demand, LineItem, Subject};
use crate::goods::{Item, Seller, micros};
use crate::pages::placements;
use crate::shop::Shop;
use crate::words::DEPARTMENTS;

const ADVERTISERS_FROM: usize = 101;
const CAMPAIGNS_FROM: usize = 1_001;
const LINE_ITEMS_FROM: usize = 10_001;
const CREATIVES_FROM: usize = 600_001;

/// The catalog file; flights are counted from `opens`.
pub(crate) fn catalog(shop: &Shop, opens: Timestamp) -> Value {
    let demand = &shop.demand;
    json!({
        "tenants": [{"id": Shop::TENANT, "name": "Demo shop"}],
        "advertisers": numbered(&shop.sellers, advertiser),
        "campaigns": numbered(&demand.campaigns, |number, campaign| campaign_json(number, campaign, opens)),
        "line_items": numbered(&demand.line_items, |number, line_item| line_item_json(demand, number, line_item)),
        "creatives": numbered(&demand.ads, |number, ad| creative_json(shop, number, ad)),
        "ads": numbered(&demand.ads, |number, ad| ad_json(shop, number, ad)),
        "placements": placements(),
    })
}

fn numbered<T>(rows: &[T], json: impl Fn(usize, &T) -> Value) -> Value {
    rows.iter().enumerate().map(|(number, row)| json(number, row)).collect()
}

fn advertiser(number: usize, seller: &Seller) -> Value {
    let zones = ["Europe/Berlin", "UTC", "America/New_York", "Europe/London"];
    // The third is poor: its credit ends before its budgets do.
    let credit = if number == 2 { 15.0 } else { 5_000.0 };
    json!({
        "id": ADVERTISERS_FROM + number, "tenant": Shop::TENANT, "name": seller.name,
        "time_zone": zones[number % zones.len()], "credit_limit_micros": micros(credit),
    })
}

fn campaign_json(number: usize, campaign: &Campaign, opens: Timestamp) -> Value {
    let mut json = json!({
        "id": CAMPAIGNS_FROM + number, "advertiser": ADVERTISERS_FROM + campaign.seller, "name": campaign.name,
        "frequency_caps": campaign.cap.iter().map(cap_json).collect::<Value>(),
    });
    let budget = &campaign.budget;
    put(&mut json, "lifetime_budget_micros", budget.lifetime.map(|units| json!(micros(units))));
    put(&mut json, "daily_budget_micros", budget.daily.map(|units| json!(micros(units))));
    put(&mut json, "start", budget.hours.map(|_| json!(rfc3339(opens))));
    put(&mut json, "end", budget.hours.map(|hours| json!(rfc3339(opens + Duration::hours(hours)))));
    json
}

fn line_item_json(demand: &Demand, number: usize, line_item: &LineItem) -> Value {
    let even = demand.campaigns[line_item.campaign].budget.even;
    let exclusions: Vec<_> = line_item.exclusion.into_iter().collect();
    json!({
        "id": LINE_ITEMS_FROM + number, "campaign": CAMPAIGNS_FROM + line_item.campaign, "name": line_item.name,
        "bid": line_item.bid, "billable": if line_item.viewable { "viewable" } else { "impression" },
        "pacing": if even { "even" } else { "asap" }, "targeting": line_item.targeting,
        "frequency_caps": line_item.caps.iter().map(cap_json).collect::<Value>(),
        "exclusion_groups": exclusions, "needs_consent": line_item.needs_consent,
    })
}

fn cap_json((max, window_minutes): &(u32, u32)) -> Value {
    json!({"max": max, "window_minutes": window_minutes})
}

fn put(json: &mut Value, field: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (json.as_object_mut(), value) {
        object.insert(field.to_owned(), value);
    }
}

fn ad_json(shop: &Shop, number: usize, ad: &Ad) -> Value {
    let mut json = json!({
        "id": ADS_FROM + number, "line_item": LINE_ITEMS_FROM + ad.line_item, "creative": CREATIVES_FROM + number,
        "categories": [DEPARTMENTS[shop.department_of(ad.subject)].category],
    });
    if let Subject::Item(item) = ad.subject {
        put(&mut json, "item", Some(json!(shop.items[item].sku)));
    }
    json
}

fn creative_json(shop: &Shop, number: usize, ad: &Ad) -> Value {
    let seller = shop.demand.campaigns[shop.demand.line_items[ad.line_item].campaign].seller;
    let (advertiser, name) = (ADVERTISERS_FROM + seller, &shop.sellers[seller].name);
    match ad.subject {
        Subject::Item(item) => item_creative(number, advertiser, &shop.items[item]),
        Subject::Banner { department } => {
            let (width, height) = ad.size.unwrap_or((300, 250));
            let category = DEPARTMENTS[department].category;
            json!({
                "id": CREATIVES_FROM + number, "advertiser": advertiser, "format": "banner", "width": width, "height": height,
                "title": format!("All {category} at {name}"), "text": format!("The {category} department of {name}. See everything."),
                "landing_url": format!("https://shop.example/brands/{advertiser}/{category}"),
                "image_url": format!("https://shop.example/banners/{advertiser}-{category}-{width}x{height}.png"),
            })
        }
    }
}

fn item_creative(number: usize, advertiser: usize, item: &Item) -> Value {
    json!({
        "id": CREATIVES_FROM + number, "advertiser": advertiser, "format": "sponsored_item", "title": item.title, "text": item.text,
        "landing_url": format!("https://shop.example/products/{}", item.sku),
        "image_url": format!("https://shop.example/images/{}.jpg", item.sku),
    })
}

/// A flight's edge as the catalog file writes it.
fn rfc3339(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.0).unwrap_or_default().to_string()
}
