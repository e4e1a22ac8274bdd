//! A file system in memory that can lose its power.
//!
//! It keeps two states of everything: what a running process sees, and what is on the platter. A sync copies from the first
//! to the second. [`SimDisk::after_power_loss`] starts again from the platter plus, drawn per file and per directory, some of
//! what was still on its way there: nothing, a prefix, single sectors with holes of zeros between them, or all of it.
//! [`SimDisk::after_kill`] goes on with what the killed process had written, synced or not; its own handles are dead.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use litfass_types::Seed;

use super::{Lock, Open, Storage, StorageError, StoredFile, SyncSite};

const SECTOR: usize = 512;

/// One simulated disk, as one process has it; clones share it.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    process: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Node {
    Directory,
    File(u64),
}

/// One change of a directory: names taken away, names given.
#[derive(Clone, Debug)]
struct Naming {
    gone: Option<PathBuf>,
    given: Option<(PathBuf, Node)>,
}

#[derive(Clone, Debug, Default)]
struct Bytes {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Up to here both are equal.
    clean: usize,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    unsynced_names: BTreeMap<PathBuf, Vec<Naming>>,
    files: BTreeMap<u64, Bytes>,
    locks: BTreeSet<PathBuf>,
    operations: u64,
    /// The process that is alive.
    process: u64,
    /// At which change it ends, and how much of that one is done.
    end: Option<(u64, Seed)>,
    left_out: Option<SyncSite>,
    /// Bytes that all files may have together.
    capacity: Option<usize>,
    sync_fails: bool,
    syncs: BTreeMap<SyncSite, u64>,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk: `/` is there.
    #[must_use]
    pub fn new() -> Self {
        let root = BTreeMap::from([(PathBuf::from("/"), Node::Directory)]);
        let state = State { names: root.clone(), durable_names: root, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), process: 0 }
    }

    /// The process ends at the `operation`-th change from the start: that one is done in part, and from then on everything
    /// fails. Whether it was killed or the power went is up to which of the two disks is gone on with.
    pub fn end_at(&self, operation: u64, seed: Seed) {
        self.state().end = Some((operation, seed));
    }

    /// Leaves out every sync of that site from now on: what a test of the test breaks.
    pub fn leave_out(&self, site: SyncSite) {
        self.state().left_out = Some(site);
    }

    /// From now on all files together can have this many bytes; a write that would make them more is done in part and fails.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.state().capacity = bytes;
    }

    /// The next sync of a file fails, and what it should have made durable stays as it is.
    pub fn fail_next_sync(&self) {
        self.state().sync_fails = true;
    }

    /// Changes made so far: writes, cuts, names, syncs.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How often each site was synced so far, left out or not.
    #[must_use]
    pub fn syncs(&self) -> BTreeMap<SyncSite, u64> {
        self.state().syncs.clone()
    }

    /// Has it not ended?
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.state().is_alive(self.process)
    }

    /// The disk as the next process finds it when this one was killed now: whatever was written is there, synced or not.
    /// Handles of the killed one do nothing any more.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let mut state = self.state();
        state.process += 1;
        state.end = None;
        state.locks.clear();
        Self { state: Arc::clone(&self.state), process: state.process }
    }

    /// The disk as a machine finds it that starts again after the power went now. This one is not touched, so one run can be
    /// asked after many cuts.
    #[must_use]
    pub fn after_power_loss(&self, seed: Seed) -> Self {
        let state = self.state();
        let mut names = state.durable_names.clone();
        for (turn, (_, changes)) in state.unsynced_names.iter().enumerate() {
            let survive = fraction(seed.derive(1).derive(turn as u64), changes.len());
            changes.iter().take(survive).for_each(|change| change.apply(&mut names));
        }
        drop_orphans(&mut names);
        let files = names.values().filter_map(|node| match node {
            Node::File(id) => Some((*id, Bytes::settled(state.files.get(id)?.survivor(seed.derive(2).derive(*id))))),
            Node::Directory => None,
        });
        let files = files.collect();
        let fresh = State { durable_names: names.clone(), names, files, left_out: state.left_out, ..State::default() };
        Self { state: Arc::new(Mutex::new(fresh)), process: 0 }
    }

    /// What is in a file now, as a running process sees it: for tests that damage it.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let id = state.file(path).ok()?;
        state.files.get(&id).map(|file| file.seen.clone())
    }

    /// Puts bytes there, durably, past every rule: the damage itself.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state();
        if let Ok(id) = state.file(path) {
            state.files.insert(id, Bytes::settled(bytes));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For what changes nothing.
    fn look(&self, doing: &'static str, path: &Path) -> Result<MutexGuard<'_, State>, StorageError> {
        let state = self.state();
        state.check(self.process, doing, path)?;
        Ok(state)
    }

    /// For what counts as one change; fails where the process has ended or ends with it.
    fn change(&self, doing: &'static str, path: &Path) -> Result<MutexGuard<'_, State>, StorageError> {
        let mut state = self.state();
        state.count(self.process);
        state.check(self.process, doing, path)?;
        Ok(state)
    }
}

/// None, all, or any number in between of `n`, each of the three about as often.
fn fraction(seed: Seed, n: usize) -> usize {
    match seed.derive(0).below(3) {
        0 => 0,
        1 => n,
        _ => usize::try_from(seed.derive(1).below(n as u64 + 1)).unwrap_or(n),
    }
}

/// What lies in a directory whose own name was lost is lost with it.
fn drop_orphans(names: &mut BTreeMap<PathBuf, Node>) {
    let known = names.clone();
    names.retain(|path, _| path.ancestors().skip(1).all(|above| known.get(above) == Some(&Node::Directory)));
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((path, node)) = &self.given {
            names.insert(path.clone(), *node);
        }
    }
}

impl Bytes {
    fn settled(bytes: Vec<u8>) -> Self {
        Self { clean: bytes.len(), durable: bytes.clone(), seen: bytes }
    }

    fn sync(&mut self) {
        self.durable.truncate(self.clean);
        self.durable.extend_from_slice(self.seen.get(self.clean..).unwrap_or_default());
        self.clean = self.durable.len();
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.seen.len() < end {
            self.clean = self.clean.min(self.seen.len());
            self.seen.resize(end, 0);
        }
        self.clean = self.clean.min(offset);
        if let Some(place) = self.seen.get_mut(offset..end) {
            place.copy_from_slice(bytes);
        }
    }

    fn cut(&mut self, length: usize) {
        self.clean = self.clean.min(length).min(self.seen.len());
        self.seen.resize(length, 0);
    }

    /// The length lies between the old and the new one; each sector of it is old, new, or was never written.
    fn survivor(&self, seed: Seed) -> Vec<u8> {
        let (short, long) = (self.durable.len().min(self.seen.len()), self.durable.len().max(self.seen.len()));
        let grown = self.seen.len() >= self.durable.len();
        let kept = fraction(seed.derive(1), long - short);
        let length = if grown { short + kept } else { long - kept };
        let mode = seed.derive(2).below(4);
        let mut bytes: Vec<u8> = self.durable.iter().copied().chain(std::iter::repeat(0)).take(length).collect();
        for (sector, place) in bytes.chunks_mut(SECTOR).enumerate() {
            let arrived = mode != 0 || seed.derive(3).derive(sector as u64).below(2) == 0;
            let new = self.seen.get(sector * SECTOR..).unwrap_or_default();
            if arrived {
                place.iter_mut().zip(new).for_each(|(old, new)| *old = *new);
            }
        }
        bytes
    }
}

impl State {
    fn is_alive(&self, process: u64) -> bool {
        self.process == process && self.end.is_none_or(|(at, _)| self.operations <= at)
    }

    fn count(&mut self, process: u64) {
        if self.process == process {
            self.operations += 1;
        }
    }

    fn check(&self, process: u64, doing: &'static str, path: &Path) -> Result<(), StorageError> {
        if self.is_alive(process) {
            return Ok(());
        }
        Err(StorageError::new(doing, path, io::Error::other("the process has ended")))
    }

    fn file(&self, path: &Path) -> Result<u64, StorageError> {
        match self.names.get(path) {
            Some(Node::File(id)) => Ok(*id),
            _ => Err(StorageError::new("open", path, io::ErrorKind::NotFound.into())),
        }
    }

    fn rename_durably_later(&mut self, dir: &Path, change: Naming) {
        change.apply(&mut self.names);
        self.unsynced_names.entry(dir.to_owned()).or_default().push(change);
    }

    fn directory_of(&self, path: &Path) -> Result<PathBuf, StorageError> {
        let dir = path.parent().unwrap_or_else(|| Path::new("/")).to_owned();
        match self.names.get(&dir) {
            Some(Node::Directory) => Ok(dir),
            _ => Err(StorageError::new("find the directory of", path, io::ErrorKind::NotFound.into())),
        }
    }

    /// How many of `wanted` bytes at `offset` of a file still fit.
    fn room(&self, id: u64, offset: usize, wanted: usize) -> usize {
        let Some(capacity) = self.capacity else { return wanted };
        let others: usize = self.files.iter().filter(|(other, _)| **other != id).map(|(_, file)| file.seen.len()).sum();
        let own = self.files.get(&id).map_or(0, |file| file.seen.len());
        let end = (offset + wanted).max(own).min(capacity.saturating_sub(others).max(own));
        end.saturating_sub(offset).min(wanted)
    }

    fn is_left_out(&mut self, site: SyncSite) -> bool {
        *self.syncs.entry(site).or_default() += 1;
        self.left_out == Some(site)
    }
}

impl Storage for SimDisk {
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn StoredFile>, StorageError> {
        let mut state = if how == Open::Create { self.change("create", path)? } else { self.look("open", path)? };
        if how == Open::Create {
            let dir = state.directory_of(path)?;
            let id = state.files.keys().next_back().map_or(0, |last| last + 1);
            state.files.insert(id, Bytes::default());
            state.rename_durably_later(&dir, Naming { gone: None, given: Some((path.to_owned(), Node::File(id))) });
        }
        let id = state.file(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), id, path: path.to_owned() }))
    }

    fn make_dir(&self, path: &Path) -> Result<(), StorageError> {
        if self.look("make the directory", path)?.names.get(path) == Some(&Node::Directory) {
            return Ok(());
        }
        let mut state = self.change("make the directory", path)?;
        let dir = state.directory_of(path)?;
        state.rename_durably_later(&dir, Naming { gone: None, given: Some((path.to_owned(), Node::Directory)) });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        let mut state = self.change("rename", from)?;
        let id = state.file(from)?;
        let dir = state.directory_of(to)?;
        if from.parent() != to.parent() {
            return Err(StorageError::new("rename out of its directory", from, io::ErrorKind::CrossesDevices.into()));
        }
        let change = Naming { gone: Some(from.to_owned()), given: Some((to.to_owned(), Node::File(id))) };
        state.rename_durably_later(&dir, change);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        let mut state = self.change("remove", path)?;
        state.file(path)?;
        let dir = state.directory_of(path)?;
        state.rename_durably_later(&dir, Naming { gone: Some(path.to_owned()), given: None });
        Ok(())
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, StorageError> {
        let state = self.look("list", dir)?;
        if state.names.get(dir) != Some(&Node::Directory) {
            return Err(StorageError::new("list", dir, io::ErrorKind::NotFound.into()));
        }
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn sync_dir(&self, dir: &Path, site: SyncSite) -> Result<(), StorageError> {
        let mut state = self.change("sync the directory", dir)?;
        if state.is_left_out(site) {
            return Ok(());
        }
        for change in state.unsynced_names.remove(dir).unwrap_or_default() {
            change.apply(&mut state.durable_names);
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, StorageError> {
        let mut state = self.look("lock", path)?;
        if !state.locks.insert(path.to_owned()) {
            return Err(StorageError::new("lock", path, io::ErrorKind::WouldBlock.into()));
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.process == self.disk.process {
            state.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: u64,
    path: PathBuf,
}

impl SimFile {
    fn with<T>(&self, state: &mut State, act: impl FnOnce(&mut Bytes) -> T) -> Result<T, StorageError> {
        let file = state.files.get_mut(&self.id);
        file.map(act).ok_or_else(|| StorageError::new("use", &self.path, io::ErrorKind::NotFound.into()))
    }
}

impl StoredFile for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let mut state = self.disk.look("read", &self.path)?;
        self.with(&mut state, |file| {
            let from = file.seen.get(at(offset)..).unwrap_or_default();
            let length = from.len().min(buffer.len());
            buffer.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            length
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let mut state = self.disk.state();
        let was_alive = state.is_alive(self.disk.process);
        state.count(self.disk.process);
        let result = state.check(self.disk.process, "write", &self.path);
        let written = match (&result, state.end) {
            (Ok(()), _) => state.room(self.id, at(offset), bytes.len()),
            (Err(_), Some((_, seed))) if was_alive => fraction(seed, bytes.len()),
            _ => 0,
        };
        self.with(&mut state, |file| file.write(at(offset), bytes.get(..written).unwrap_or_default()))?;
        let full = || StorageError::new("write", &self.path, io::ErrorKind::StorageFull.into());
        result.and_then(|()| if written == bytes.len() { Ok(()) } else { Err(full()) })
    }

    fn set_len(&self, length: u64) -> Result<(), StorageError> {
        let mut state = self.disk.change("cut", &self.path)?;
        self.with(&mut state, |file| file.cut(at(length)))
    }

    fn sync(&self, site: SyncSite) -> Result<(), StorageError> {
        let mut state = self.disk.change("sync", &self.path)?;
        if std::mem::take(&mut state.sync_fails) {
            return Err(StorageError::new("sync", &self.path, io::Error::other("the disk failed")));
        }
        if state.is_left_out(site) {
            return Ok(());
        }
        self.with(&mut state, Bytes::sync)
    }

    fn length(&self) -> Result<u64, StorageError> {
        let mut state = self.disk.look("measure", &self.path)?;
        self.with(&mut state, |file| file.seen.len() as u64)
    }
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
