//! The catalog of an imported shop: real products and texts; sellers, bids and budgets that are made up and say so.

use std::collections::BTreeMap;

use litfass_features::item_hash;
use litfass_types::Seed;
use serde_json::{Value, json};

const SELLERS: u64 = 40;
/// A word names a category when so many products share it.
const PRODUCTS_PER_CATEGORY: usize = 8;
const NOT_A_CATEGORY: [&str; 12] =
    ["AND", "WITH", "FOR", "THE", "FROM", "SET", "PACK", "ASSORTED", "LARGE", "SMALL", "MINI", "DESIGN"];

/// A stable SKU from a product's text: the log has no other name for it.
pub(super) fn sku(text: &str) -> String {
    format!("or-{:016x}", item_hash(text))
}

/// The catalog file: one line item, creative and ad per product.
pub(super) fn catalog(texts: &[String]) -> Value {
    let words = word_counts(texts);
    let sellers = 1..=SELLERS;
    let products = || texts.iter().zip(1_u64..);
    json!({
        "tenants": [{"id": 1, "name": "Online Retail"}],
        "advertisers": sellers.clone().map(advertiser).collect::<Vec<_>>(),
        "campaigns": sellers.map(campaign).collect::<Vec<_>>(),
        "line_items": products().map(|(text, id)| line_item(text, id)).collect::<Vec<_>>(),
        "creatives": products().map(|(text, id)| creative(text, id)).collect::<Vec<_>>(),
        "ads": products().map(|(text, id)| ad(text, id, &categories(text, &words))).collect::<Vec<_>>(),
        "placements": [{
            "id": 1, "tenant": 1, "name": "Basket page", "page_type": "basket_page",
            "formats": [{"format": "sponsored_item"}], "slots_max": 10,
        }],
    })
}

fn seed(text: &str) -> Seed {
    Seed(item_hash(text))
}

fn seller(text: &str) -> u64 {
    1 + seed(text).derive(1).below(SELLERS)
}

fn advertiser(id: u64) -> Value {
    json!({"id": id, "tenant": 1, "name": format!("Seller {id:02} (synthetic)"), "credit_limit_micros": 100_000_000_000_u64})
}

fn campaign(id: u64) -> Value {
    let daily = 20_000_000 + 5_000_000 * Seed(id).derive(2).below(20);
    json!({
        "id": id, "advertiser": id, "name": format!("Seller {id:02}: all products (synthetic)"), "daily_budget_micros": daily,
    })
}

/// 3 to 40 hundredths of the currency per click.
fn line_item(text: &str, id: u64) -> Value {
    let micros = 30_000 + 10_000 * seed(text).derive(3).below(38);
    json!({"id": id, "campaign": seller(text), "name": text, "bid": {"micros": micros, "per": "click"}})
}

fn creative(text: &str, id: u64) -> Value {
    json!({
        "id": id, "advertiser": seller(text), "format": "sponsored_item", "title": text, "text": text,
        "landing_url": format!("https://shop.example/p/{}", sku(text)),
    })
}

fn ad(text: &str, id: u64, categories: &[String]) -> Value {
    json!({"id": id, "line_item": id, "creative": id, "item": sku(text), "categories": categories})
}

fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let word = |w: &&str| w.len() >= 3 && w.bytes().all(|b| b.is_ascii_uppercase()) && !NOT_A_CATEGORY.contains(w);
    text.split([' ', ',', '/', '.', '&', '+', '-']).filter(word)
}

/// In how many products each word stands.
fn word_counts(texts: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for text in texts {
        let mut distinct: Vec<&str> = words(text).collect();
        distinct.sort_unstable();
        distinct.dedup();
        for word in distinct {
            *counts.entry(word).or_default() += 1;
        }
    }
    counts
}

/// What the product is (the last shared word of its text) and, where there is one, its most shared other word.
fn categories(text: &str, counts: &BTreeMap<&str, usize>) -> Vec<String> {
    let count = |word: &str| counts.get(word).copied().unwrap_or(0);
    let Some(noun) = words(text).rev().find(|w| count(w) >= PRODUCTS_PER_CATEGORY) else {
        return vec!["other".to_owned()];
    };
    let motif = words(text).filter(|w| *w != noun && count(w) >= PRODUCTS_PER_CATEGORY).max_by_key(|w| (count(w), *w));
    [Some(noun), motif].into_iter().flatten().map(str::to_ascii_lowercase).collect()
}
