//! Folded state on disk: one file per generation with everything in it, so that all folds stand at the same positions.
//!
//! `LFFOLDS1` ‖ positions ‖ the folds' states, each with name and version ‖ BLAKE3 of all that. The last two generations are kept:
//! a damaged one is named and passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codec::{BadState, Reader, Writer};
use crate::log::Head;
use crate::storage::{Storage, StorageError, ensure_dir, read_whole, write_atomic};

const MAGIC: &[u8; 8] = b"LFFOLDS1";
const CHECKSUM: usize = 32;
const PREFIX: &str = "folds-";
/// Generations kept: the newest, and the one before it in case that one is damaged.
const KEPT: usize = 2;

/// Why a snapshot is not used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum BadSnapshot {
    #[error("is no snapshot of folds")]
    Foreign,
    #[error("does not match its checksum")]
    Checksum,
    #[error("has no state of `{0}` in version {1}")]
    Missing(&'static str, u32),
    #[error("{0}: {1}")]
    State(String, BadState),
    #[error("is at offset {offset} of partition {partition}, beyond the log's end at {end}")]
    AheadOfLog { partition: u16, offset: u64, end: u64 },
}

/// State of all folds as of one position per partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Snapshot {
    /// Per partition: the next offset to read.
    pub(super) next: BTreeMap<u16, u64>,
    pub(super) states: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Snapshot {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.length(self.next.len());
        for (partition, offset) in &self.next {
            out.number((*partition).into());
            out.number(*offset);
        }
        out.length(self.states.len());
        for (name, (version, state)) in &self.states {
            out.bytes(name.as_bytes());
            out.number((*version).into());
            out.bytes(state);
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(out.finish());
        bytes.extend(blake3::hash(&bytes).as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, BadSnapshot> {
        if !bytes.starts_with(MAGIC) {
            return Err(BadSnapshot::Foreign);
        }
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(BadSnapshot::Checksum)?;
        if blake3::hash(content).as_bytes() != checksum {
            return Err(BadSnapshot::Checksum);
        }
        let body = content.get(MAGIC.len()..).unwrap_or_default();
        Self::read(body).map_err(|e| BadSnapshot::State("the snapshot itself".to_owned(), e))
    }

    fn read(body: &[u8]) -> Result<Self, BadState> {
        let mut rest = Reader::new(body);
        let next = rest.list(|rest| Ok((rest.narrow("a partition")?, rest.number()?)))?;
        let states = rest.list(|rest| {
            let name = String::from_utf8_lossy(rest.bytes()?).into_owned();
            Ok((name, (rest.narrow("a version")?, rest.bytes()?.to_vec())))
        })?;
        rest.finish()?;
        Ok(Self { next: next.into_iter().collect(), states: states.into_iter().collect() })
    }

    /// Itself, where the log reaches as far.
    pub(super) fn within(self, heads: &[Head]) -> Result<Self, BadSnapshot> {
        for (partition, offset) in &self.next {
            let end = heads.iter().find(|head| head.next.partition == *partition).map_or(0, |head| head.next.offset);
            if *offset > end {
                return Err(BadSnapshot::AheadOfLog { partition: *partition, offset: *offset, end });
            }
        }
        Ok(self)
    }

    /// The state of that fold in that version.
    pub(super) fn state(&self, name: &'static str, version: u32) -> Result<&[u8], BadSnapshot> {
        let found = self.states.get(name).filter(|(written, _)| *written == version);
        found.map(|(_, state)| state.as_slice()).ok_or(BadSnapshot::Missing(name, version))
    }
}

/// The directory in which generations lie.
#[derive(Clone, Debug)]
pub(super) struct SnapshotFiles {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
}

impl SnapshotFiles {
    pub(super) fn open(storage: Arc<dyn Storage>, dir: &Path) -> Result<Self, StorageError> {
        ensure_dir(&*storage, dir)?;
        Ok(Self { storage, dir: dir.to_owned() })
    }

    /// Those in another directory.
    pub(super) fn of(&self, dir: &Path) -> Self {
        Self { storage: Arc::clone(&self.storage), dir: dir.to_owned() }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Numbers of the generations that are there, the newest first.
    pub(super) fn generations(&self) -> Result<Vec<u64>, StorageError> {
        let names = self.storage.list(&self.dir)?;
        let number = |name: &String| name.strip_prefix(PREFIX)?.parse().ok().filter(|n| file_name(*n) == *name);
        let mut generations: Vec<u64> = names.iter().filter_map(number).collect();
        generations.sort_unstable_by(|a, b| b.cmp(a));
        Ok(generations)
    }

    pub(super) fn path(&self, generation: u64) -> PathBuf {
        self.dir.join(file_name(generation))
    }

    pub(super) fn read(&self, generation: u64) -> Result<Result<Snapshot, BadSnapshot>, StorageError> {
        let bytes = read_whole(&*self.storage, &self.path(generation))?;
        Ok(bytes.map_or(Err(BadSnapshot::Foreign), |bytes| Snapshot::decode(&bytes)))
    }

    /// Writes the next generation and forgets those before the last two.
    pub(super) fn write(&self, snapshot: &Snapshot) -> Result<(), StorageError> {
        let generations = self.generations()?;
        let next = generations.first().map_or(1, |newest| newest.saturating_add(1));
        write_atomic(&*self.storage, &self.path(next), &snapshot.encode())?;
        for old in generations.iter().skip(KEPT - 1) {
            self.storage.remove(&self.path(*old))?;
        }
        Ok(())
    }
}

/// Per partition: where a runner begins to read that goes on from the oldest snapshot kept in `dir`. A partition that is missing
/// is read from its beginning.
///
/// # Errors
/// When the directory cannot be read.
pub fn snapshots_from(storage: Arc<dyn Storage>, dir: &Path) -> Result<BTreeMap<u16, u64>, StorageError> {
    let files = SnapshotFiles::open(storage, dir)?;
    let mut from: Option<BTreeMap<u16, u64>> = None;
    for generation in files.generations()? {
        let Ok(snapshot) = files.read(generation)? else { continue };
        let next = match from {
            None => snapshot.next,
            Some(mut from) => {
                from.retain(|partition, _| snapshot.next.contains_key(partition));
                from.iter_mut().for_each(|(partition, next)| *next = (*next).min(snapshot.next[partition]));
                from
            }
        };
        from = Some(next);
    }
    Ok(from.unwrap_or_default())
}

fn file_name(generation: u64) -> String {
    format!("{PREFIX}{generation:020}")
}
