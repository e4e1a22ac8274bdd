use std::collections::BTreeMap;

use crate::shop::{Item, catalog, sku};
use litfass_catalog::item_hash;
use litfass_types::Seed;

#[test]
fn every_item_of_a_large_catalog_is_found_with_all_its_ads_and_no_others() {
    let items: Vec<Item> = (1..=5_000).map(|id| Item { item: Seed(id).below(3_000), ..Item::plain(id) }).collect();
    let catalog = catalog(&items, 1);
    let mut ads: BTreeMap<u64, Vec<u64>> = (0..3_500).map(|item| (item, Vec::new())).collect();
    items.iter().for_each(|item| ads.entry(item.item).or_default().push(item.id));
    for (item, ads) in ads {
        let mut found: Vec<u64> = catalog.ads_with_item(item_hash(&sku(item))).map(|ad| catalog.ad(ad).id.0).collect();
        found.sort_unstable();
        assert_eq!(found, ads, "item {item}");
    }
    for hash in [0, 1, u64::MAX] {
        assert_eq!(catalog.ads_with_item(hash).count(), 0);
    }
}
