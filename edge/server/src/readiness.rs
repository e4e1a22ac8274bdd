//! Whether this process should be sent requests: what it needs works, and it is not about to end.
//!
//! Liveness is another question: a process that is not ready may well recover (a disk gets room again), so `/healthz` says only
//! that it runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use litfass_store::fold::Progress;
use litfass_store::ledger::LedgerReader;
use litfass_store::log::LogHealth;

use crate::metrics::Metrics;
use crate::metrics::label::{Check, Label};
use crate::workers::promotion::Completion;
use crate::workers::pulse::Pulse;

/// What is looked at.
#[derive(Debug)]
pub struct Readiness {
    pub log: Arc<dyn LogHealth>,
    pub ledger: Arc<dyn LedgerReader>,
    pub folds: Arc<Progress>,
    pub pulse: Arc<Pulse>,
    pub completion: Arc<Completion>,
    pub metrics: Arc<Metrics>,
    pub data_dir: PathBuf,
    /// Bytes.
    pub disk_free_min: u64,
    pub draining: AtomicBool,
}

impl Readiness {
    /// From now on nothing new should come: the process ends.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The checks that failed, none where requests are welcome; what failed in full is in the process's log and the metrics. It
    /// asks the database and the disk, so it may take as long as they do.
    #[must_use]
    pub fn failing(&self) -> Vec<Check> {
        let failing: Vec<_> = Check::ALL.iter().copied().filter(|check| !self.passes(*check)).collect();
        for check in Check::ALL {
            self.metrics.ready.set(*check, if failing.contains(check) { 0.0 } else { 1.0 });
        }
        failing
    }

    fn passes(&self, check: Check) -> bool {
        match check {
            Check::Draining => !self.draining.load(Ordering::Relaxed),
            Check::Log => self.log.ailment().is_none(),
            Check::Disk => self.has_room(),
            Check::Ledger => self.ledger.positions().is_ok(),
            Check::Folds => self.folds.is_well(),
            Check::Workers => self.pulse.ailing().is_empty(),
        }
    }

    fn has_room(&self) -> bool {
        let Ok(disk) = rustix::fs::statvfs(&self.data_dir) else { return false };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        self.metrics.disk_free.set((), free as f64);
        free >= self.disk_free_min
    }
}
