//! From a request's block and one row to the hashes that a hashed model looks up.
//!
//! Invariant: the hashes come in one fixed order, those of the request first; an unknown half (0) gives no hash. Serving
//! and training both read them from here, so a cross is never stored and never skewed.

use litfass_types::hash_pair;

use crate::block::ViewerBlock;
use crate::set::{Cross, RequestId, RowId};

/// A half of a cross.
#[derive(Clone, Copy)]
enum Half {
    Request(RequestId),
    Row(RowId),
}

const fn halves(cross: Cross) -> Option<(RowId, Half)> {
    Some(match cross {
        Cross::CategoryPlacement => (RowId::Category, Half::Request(RequestId::Placement)),
        Cross::AdPlacement => (RowId::Ad, Half::Request(RequestId::Placement)),
        Cross::ItemDevice => (RowId::Item, Half::Request(RequestId::Device)),
        Cross::CategoryDevice => (RowId::Category, Half::Request(RequestId::Device)),
        Cross::ItemCountry => (RowId::Item, Half::Request(RequestId::Country)),
        Cross::CategoryPage => (RowId::Category, Half::Request(RequestId::PageCategory)),
        Cross::CategoryHour => (RowId::Category, Half::Request(RequestId::HourOfWeek)),
        Cross::ItemStage => (RowId::Item, Half::Request(RequestId::Stage)),
        Cross::ItemBought => (RowId::Item, Half::Row(RowId::BoughtState)),
        Cross::PopularityStage => (RowId::Popularity, Half::Request(RequestId::Stage)),
        Cross::PopularityBought => (RowId::Popularity, Half::Row(RowId::BoughtState)),
        Cross::PopularityGap => (RowId::Popularity, Half::Row(RowId::GapState)),
        Cross::BoughtStage => (RowId::BoughtState, Half::Request(RequestId::Stage)),
        Cross::HistoryItem | Cross::HistoryCategory => return None,
    })
}

/// The request's own hashes: the same for all its candidates.
pub fn request_hashes(block: &ViewerBlock) -> impl Iterator<Item = u64> + '_ {
    block.ids.iter().copied().filter(|id| *id != 0)
}

/// Calls `visit` with each hash of one row: its ids, its crosses, the viewer's history crossed with it.
pub fn row_hashes(block: &ViewerBlock, ids: &[u64], mut visit: impl FnMut(u64)) {
    let row = |feature: RowId| ids.get(feature.column()).copied().unwrap_or(0);
    for id in ids.iter().filter(|id| **id != 0) {
        visit(*id);
    }
    for (left, right) in Cross::ALL.iter().filter_map(|cross| halves(*cross)) {
        let a = row(left);
        let b = match right {
            Half::Request(feature) => block.id(feature),
            Half::Row(feature) => row(feature),
        };
        if a != 0 && b != 0 {
            visit(hash_pair(a, b));
        }
    }
    history(&block.items, row(RowId::Item), &mut visit);
    history(&block.categories, row(RowId::Category), &mut visit);
}

/// The older half first: what was done before, then what is offered.
fn history(past: &[u64], offered: u64, visit: &mut impl FnMut(u64)) {
    if offered != 0 {
        for hash in past {
            visit(hash_pair(*hash, offered));
        }
    }
}
