//! Partitions whose writer is gone: another process takes their lock, ends what was torn, and says in the writer's place that
//! time passes, so that what waits for the log's append time does not wait for a process that never comes back.
//!
//! A stand-in writes nothing but heartbeats. The writer asks for its lock when it starts, and gets it within a look or two.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::partition::{PartitionWriter, lock_path};
use super::registry::Registered;
use super::segment_log::{Clock, LogOptions, News};
use super::worker::Worker;
use super::{OpenError, PartitionReader};
use crate::storage::{Storage, handover};

/// The partitions that this process stands in for, and how long the others have been quiet.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    quiet: BTreeMap<u16, Quiet>,
    kept: BTreeMap<u16, Kept>,
}

/// Since when a partition ends at that offset.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    next: u64,
    since: Instant,
}

/// Dropped, its partition is handed over.
#[derive(Debug)]
struct Kept {
    _worker: Worker,
    lock: PathBuf,
}

/// What a stand-in needs to write a partition.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) options: LogOptions,
    pub(super) clock: Clock,
    pub(super) news: Arc<News>,
}

impl StandIns {
    /// Hands over what is asked for, and takes what has been quiet for too long. Answers who reads the partition from now on;
    /// `None` where nothing changed.
    pub(super) fn look(
        &mut self,
        tools: &Tools,
        line: &Registered,
        dir: &Path,
        next: u64,
    ) -> Result<Option<PartitionReader>, OpenError> {
        let number = line.number;
        if let Some(kept) = self.kept.get(&number) {
            if !handover::is_wanted(&*tools.storage, &kept.lock)? {
                return Ok(None);
            }
            self.kept.remove(&number);
            self.quiet.remove(&number);
            tracing::info!(partition = number, writer = line.writer, "handed a partition back to its writer");
            return Ok(Some(PartitionReader::of_directory(Arc::clone(&tools.storage), dir, number)));
        }
        if !self.is_abandoned(number, next, tools.options.stand_in_after) {
            return Ok(None);
        }
        let lock_path = lock_path(dir);
        let Some(lock) = handover::keep(&*tools.storage, &lock_path)? else { return Ok(None) };
        let (writer, truncated) =
            PartitionWriter::under(lock, &tools.storage, dir, number, tools.options.segment_bytes)?;
        if let Some(cut) = truncated {
            tracing::warn!(?cut, "the end of a partition was cut off: it had not been committed");
        }
        tracing::warn!(partition = number, writer = line.writer, "a partition has no writer: standing in for it");
        let reader = writer.reader();
        let worker = Worker::start(writer, &tools.options, tools.clock.clone(), Arc::clone(&tools.news))?;
        self.kept.insert(number, Kept { _worker: worker, lock: lock_path });
        Ok(Some(reader))
    }

    /// Every live writer appends a heartbeat more often than that.
    fn is_abandoned(&mut self, number: u16, next: u64, after: Duration) -> bool {
        let now = Instant::now();
        let quiet = self.quiet.entry(number).or_insert(Quiet { next, since: now });
        if quiet.next != next {
            *quiet = Quiet { next, since: now };
        }
        now.duration_since(quiet.since) >= after
    }
}
