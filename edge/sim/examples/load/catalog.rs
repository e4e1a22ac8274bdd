//! A catalog file of any size: five ads to a line item, each ad with over 200 bytes of texts and URLs of its own, targeting of
//! the shapes of Whang et al. (2009): conjunctions of one to four IN and NOT-IN predicates, a few alternatives, some run of network.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use litfass_types::Seed;
use serde_json::{Value, json};

pub(crate) const PLACEMENT: u64 = 1;
pub(crate) const CATEGORIES: u64 = 300;
pub(crate) const COUNTRIES: [&str; 12] = ["US", "DE", "FR", "GB", "JP", "BR", "IN", "ES", "IT", "NL", "SE", "PL"];
pub(crate) const DEVICES: [&str; 4] = ["desktop", "mobile", "tablet", "tv"];
pub(crate) const SEGMENTS: u64 = 200;
pub(crate) const KEYWORDS: u64 = 2_000;

const ADS_PER_LINE_ITEM: u64 = 5;
const LINE_ITEMS_PER_CAMPAIGN: u64 = 4;
const CAMPAIGNS_PER_ADVERTISER: u64 = 5;

pub(crate) const fn line_items(ads: u64) -> u64 {
    ads.div_ceil(ADS_PER_LINE_ITEM)
}

/// Written list by list: a million ads are more than one would want in memory.
pub(crate) fn write(path: &Path, ads: u64) -> Result<()> {
    let line_items = line_items(ads);
    let campaigns = line_items.div_ceil(LINE_ITEMS_PER_CAMPAIGN);
    let advertisers = campaigns.div_ceil(CAMPAIGNS_PER_ADVERTISER);
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(br#"{"tenants": [{"id": 1, "name": "Shop"}]"#)?;
    list(
        &mut out,
        "advertisers",
        advertisers,
        |id| json!({ "id": id, "tenant": 1, "name": format!("Advertiser {id}"), "credit_limit_micros": 1_000_000_000_000_u64 }),
    )?;
    list(&mut out, "campaigns", campaigns, |id| {
        let advertiser = id.div_ceil(CAMPAIGNS_PER_ADVERTISER);
        json!({ "id": id, "advertiser": advertiser, "name": format!("Campaign {id}"), "daily_budget_micros": 100_000_000_000_u64 })
    })?;
    list(&mut out, "line_items", line_items, line_item)?;
    list(&mut out, "creatives", ads, creative)?;
    list(&mut out, "ads", ads, ad)?;
    write!(
        out,
        r#","placements": [{{"id": {PLACEMENT}, "tenant": 1, "name": "Home", "page_type": "home", "floor_micros": 50000}}]}}"#
    )?;
    Ok(out.flush()?)
}

fn list(out: &mut impl Write, name: &str, count: u64, object: impl Fn(u64) -> Value) -> Result<()> {
    write!(out, ",\n\"{name}\": [")?;
    for id in 1..=count {
        let separator = if id == 1 { "" } else { ",\n" };
        write!(out, "{separator}{}", object(id))?;
    }
    Ok(write!(out, "]")?)
}

fn line_item(id: u64) -> Value {
    let seed = Seed(7).derive(id);
    let bid = if id.is_multiple_of(2) {
        json!({ "micros": 200_000 + seed.derive(1).below(4_000_000), "per": "mille" })
    } else {
        json!({ "micros": 20_000 + seed.derive(1).below(400_000), "per": "click" })
    };
    json!({
        "id": id, "campaign": id.div_ceil(LINE_ITEMS_PER_CAMPAIGN), "name": format!("Line item {id}"),
        "pacing": "asap", "bid": bid, "targeting": targeting(seed.derive(2)),
    })
}

fn targeting(seed: Seed) -> Value {
    let predicate = |n: u64| predicate(seed.derive(10 + n));
    match seed.below(10) {
        0 => json!({ "all": [] }),
        1..=3 => json!({ "all": [predicate(1), predicate(2)] }),
        4..=6 => json!({ "all": [predicate(1), predicate(2), { "not": predicate(3) }] }),
        7 | 8 => json!({ "any": [{ "all": [predicate(1), predicate(2)] }, { "all": [predicate(3), predicate(4)] }] }),
        _ => json!({ "all": [predicate(1), { "not": predicate(2) }, { "not": predicate(3) }] }),
    }
}

fn predicate(seed: Seed) -> Value {
    let some = |of: u64, most: u64, name: &dyn Fn(u64) -> String| -> Vec<String> {
        (0..1 + seed.derive(1).below(most)).map(|n| name(seed.derive(100 + n).below(of))).collect()
    };
    let pick = |from: &'static [&'static str]| move |n: u64| from[usize::try_from(n).unwrap_or(0)].to_owned();
    match seed.below(6) {
        0 | 1 => json!({ "geo": some(12, 4, &pick(&COUNTRIES)) }),
        2 => json!({ "device": some(4, 2, &pick(&DEVICES)) }),
        3 => json!({ "category": some(CATEGORIES, 8, &category) }),
        4 => json!({ "segment": some(SEGMENTS, 6, &segment) }),
        _ => json!({ "keyword": some(KEYWORDS, 8, &keyword) }),
    }
}

pub(crate) fn category(n: u64) -> String {
    format!("category {n}")
}

pub(crate) fn segment(n: u64) -> String {
    format!("segment {n}")
}

pub(crate) fn keyword(n: u64) -> String {
    format!("keyword {n}")
}

pub(crate) fn item(n: u64) -> String {
    format!("SKU-{n:08}")
}

fn ad(id: u64) -> Value {
    let categories = [category(id % CATEGORIES), category(id / 7 % CATEGORIES)];
    let line_item = id.div_ceil(ADS_PER_LINE_ITEM);
    json!({ "id": id, "line_item": line_item, "creative": id, "item": item(id), "categories": categories })
}

fn creative(id: u64) -> Value {
    let line_item = id.div_ceil(ADS_PER_LINE_ITEM);
    let advertiser = line_item.div_ceil(LINE_ITEMS_PER_CAMPAIGN).div_ceil(CAMPAIGNS_PER_ADVERTISER);
    let words = Seed(9).derive(id);
    json!({
        "id": id, "advertiser": advertiser, "format": "sponsored_item",
        "title": format!("Product {id}, series {:08x}", words.derive(1).below(u64::from(u32::MAX))),
        "text": format!("What one wants of product {id}: {:016x}, {:016x}, and at the door tomorrow", words.derive(2).0, words.derive(3).0),
        "landing_url": format!("https://shop.example/products/{:012x}/{id}?campaign=autumn", words.derive(4).below(1 << 48)),
        "image_url": format!("https://images.shop.example/{:012x}/{id}/640.jpg", words.derive(5).below(1 << 48)),
    })
}
