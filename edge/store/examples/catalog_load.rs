//! How long it takes from `litfass.db` to a catalog in memory: makes a catalog file of a size, loads it, and reads it back.
//!
//! `cargo run --release -p litfass-store --example catalog_load -- 1000000 /tmp/catalog` for a million ads with a creative
//! each, five ads to a line item. A second run finds the database and only reads.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use litfass_store::catalog::CatalogStore;
use litfass_types::Timestamp;
use serde_json::{Value, json};

const ADS_PER_LINE_ITEM: u64 = 5;
const LINE_ITEMS_PER_CAMPAIGN: u64 = 20;
const CAMPAIGNS_PER_ADVERTISER: u64 = 10;

#[expect(clippy::print_stdout, reason = "an example reports to its caller")]
fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let ads: u64 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "catalog-load".to_owned()));
    std::fs::create_dir_all(&folder)?;
    let mut store = CatalogStore::open(&folder.join("litfass.db"))?;
    if store.version()?.sequence == 0 {
        let path = folder.join("catalog.json");
        write_file(&path, ads)?;
        println!("{}: {} MB", path.display(), std::fs::metadata(&path)?.len() / 1_000_000);
        let start = Instant::now();
        let report = store.load(&path, Timestamp(1_790_000_000_000))?;
        println!("loaded {} objects in {:.2} s", report.inserted, start.elapsed().as_secs_f64());
    }
    let start = Instant::now();
    let catalog = store.read_catalog()?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{} ads of {} line items from the database in {seconds:.2} s", catalog.ads(), catalog.line_items());
    Ok(())
}

/// Written list by list, because it may be larger than one would hold in memory.
fn write_file(path: &Path, ads: u64) -> anyhow::Result<()> {
    let line_items = ads.div_ceil(ADS_PER_LINE_ITEM);
    let campaigns = line_items.div_ceil(LINE_ITEMS_PER_CAMPAIGN);
    let advertisers = campaigns.div_ceil(CAMPAIGNS_PER_ADVERTISER);
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(br#"{"tenants": [{"id": 1, "name": "Shop"}]"#)?;
    write_list(
        &mut out,
        "advertisers",
        advertisers,
        |id| json!({"id": id, "tenant": 1, "name": format!("Advertiser {id}"), "credit_limit_micros": 1_000_000_000}),
    )?;
    write_list(&mut out, "campaigns", campaigns, |id| {
        let advertiser = id.div_ceil(CAMPAIGNS_PER_ADVERTISER);
        json!({"id": id, "advertiser": advertiser, "name": format!("Campaign {id}"), "daily_budget_micros": 50_000_000})
    })?;
    write_list(&mut out, "line_items", line_items, line_item)?;
    write_list(&mut out, "creatives", ads, creative)?;
    write_list(&mut out, "ads", ads, |id| {
        let categories = [format!("category {}", id % 300), format!("brand {}", id % 1_000)];
        let line_item = id.div_ceil(ADS_PER_LINE_ITEM);
        json!({"id": id, "line_item": line_item, "creative": id, "item": format!("SKU-{id}"), "categories": categories})
    })?;
    out.write_all(br#","placements": [{"id": 7, "tenant": 1, "name": "Home", "page_type": "home"}]}"#)?;
    Ok(out.flush()?)
}

fn write_list(out: &mut impl Write, name: &str, count: u64, object: impl Fn(u64) -> Value) -> anyhow::Result<()> {
    write!(out, ",\n\"{name}\": [")?;
    for id in 1..=count {
        let separator = if id == 1 { "" } else { ",\n" };
        write!(out, "{separator}{}", object(id))?;
    }
    Ok(write!(out, "]")?)
}

/// Half of them for a country and a device, the rest for everybody but some segment.
fn line_item(id: u64) -> Value {
    let countries = ["US", "DE", "FR", "GB", "JP"];
    let country = countries[usize::try_from(id % 5).unwrap_or(0)];
    let targeting = if id.is_multiple_of(2) {
        json!({"all": [{"geo": [country]}, {"device": ["mobile", "tablet"]}]})
    } else {
        json!({"not": {"segment": [format!("segment {}", id % 200)]}})
    };
    json!({
        "id": id, "campaign": id.div_ceil(LINE_ITEMS_PER_CAMPAIGN), "name": format!("Line item {id}"),
        "bid": {"micros": 500_000 + id % 1_000 * 1_000, "per": "mille"}, "targeting": targeting,
    })
}

fn creative(id: u64) -> Value {
    let line_item = id.div_ceil(ADS_PER_LINE_ITEM);
    let advertiser = line_item.div_ceil(LINE_ITEMS_PER_CAMPAIGN).div_ceil(CAMPAIGNS_PER_ADVERTISER);
    json!({
        "id": id, "advertiser": advertiser, "format": "sponsored_item", "title": format!("Product number {id}, now on sale"),
        "text": format!("Everything that one could want of product {id}: sturdy, light, and delivered by tomorrow morning at no cost"),
        "landing_url": format!("https://shop.example/products/{id}?campaign=autumn"),
        "image_url": format!("https://images.shop.example/products/{id}/640.jpg"),
    })
}
