//! How folds begin: each takes its own state out of the newest sound snapshot, and one that has none there is built from the
//! log's beginning up to where the others stand.
//!
//! So a change of one fold's version costs that fold's replay and nothing else: above all not what users chose, which a log with
//! a retention does not keep as long.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use litfass_types::Position;

use super::gate::Gate;
use super::runner::{FoldError, FoldOptions, FoldRunner, GATE, GATE_VERSION, lock};
use super::snapshot::{BadSnapshot, Snapshot};
use super::{BadState, Fold};

/// One that has seen nothing.
pub(super) const fn gate(options: &FoldOptions) -> Gate {
    Gate::new(options.attribution_window, options.key_life, options.dedupe_keys_max)
}

impl FoldRunner {
    /// From its own snapshots or, where it has none that is sound, from those of another process: folds of one log are the same.
    pub(super) fn restore(&mut self, elsewhere: &[PathBuf]) -> Result<(), FoldError> {
        let heads = self.log.wait(&[], Duration::ZERO)?;
        let folders: Vec<_> = elsewhere.iter().map(|dir| self.files.of(dir)).collect();
        for files in [self.files.clone()].iter().chain(&folders) {
            for generation in files.generations()? {
                let path = files.path(generation);
                match files.read(generation)?.and_then(|snapshot| snapshot.within(&heads)) {
                    Ok(snapshot) => return self.take(&snapshot, &path),
                    Err(reason) => self.refuse(&path, &[reason]),
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, snapshot: &Snapshot, path: &Path) -> Result<(), FoldError> {
        let mut reasons = Vec::new();
        let own_gate = taken(snapshot, GATE, GATE_VERSION, |state| lock(&self.gate).restore(state));
        // What stands at the snapshot's positions already goes through no gate again.
        let gate = match own_gate {
            Ok(()) => Arc::new(RwLock::new(gate(&self.options))),
            Err(reason) => {
                reasons.push(reason);
                Arc::clone(&self.gate)
            }
        };
        let mut empty = Vec::new();
        for fold in &self.folds {
            if let Err(reason) = taken(snapshot, fold.name(), fold.version(), |state| fold.restore(state)) {
                fold.clear();
                empty.push(Arc::clone(fold));
                reasons.push(reason);
            }
        }
        if !reasons.is_empty() {
            self.refuse(path, &reasons);
            self.replay(&snapshot.next, &gate, &empty)?;
        }
        self.next.clone_from(&snapshot.next);
        self.progress.apply_up_to(&self.next);
        Ok(())
    }

    /// Applies what lies before those positions to folds, and a gate, that have seen nothing.
    fn replay(
        &self,
        until: &BTreeMap<u16, u64>,
        gate: &RwLock<Gate>,
        folds: &[Arc<dyn Fold>],
    ) -> Result<(), FoldError> {
        for (partition, end) in until {
            let mut from = Position { partition: *partition, offset: 0 };
            while from.offset < *end {
                let batch = self.read(from, folds)?;
                let before = batch.entries.iter().take_while(|entry| entry.position.offset < *end);
                before.for_each(|entry| self.apply(entry, gate, folds));
                from = batch.next;
            }
        }
        Ok(())
    }

    fn refuse(&self, path: &Path, reasons: &[BadSnapshot]) {
        self.progress.refused.fetch_add(1, Ordering::Relaxed);
        for reason in reasons {
            tracing::warn!(path = %path.display(), %reason, "folds: a snapshot is not used, or not in whole");
        }
    }
}

fn taken(
    snapshot: &Snapshot,
    name: &'static str,
    version: u32,
    restore: impl FnOnce(&[u8]) -> Result<(), BadState>,
) -> Result<(), BadSnapshot> {
    restore(snapshot.state(name, version)?).map_err(|e| BadSnapshot::State(name.to_owned(), e))
}
