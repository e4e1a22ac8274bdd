//! `litfass explain`.

use std::io::Write;

use anyhow::{Context, Result, bail};
use litfass_decide::{DecisionRecord, Workspace};
use litfass_store::catalog::{CatalogStore, Wanted};
use litfass_store::wire::{self, Body};
use litfass_types::{AdvertiserId, DecisionId};

use super::Folder;
use super::explain_text::text;
use super::past::{Past, worlds};
use crate::console::view::ExplanationView;
use crate::explain::{Viewpoint, add_recomputed, explanation};
use crate::replay::one;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The decision: 32 hexadecimal digits.
    id: DecisionId,
    #[command(flatten)]
    folder: Folder,
    /// As this advertiser may see it: its own ads, and nothing of the others.
    #[arg(long)]
    advertiser: Option<u64>,
    /// Work out again, in the world of the decision's version, what the record does not keep; it is labelled so.
    #[arg(long)]
    recompute: bool,
    /// As JSON, the shape of GET /v1/decisions/ID.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let past = Past::open(&self.folder)?;
        let record = record_of(&past, self.id)?;
        let viewpoint = self.advertiser.map_or(Viewpoint::Platform, |id| Viewpoint::Advertiser(AdvertiserId(id)));
        let mut view = told(&past, &record, viewpoint)?;
        if self.recompute {
            let mut worlds = worlds(&past, record.inputs.now, record.inputs.now)?;
            add_recomputed(&mut view, &one(&record, &mut worlds, &mut Workspace::default())??);
        }
        let out = if self.json { serde_json::to_string_pretty(&view)? } else { text(&view) };
        writeln!(std::io::stdout(), "{out}")?;
        Ok(())
    }
}

/// A record that is on disk.
pub(super) fn record_of(past: &Past, id: DecisionId) -> Result<DecisionRecord> {
    let entry = past.log.find(id)?.with_context(|| format!("there is no record of decision {id}"))?;
    let Body::Decision(record) = wire::decode(&entry)?.body else { bail!("{id} is no decision's id") };
    Ok(*record)
}

/// Names come from the catalog as it was then; no more of it is read than the record names.
fn told(past: &Past, record: &DecisionRecord, viewpoint: Viewpoint) -> Result<ExplanationView> {
    let store = CatalogStore::open(&past.place)?;
    let candidates = record.full.iter().flat_map(|full| &full.candidates).map(|c| c.ad);
    let wanted = Wanted {
        ads: candidates.chain(record.market.entrants.ads().iter().copied()).collect(),
        placements: record.inputs.request.placements.iter().map(|p| p.id).collect(),
        ..Wanted::default()
    };
    let catalog = store.part_at(record.inputs.world.catalog, &wanted)?;
    // How many line items there were besides these is not known here.
    Ok(ExplanationView { line_items: 0, ..explanation(record, &catalog, viewpoint) })
}
