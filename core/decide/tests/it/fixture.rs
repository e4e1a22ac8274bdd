//! Decisions that were made once and have to come out the same in every build and on every machine.
//!
//! A line holds the world's and the request's number, how many candidates and entrants there were, digests of everything
//! decided, and the page in full. `UPDATE_FIXTURES=1` writes the file again; a change of it is a change of behaviour.

use std::fmt::Write;

use litfass_types::{FEATURE_HASH_SEED, xxh64};

use crate::made::{Decided, decide};
use crate::scene::Scene;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/decisions.txt");
const WORLDS: u64 = 40;
const REQUESTS: u64 = 5;

#[test]
#[expect(clippy::disallowed_methods, reason = "a developer's wish to write the fixture is given in the environment")]
fn recorded_decisions_come_out_as_they_were() {
    let text = made();
    if std::env::var("UPDATE_FIXTURES").is_ok() {
        std::fs::write(PATH, &text).unwrap();
    }
    let kept = std::fs::read_to_string(PATH).unwrap();
    for (kept, made) in kept.lines().zip(text.lines()) {
        assert_eq!(kept, made);
    }
    assert_eq!(kept.lines().count(), text.lines().count());
}

fn made() -> String {
    let mut text = String::new();
    for world in 0..WORLDS {
        let scene = Scene::random(world);
        for request in 0..REQUESTS {
            let refuse_percent = if request == 0 { 40 } else { 0 };
            let decided = decide(&scene.world, scene.request(world * 100 + request), refuse_percent);
            writeln!(text, "world {world} request {request}: {}", line(&decided)).unwrap();
        }
    }
    text
}

fn line(decided: &Decided) -> String {
    let Decided { shortlist, market, record, .. } = decided;
    let shown = record.shown.iter().map(|s| {
        let (drawn, per) = (if s.explored { " drawn" } else { "" }, format!("{:?}", s.price.per).to_lowercase());
        format!("{}.{} ad {} at {} per {per}{drawn}", s.placement, s.slot, s.ad, s.price.micros)
    });
    let page = shown.collect::<Vec<_>>().join(", ");
    let (candidates, entrants) = (shortlist.candidates.len(), market.entrants.len());
    let page = if page.is_empty() { "nothing".to_owned() } else { page };
    format!("{candidates} candidates, {entrants} entrants; {}; {page}", digests(decided))
}

fn digests(decided: &Decided) -> String {
    let Decided { shortlist, market, settled, record, .. } = decided;
    let mut bytes = Vec::new();
    for (ad, (click, value)) in shortlist.candidates.ad.iter().zip(shortlist.clicks.iter().zip(&shortlist.values)) {
        bytes.extend(ad.0.to_le_bytes());
        bytes.extend(click.bits().to_le_bytes());
        bytes.extend(value.0.to_le_bytes());
    }
    let candidates = digest(&mut bytes);
    bytes
        .extend(shortlist.viewer.numbers.iter().chain(&shortlist.rows.numbers).flat_map(|x| x.to_bits().to_le_bytes()));
    bytes.extend(shortlist.viewer.ids.iter().chain(&shortlist.rows.ids).flat_map(|id| id.to_le_bytes()));
    let features = digest(&mut bytes);
    bytes.extend(
        market.predictions.iter().flat_map(|p| [p.click.bits(), p.conversion.bits()]).flat_map(u32::to_le_bytes),
    );
    let predictions = digest(&mut bytes);
    for shown in &record.shown {
        bytes.extend(shown.value.0.to_le_bytes());
        bytes.extend(shown.propensity.bits().to_le_bytes());
        bytes.extend(shown.click_in_slot.bits().to_le_bytes());
    }
    for row in (0..u16::MAX).map(litfass_types::Row).take(shortlist.candidates.len()) {
        let fates = (0..market.placements.len()).map(|p| settled.decision.fates.fate(row, p));
        bytes.extend(fates.map(|fate| fate.map_or(0, litfass_types::Fate::number)));
    }
    format!("{candidates} {features} {predictions} {}", digest(&mut bytes))
}

/// Of the bytes so far, which are then forgotten.
fn digest(bytes: &mut Vec<u8>) -> String {
    let hash = xxh64(bytes, FEATURE_HASH_SEED);
    bytes.clear();
    format!("{hash:016x}")
}
