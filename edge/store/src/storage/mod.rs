//! The seam under everything that lies in files: log, snapshots, artifacts, secrets.
//!
//! Invariant: whoever writes through it says which of its writes must survive a power cut, by `sync` of the file **and**
//! `sync_dir` of the directory that got a new name, each at a named [`SyncSite`]. [`Disk`] is the machine's file system;
//! [`SimDisk`] is one in memory that loses, on a power cut, everything that was not synced.

mod disk;
pub mod handover;
mod sim;
mod whole;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

pub use disk::Disk;
pub use sim::SimDisk;
pub use whole::{ensure_dir, read_whole, write_atomic};

/// An operation on a file or directory that failed: the dependency's fault (the disk, its permissions, its fill level).
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct StorageError {
    pub doing: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl StorageError {
    #[must_use]
    pub fn new(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self { doing, path: path.to_owned(), source }
    }

    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Somebody else holds the lock.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.source.kind() == io::ErrorKind::WouldBlock
    }
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// Must exist.
    Read,
    /// Must exist; also to read.
    Write,
    /// Made anew and empty, in the place of what was there; also to read.
    Create,
}

/// Where in the code something is made durable. A test leaves out each in turn and must notice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SyncSite {
    /// Group commit of a segment's entries.
    Commit,
    /// The rest of a segment, before the next one is begun.
    Seal,
    /// A new segment's name.
    SegmentName,
    /// What recovery kept of the last segment and cut off it.
    Recovery,
    /// A directory's name in its parent.
    DirectoryName,
    /// The bytes of a file written whole, before it takes its name.
    WholeFile,
    /// That name.
    WholeFileName,
}

impl SyncSite {
    pub const ALL: [Self; 7] = [
        Self::Commit,
        Self::Seal,
        Self::SegmentName,
        Self::Recovery,
        Self::DirectoryName,
        Self::WholeFile,
        Self::WholeFileName,
    ];
}

/// A file system, as little of one as is needed.
///
/// Contract: paths are used as given; a file's bytes are durable after `StoredFile::sync`, a name (made, renamed, removed)
/// after `sync_dir` of its directory, and nothing is before; `rename` replaces, stays within one directory and is all or
/// nothing; every error names the path.
pub trait Storage: Debug + Send + Sync {
    /// # Errors
    /// When the file is not there (except `Open::Create`) or cannot be opened.
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn StoredFile>, StorageError>;
    /// Makes one level of directory; one that exists is fine.
    ///
    /// # Errors
    /// When the parent is missing or not writable.
    fn make_dir(&self, path: &Path) -> Result<(), StorageError>;
    /// # Errors
    /// When `from` is missing.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError>;
    /// # Errors
    /// When the file is missing.
    fn remove(&self, path: &Path) -> Result<(), StorageError>;
    /// Names in the directory, sorted.
    ///
    /// # Errors
    /// When it is missing.
    fn list(&self, dir: &Path) -> Result<Vec<String>, StorageError>;
    /// # Errors
    /// When the disk fails.
    fn sync_dir(&self, dir: &Path, site: SyncSite) -> Result<(), StorageError>;
    /// Takes the exclusive lock that the file at `path` stands for; dropping it, or the end of the process, gives it back.
    ///
    /// # Errors
    /// `is_locked` when another process or another holder in this one has it.
    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, StorageError>;
}

/// A lock that is held until it is dropped.
pub trait Lock: Debug + Send + Sync {}

/// An open file. Offsets and lengths in bytes.
pub trait StoredFile: Debug + Send + Sync {
    /// Reads what is there, up to the buffer's length: fewer bytes only at the end of the file.
    ///
    /// # Errors
    /// When the disk fails.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError>;
    /// Writes all of it or fails, having written some of it.
    ///
    /// # Errors
    /// When the disk is full or fails.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError>;
    /// # Errors
    /// When the disk fails.
    fn set_len(&self, length: u64) -> Result<(), StorageError>;
    /// # Errors
    /// When the disk fails; what was written since the last success may or may not be lost then.
    fn sync(&self, site: SyncSite) -> Result<(), StorageError>;
    /// # Errors
    /// When the disk fails.
    fn length(&self) -> Result<u64, StorageError>;
}
