//! What a record keeps is what happened, and enough to do it again.

use litfass_decide::{DecisionRecord, ShownRecord};
use litfass_types::{Fate, PPM, Port, Prediction, Probability, Reading, Row, Unit};
use proptest::prelude::*;

use crate::made::{Decided, decisions};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_candidate_has_exactly_one_fate_at_every_placement(seed: u64) {
        for Decided { observed, shortlist, settled, record, .. } in decisions(seed).1 {
            let (candidates, fates) = (shortlist.candidates.len(), &settled.decision.fates);
            prop_assert_eq!(fates.unmarked(), 0);
            prop_assert_eq!((fates.candidates(), record.counts.len()), (candidates, observed.request.placements.len()));
            for (p, counts) in record.counts.iter().enumerate() {
                let all: u32 = counts.iter().map(|(_, n)| n).sum();
                let shown = record.shown.iter().filter(|s| usize::from(s.placement) == p).count();
                let counted = counts.iter().find(|(fate, _)| *fate == Fate::Shown).map_or(0, |(_, n)| *n);
                prop_assert_eq!(all as usize, candidates);
                prop_assert_eq!(counted as usize, shown);
            }
        }
    }

    #[test]
    fn a_full_record_agrees_with_the_counts_and_with_what_is_shown(seed: u64) {
        let (scene, decided) = decisions(seed);
        for Decided { shortlist, record, .. } in decided {
            let Some(full) = &record.full else { continue };
            prop_assert_eq!(&full.ineligible, &shortlist.ineligible);
            prop_assert_eq!(full.candidates.len(), shortlist.candidates.len());
            for (p, counts) in record.counts.iter().enumerate() {
                for fate in Fate::ALL {
                    let kept = full.candidates.iter().filter(|c| c.fates[p] == *fate).count();
                    let counted = counts.iter().find(|(f, _)| f == fate).map_or(0, |(_, n)| *n);
                    prop_assert_eq!(kept, counted as usize);
                }
            }
            for shown in &record.shown {
                let candidate = &full.candidates[usize::from(shown.row.0)];
                prop_assert_eq!((candidate.ad, candidate.line_item), (shown.ad, shown.line_item));
                prop_assert_eq!(candidate.fates[usize::from(shown.placement)], Fate::Shown);
            }
            for (i, candidate) in full.candidates.iter().enumerate() {
                prop_assert_eq!(candidate.line_item, scene.shop.ads[&candidate.ad].line_item);
                prop_assert_eq!((candidate.click, candidate.value), (shortlist.clicks[i], shortlist.values[i]));
                prop_assert_eq!(candidate.sources, shortlist.candidates.sources[i].0);
                prop_assert_ne!(candidate.sources, 0);
            }
        }
    }

    #[test]
    fn a_shown_ad_is_recorded_with_its_owners_and_with_the_features_it_was_predicted_from(seed: u64) {
        let (scene, decided) = decisions(seed);
        for Decided { shortlist, settled, record, .. } in decided {
            let shop = &scene.shop;
            prop_assert_eq!(record.shown.len(), settled.decision.shown.len());
            prop_assert_eq!(record.rows.len(), record.shown.len());
            for (i, (kept, shown)) in record.shown.iter().zip(&settled.decision.shown).enumerate() {
                let ad = &shop.ads[&kept.ad];
                let line_item = &shop.line_items[&kept.line_item];
                prop_assert_eq!((kept.line_item, kept.creative), (ad.line_item, ad.creative));
                prop_assert_eq!((kept.campaign, kept.advertiser), (line_item.campaign, shop.advertiser_of(line_item).id));
                prop_assert_eq!(record.rows.numbers_of(i), shortlist.rows.numbers_of(shown.entrant));
                prop_assert_eq!(record.rows.ids_of(i), shortlist.rows.ids_of(shown.entrant));
                prop_assert_eq!(kept.lease.0, i as u128 + 1);
                let placement = record.inputs.request.placements[usize::from(kept.placement)].id;
                prop_assert_eq!(kept.placement_id, placement);
            }
        }
    }

    #[test]
    fn replay_gives_the_page_that_was_recorded_to_the_bit(seed: u64) {
        for Decided { settled, record, .. } in decisions(seed).1 {
            let again = record.replay();
            prop_assert_eq!(&again.shown, &settled.decision.shown);
            for (kept, shown) in record.shown.iter().zip(&again.shown) {
                prop_assert_eq!((kept.row, kept.placement, kept.slot), (shown.row, shown.placement, shown.slot));
                prop_assert_eq!((kept.value, kept.price, kept.priced_by), (shown.value, shown.price, shown.priced_by));
                prop_assert_eq!((kept.explored, kept.propensity), (shown.explored, shown.propensity));
            }
            for entrant in record.market.entrants.iter() {
                for p in (0..record.market.placements.len()).filter(|p| entrant.admitted >> p & 1 == 1) {
                    prop_assert_eq!(again.fates.fate(entrant.row, p), settled.decision.fates.fate(entrant.row, p));
                }
            }
        }
    }

    #[test]
    fn replay_with_another_prediction_or_refusal_gives_another_page(seed: u64) {
        for Decided { settled, record, .. } in decisions(seed).1 {
            for (at, shown) in settled.decision.shown.iter().enumerate() {
                if shown.price.per != Unit::Mille {
                    let again = with_click(&record, shown.entrant).replay();
                    prop_assert_ne!(again.shown.get(at), Some(shown));
                }
                let mut unpaid = record.clone();
                unpaid.refused.push(litfass_market::Refusal { row: shown.row, fate: Fate::HoldRefused });
                prop_assert!(unpaid.replay().shown.iter().all(|s| s.row != shown.row));
            }
        }
    }

    #[test]
    fn what_is_shown_is_expected_to_earn_its_prices_times_what_has_to_happen_for_them(seed: u64) {
        for Decided { record, .. } in decisions(seed).1 {
            let earns = |shown: &ShownRecord| {
                let entrant = record.market.entrants.iter().position(|entrant| entrant.row == shown.row).unwrap();
                let click = u128::from(shown.click_in_slot.bits());
                let event = u128::from(shown.price.per_event().0.unsigned_abs());
                match shown.price.per {
                    Unit::Mille => event,
                    Unit::Click => (event * click) >> 32,
                    Unit::Action => (event * click * u128::from(record.market.predictions[entrant].conversion.bits())) >> 64,
                }
            };
            prop_assert_eq!(u128::from(record.expected_nanos()), record.shown.iter().map(earns).sum::<u128>());
        }
    }

    #[test]
    fn what_was_refused_is_recorded_and_never_shown(seed: u64) {
        for Decided { settled, record, .. } in decisions(seed).1 {
            prop_assert_eq!(&record.refused, &settled.refused);
            let shown: Vec<Row> = record.shown.iter().map(|s| s.row).collect();
            prop_assert!(record.refused.iter().all(|refused| !shown.contains(&refused.row)));
        }
    }

    #[test]
    fn what_did_not_answer_is_named_and_the_sample_keeps_what_it_is_told_to(seed: u64) {
        let (scene, decided) = decisions(seed);
        for Decided { observed, record, .. } in decided {
            let viewer = matches!(observed.viewer, Reading::Degraded { .. });
            let caps = matches!(observed.caps, Reading::Degraded { .. });
            prop_assert_eq!(record.inputs.degraded.contains(&Port::Viewer), viewer);
            prop_assert_eq!(record.inputs.degraded.contains(&Port::Caps), caps);
            prop_assert_eq!(&record.inputs.world, &scene.world.version);
            prop_assert_eq!(&record.inputs.request, &observed.request);
            let asked = observed.seed.derive(21).below(2) == 0;
            match scene.world.rules.record_full_ppm {
                0 => prop_assert_eq!(record.full.is_some(), asked),
                PPM => prop_assert!(record.full.is_some()),
                _ => prop_assert!(record.full.is_some() || !asked),
            }
        }
    }
}

/// The record as if that entrant's click had been thought half as probable.
fn with_click(record: &DecisionRecord, entrant: usize) -> DecisionRecord {
    let mut record = record.clone();
    let Prediction { click, conversion } = record.market.predictions[entrant];
    record.market.predictions[entrant] = Prediction { click: Probability::from_bits(click.bits() / 2), conversion };
    record
}
