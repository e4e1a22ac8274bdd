//! Locks that somebody keeps for whoever they belong to, and hands over when asked.
//!
//! Beside the lock file `x` lies `x.wanted` while its owner waits for it. Nothing rests on these marks: the lock alone says
//! who may, a mark that was left behind is taken away by the next owner, and whoever keeps a lock without looking at its mark
//! merely makes the owner wait in vain.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Lock, Open, Storage, StorageError};

/// How often a lock that is waited for is tried.
const TRY_EVERY: Duration = Duration::from_millis(10);

/// Takes a lock as its owner: asks whoever keeps it, and waits that long.
///
/// # Errors
/// `is_locked` where it was not handed over in time; when the disk fails.
pub fn take(storage: &dyn Storage, path: &Path, patience: Duration) -> Result<Box<dyn Lock>, StorageError> {
    let until = Instant::now() + patience;
    let taken = loop {
        match take_or_ask(storage, path) {
            Ok(None) if Instant::now() < until => std::thread::sleep(TRY_EVERY),
            Ok(None) => break storage.lock(path),
            Ok(Some(lock)) => return Ok(lock),
            Err(e) => break Err(e),
        }
    };
    withdraw(storage, path)?;
    taken
}

/// Takes a lock as its owner, or asks for it and comes again later.
///
/// # Errors
/// When the disk fails.
pub fn take_or_ask(storage: &dyn Storage, path: &Path) -> Result<Option<Box<dyn Lock>>, StorageError> {
    let Some(lock) = keep(storage, path)? else {
        storage.open(&wanted(path), Open::Create)?;
        return Ok(None);
    };
    withdraw(storage, path)?;
    Ok(Some(lock))
}

/// Takes a lock that nobody has; the owner may ask for it later.
///
/// # Errors
/// When the disk fails.
pub fn keep(storage: &dyn Storage, path: &Path) -> Result<Option<Box<dyn Lock>>, StorageError> {
    match storage.lock(path) {
        Err(e) if e.is_locked() => Ok(None),
        taken => taken.map(Some),
    }
}

/// Whether the owner asks for it.
///
/// # Errors
/// When the disk fails.
pub fn is_wanted(storage: &dyn Storage, path: &Path) -> Result<bool, StorageError> {
    match storage.open(&wanted(path), Open::Read) {
        Err(e) if e.is_not_found() => Ok(false),
        found => found.map(|_| true),
    }
}

/// Takes the owner's wish away: it has the lock, or is gone.
///
/// # Errors
/// When the disk fails.
pub fn withdraw(storage: &dyn Storage, path: &Path) -> Result<(), StorageError> {
    match storage.remove(&wanted(path)) {
        Err(e) if e.is_not_found() => Ok(()),
        removed => removed,
    }
}

fn wanted(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".wanted");
    PathBuf::from(name)
}
