//! Which partitions a process bills, where several do: each partition has one reader at a time.
//!
//! Nothing is safer for it, the ledger refuses what was billed already; it only spares work that would be refused. A reader
//! has the lock of each of its partitions. It always asks for those it writes itself; others it takes where nobody has them,
//! one at a look, so that several processes come to share them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ReadError;
use crate::storage::{Lock, Storage, ensure_dir, handover};

/// The partitions that are ours to read just now.
pub trait Share: Debug + Send {
    /// Looks again; `partitions` are all there are.
    ///
    /// # Errors
    /// When the disk fails.
    fn look(&mut self, partitions: &[u16]) -> Result<BTreeSet<u16>, ReadError>;
}

/// The only reader there is.
#[derive(Debug)]
pub struct Alone;

impl Share for Alone {
    fn look(&mut self, partitions: &[u16]) -> Result<BTreeSet<u16>, ReadError> {
        Ok(partitions.iter().copied().collect())
    }
}

/// One of several readers, on one disk.
#[derive(Debug)]
pub struct Shares {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    /// Partitions that this process writes.
    home: BTreeSet<u16>,
    held: BTreeMap<u16, Box<dyn Lock>>,
    /// Nobody had them at the last look.
    free: BTreeSet<u16>,
}

impl Shares {
    /// # Errors
    /// When the directory for the locks cannot be made.
    pub fn open(storage: Arc<dyn Storage>, dir: &Path, home: BTreeSet<u16>) -> Result<Self, ReadError> {
        ensure_dir(&*storage, dir)?;
        Ok(Self { storage, dir: dir.to_owned(), home, held: BTreeMap::new(), free: BTreeSet::new() })
    }

    fn lock_path(&self, partition: u16) -> PathBuf {
        self.dir.join(format!("{partition}.lock"))
    }

    fn hand_over(&mut self) -> Result<(), ReadError> {
        let mut wanted = Vec::new();
        for partition in self.held.keys().filter(|partition| !self.home.contains(partition)) {
            if handover::is_wanted(&*self.storage, &self.lock_path(*partition))? {
                wanted.push(*partition);
            }
        }
        wanted.iter().for_each(|partition| drop(self.held.remove(partition)));
        Ok(())
    }

    fn ask_for_own(&mut self) -> Result<(), ReadError> {
        for partition in self.home.clone() {
            if self.held.contains_key(&partition) {
                continue;
            }
            if let Some(lock) = handover::take_or_ask(&*self.storage, &self.lock_path(partition))? {
                self.held.insert(partition, lock);
            }
        }
        Ok(())
    }

    /// Whose own reader has not taken it between two looks has none that lives.
    fn take_one(&mut self, partitions: &[u16]) -> Result<(), ReadError> {
        let (before, mut taken) = (std::mem::take(&mut self.free), false);
        for partition in partitions.iter().filter(|p| !self.home.contains(p)) {
            if self.held.contains_key(partition) {
                continue;
            }
            let Some(lock) = handover::keep(&*self.storage, &self.lock_path(*partition))? else { continue };
            if before.contains(partition) && !taken {
                handover::withdraw(&*self.storage, &self.lock_path(*partition))?;
                self.held.insert(*partition, lock);
                taken = true;
            } else {
                self.free.insert(*partition);
            }
        }
        Ok(())
    }
}

impl Share for Shares {
    fn look(&mut self, partitions: &[u16]) -> Result<BTreeSet<u16>, ReadError> {
        self.hand_over()?;
        self.ask_for_own()?;
        self.take_one(partitions)?;
        Ok(self.held.keys().copied().collect())
    }
}
