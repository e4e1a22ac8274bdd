//! Fifty line items with everything that can stand in their way, and edits to them.

use serde_json::{Value, json};

use crate::catalogs::{HOME, Seller, catalog};
use crate::dice::Dice;

pub(super) const LINE_ITEMS: u64 = 50;

fn targeting(dice: &mut Dice) -> Value {
    dice.pick(&[
        json!({ "all": [] }),
        json!({ "all": [] }),
        json!({ "device": ["mobile"] }),
        json!({ "not": { "geo": ["US"] } }),
        json!({ "any": [{ "geo": ["DE"] }, { "keyword": ["shade"] }] }),
        json!({ "placement": [HOME] }),
        json!({ "all": [{ "not": { "placement": [HOME] } }, { "geo": ["DE", "FR"] }] }),
    ])
}

fn caps(dice: &mut Dice) -> Value {
    dice.pick(&[json!([]), json!([{ "max": 2, "window_minutes": 60 }])])
}

fn flight(dice: &mut Dice) -> (Value, Value) {
    let (long_ago, past, far) = ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
    match dice.below(8) {
        0 => (json!(long_ago), json!(past)),
        1 => (json!(far), Value::Null),
        2 | 3 => (json!(long_ago), json!(far)),
        _ => (Value::Null, Value::Null),
    }
}

/// Some have budget for a handful of impressions, some none at all.
fn seller(number: u64, dice: &mut Dice) -> Seller {
    if number == 1 {
        return Seller::by_the_mille(1);
    }
    let bid_micros = 2_000_000 + 100_000 * i64::try_from(dice.below(60)).unwrap();
    let (start, end) = flight(dice);
    let mut line_item = json!({
        "targeting": targeting(dice), "frequency_caps": caps(dice), "needs_consent": dice.below(5) == 0, "start": start, "end": end,
        "pacing": dice.pick(&["asap", "even"]), "status": dice.pick(&["active", "active", "active", "paused"]),
    });
    if dice.below(3) == 0 {
        line_item["budget_micros"] = json!(bid_micros / 1_000 * i64::try_from(1 + dice.below(8)).unwrap());
    }
    let credit_micros = if dice.below(10) == 0 { 0 } else { 1_000_000_000 };
    Seller { bid_micros, credit_micros, line_item, ads: 1 + dice.below(3), ..Seller::by_the_mille(number) }
}

/// All but the last five, which come later.
pub(super) fn opened(dice: &mut Dice) -> Value {
    let sellers: Vec<Seller> = (1..=LINE_ITEMS - 5).map(|number| seller(number, dice)).collect();
    let mut file = catalog(&sellers);
    for creative in file["creatives"].as_array_mut().unwrap() {
        creative["review"] = dice.pick(&[json!("approved"), json!("approved"), json!("approved"), json!("pending")]);
    }
    file["placements"][1]["formats"] = json!([{ "format": "sponsored_item" }]);
    file
}

/// A few line items change, one is new, a seller is paused or blocked. The first line item comes and goes, so that who has
/// funds is never the same as before.
pub(super) fn edited(file: &mut Value, dice: &mut Dice) {
    add_seller(file, dice);
    let first = &mut file["line_items"][0]["status"];
    *first = json!(if *first == json!("paused") { "active" } else { "paused" });
    for _ in 0..6 {
        let others = file["line_items"].as_array().unwrap().len() as u64 - 1;
        let at = usize::try_from(1 + dice.below(others)).unwrap();
        let line_item = &mut file["line_items"][at];
        match dice.below(4) {
            0 => line_item["targeting"] = targeting(dice),
            1 => line_item["status"] = json!(dice.pick(&["active", "paused"])),
            2 => line_item["frequency_caps"] = caps(dice),
            _ => line_item["bid"]["micros"] = json!(3_000_000 + 50_000 * dice.below(100)),
        }
    }
    let others = file["advertisers"].as_array().unwrap().len() as u64 - 1;
    let at = usize::try_from(1 + dice.below(others)).unwrap();
    file["advertisers"][at]["status"] = json!(dice.pick(&["active", "paused"]));
    file["placements"][0]["blocked_advertisers"] =
        json!([11 + dice.below(40), 11 + dice.below(40)].iter().collect::<std::collections::BTreeSet<_>>());
    let creative = usize::try_from(dice.below(40)).unwrap();
    file["creatives"][creative]["review"] = json!(dice.pick(&["approved", "rejected"]));
}

fn add_seller(file: &mut Value, dice: &mut Dice) {
    let number = file["line_items"].as_array().unwrap().len() as u64 + 1;
    if number > LINE_ITEMS {
        return;
    }
    let more = catalog(&[Seller { line_item: json!({}), ..seller(number, dice) }]);
    for section in ["advertisers", "campaigns", "line_items", "creatives", "ads"] {
        let new = more[section].as_array().unwrap().clone();
        file[section].as_array_mut().unwrap().extend(new);
    }
}
