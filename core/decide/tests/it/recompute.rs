//! A full record holds enough to make its decision again, however the catalog lies in memory by then.

use std::sync::Arc;

use litfass_catalog::model::{Object, Status};
use litfass_catalog::{AdOrder, Bitset, Catalog, Schedule};
use litfass_decide::{At, NotRecomputable, PacingColumns, Workspace, World, recompute};
use litfass_retrieval::{AdSignals, SourceIndex};
use litfass_types::{CatalogVersion, LineItemId, LineItemIx};
use proptest::prelude::*;

use crate::made::{Decided, decisions};

/// The same world around another catalog; what recomputing must not read is left empty.
fn around(world: &World, catalog: Catalog) -> World {
    let columns = pacing(world, &catalog);
    World {
        version: world.version.clone(),
        schedule: Arc::new(Schedule::at(&catalog, world.schedule.validity().0)),
        signals: Arc::new(AdSignals::default()),
        sources: Arc::new(SourceIndex::default()),
        profile: Arc::clone(&world.profile),
        pacing: Arc::new(columns),
        rules: Arc::clone(&world.rules),
        catalog: Arc::new(catalog),
    }
}

/// The same table by the other catalog's numbers.
fn pacing(world: &World, catalog: &Catalog) -> PacingColumns {
    let rows = catalog.line_items() as usize;
    let (old, mut new) = (
        &world.pacing,
        PacingColumns {
            number: world.pacing.number,
            multipliers_ppm: vec![litfass_types::PPM; rows],
            funded: Bitset::new(rows),
            paced_out: Bitset::new(rows),
            by_requests: Vec::new(),
        },
    );
    for LineItemIx(to) in catalog.live_line_items() {
        let id: LineItemId = catalog.line_item(LineItemIx(to)).id;
        let Some(from) = world.catalog.line_item_by_id(id) else { continue };
        new.multipliers_ppm[to as usize] = old.multiplier(from);
        if old.funded.contains(from.0) {
            new.funded.insert(to);
        }
        if old.paced_out.contains(from.0) {
            new.paced_out.insert(to);
        }
        let share = old.by_requests.iter().find(|(_, known, _)| *known == id);
        new.by_requests.extend(share.map(|(.., share)| (LineItemIx(to), id, *share)));
    }
    new
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_same_decision_comes_out_in_the_same_world_on_another_base(seed: u64) {
        let (scene, decided) = decisions(seed);
        let rebuilt = around(&scene.world, scene.world.catalog.merged(AdOrder::ByLineItem));
        let mut workspace = Workspace::default();
        for Decided { record, .. } in decided {
            if record.full.is_none() {
                prop_assert_eq!(recompute(&record, &rebuilt, &mut workspace), Err(NotRecomputable::NotFull));
                continue;
            }
            let again = recompute(&record, &rebuilt, &mut workspace).unwrap();
            prop_assert_eq!(&again.flips, &[]);
            prop_assert_eq!((again.scores.beyond, again.scores.worst), (0, 0.0));
        }
    }

    #[test]
    fn a_world_that_has_changed_since_shows_as_flips(seed: u64) {
        let (scene, decided) = decisions(seed);
        for Decided { record, .. } in decided.into_iter().filter(|d| d.record.full.is_some()) {
            let Some(shown) = record.shown.first() else { continue };
            let catalog = &scene.world.catalog;
            let mut line_item = catalog.line_item_object(catalog.line_item_by_id(shown.line_item).unwrap());
            line_item.status = Status::Paused;
            let version = CatalogVersion { sequence: 99, ..catalog.version() };
            let paused = catalog.with_changes(version, [Object::LineItem(line_item)]).unwrap();
            let again = recompute(&record, &around(&scene.world, paused), &mut Workspace::default()).unwrap();
            prop_assert!(again.flips.iter().any(|flip| flip.at == At::Eligible(shown.ad)), "{:?}", again.flips);
        }
    }
}
