//! How the process is: its workers, how far readers of the log are behind, the disk, and what it decides with.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use litfass_store::ledger::LedgerReader;

use crate::console::numbers::grouped;
use crate::console::operating::{HealthView, PartitionView};
use crate::metrics::label::{Check, Label};
use crate::node::Node;

impl Node {
    /// # Errors
    /// When the log or the ledger cannot be read.
    pub fn health_view(&self, ledger: &dyn LedgerReader) -> Result<HealthView> {
        let world = self.world.load();
        Ok(HealthView {
            uptime_s: self.began.elapsed().as_secs(),
            catalog_version: world.catalog.version().sequence,
            failing: self.readiness.failing().into_iter().map(Check::value).collect(),
            workers: self.readiness.pulse.all(),
            partitions: self.partitions(ledger)?,
            folds: self.fold_facts(),
            disk: self.disk_facts(),
            world: self.world_facts(),
            config: self.config.print(),
        })
    }

    fn partitions(&self, ledger: &dyn LedgerReader) -> Result<Vec<PartitionView>> {
        // The ledger first: what it has consumed is then at most what is written.
        let consumed: BTreeMap<u16, u64> = ledger.positions()?.into_iter().map(|(p, row)| (p, row.next)).collect();
        let heads = self.log.wait(&[], Duration::ZERO)?;
        let views = heads.iter().map(|head| {
            let (number, written) = (head.next.partition, head.next.offset);
            let behind = |at: u64| written.saturating_sub(at);
            PartitionView {
                number,
                written,
                ledger_behind: consumed.get(&number).copied().map(behind),
                folds_behind: self.folds.applied(number).map(|at| behind(at.offset)),
                last_ms: (written > 0).then_some(head.append_time.0),
            }
        });
        Ok(views.collect())
    }

    fn fold_facts(&self) -> Vec<(String, String)> {
        let rows = [
            ("Entries behind", self.folds.lag()),
            ("Entries applied since the start", self.folds.entries()),
            ("Entries that could not be read", self.folds.undecodable()),
        ];
        rows.into_iter().map(|(name, count)| (name.to_owned(), grouped(count))).collect()
    }

    fn world_facts(&self) -> Vec<(String, String)> {
        let (world, pacing) = (self.world.load(), self.pacing.current());
        let catalog = &world.catalog;
        let count = |count: usize| grouped(count as u64);
        vec![
            ("Ads served".to_owned(), count(catalog.live_ads().count())),
            ("Line items".to_owned(), count(catalog.live_line_items().count())),
            ("of these with funds now".to_owned(), count(pacing.funded.len())),
            ("held back by pacing".to_owned(), count(pacing.multipliers_ppm.len())),
            ("Pacing table".to_owned(), pacing.number.to_string()),
        ]
    }

    fn disk_facts(&self) -> Vec<(String, String)> {
        let path = self.data.path();
        let mut facts = vec![("Data directory".to_owned(), path.display().to_string())];
        match rustix::fs::statvfs(path) {
            Ok(found) => {
                let gib = |blocks: u64| size(u128::from(blocks) * u128::from(found.f_frsize));
                facts.push(("Free".to_owned(), gib(found.f_bavail)));
                facts.push(("Of".to_owned(), gib(found.f_blocks)));
            }
            Err(error) => facts.push(("Free".to_owned(), format!("unknown: {error}"))),
        }
        facts
    }
}

/// Bytes as people say them, with one digit.
fn size(bytes: u128) -> String {
    let tenths = bytes * 10 / (1 << 30);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}
