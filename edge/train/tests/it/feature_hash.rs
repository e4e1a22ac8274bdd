//! The feature hash against vectors that another implementation made.

use std::path::Path;

use litfass_rank::Model;
use litfass_types::{FEATURE_HASH_SEED, hash_pair, xxh64};
use serde_json::Value;

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/feature-hash/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture is there")).expect("the fixture is JSON")
}

fn number(vector: &Value, field: &str) -> u64 {
    u64::from_str_radix(vector[field].as_str().expect("digits"), 16).expect("hexadecimal digits")
}

fn text_hash(vector: &Value, field: &str) -> u64 {
    xxh64(vector[field].as_str().expect("text").as_bytes(), FEATURE_HASH_SEED)
}

fn each(kind: &str, check: impl Fn(&Value) -> bool) {
    let vectors = vectors();
    let list = vectors[kind].as_array().expect("a list");
    assert!(!list.is_empty());
    for vector in list {
        assert!(check(vector), "{kind}: {vector}");
    }
}

#[test]
fn texts_hash_as_xxhash_says() {
    each("texts", |v| text_hash(v, "text") == number(v, "hash"));
}

#[test]
fn pairs_numbers_and_crosses_hash_as_xxhash_says() {
    each("pairs", |v| hash_pair(number(v, "a"), number(v, "b")) == number(v, "hash"));
    each("numbered", |v| {
        hash_pair(text_hash(v, "feature"), v["value"].as_u64().expect("a number")) == number(v, "hash")
    });
    each("crossed", |v| hash_pair(text_hash(v, "left"), text_hash(v, "right")) == number(v, "hash"));
}

#[test]
fn a_slot_is_the_low_bits() {
    each("slots", |v| {
        let rows = 1_usize << v["bits"].as_u64().expect("bits");
        Model::index(number(v, "hash"), rows) as u64 == v["slot"].as_u64().expect("a slot")
    });
}
