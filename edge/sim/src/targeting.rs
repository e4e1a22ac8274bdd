//! Targeting expressions of the shop's line items: a recipe each, from run of network to nested include and exclude.

use serde_json::{Value, json};

use crate::draw::Draw;
use crate::words::DEPARTMENTS;

/// An expression that suits goods of `department`; about a third of them match everybody.
pub(crate) fn expression(draw: &mut Draw, department: usize) -> Value {
    let category = DEPARTMENTS[department].category;
    let likes = format!("likes-{category}");
    match draw.below(14) {
        0..=4 => json!({"all": []}),
        5 => json!({"category": [category]}),
        6 => json!({"all": [{"geo": ["DE", "FR"]}, {"device": ["mobile", "tablet"]}]}),
        7 => json!({"any": [{"keyword": keywords(department)}, {"category": [category]}]}),
        8 => json!({"segment": [likes, "bargain-hunter"]}),
        9 => json!({"not": {"geo": ["US-TX", "PL"]}}),
        10 => json!({"all": [{"key_value": {"loyalty": ["gold", "silver"]}}, {"not": {"device": ["tablet"]}}]}),
        11 => json!({"any": [{"geo": ["DE-BE", "US-CA/Fresno", "GB"]}, {"segment": [likes]}]}),
        12 => json!({"placement": [1, 2, 5]}),
        _ => json!({"all": [waking_hours(), {"not": {"os": ["linux"]}}]}),
    }
}

/// What people type who look for goods of this department.
fn keywords(department: usize) -> Vec<&'static str> {
    DEPARTMENTS[department].goods.iter().flat_map(|good| good.split(' ')).collect()
}

fn waking_hours() -> Value {
    let hours: Vec<u8> = (5..24).collect();
    json!({"daypart": {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "hours": hours}})
}
