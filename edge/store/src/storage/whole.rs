//! Files that are written whole: either the old one is there or the new one, never half of it.

use std::path::{Path, PathBuf};

use super::{Open, Storage, StorageError, SyncSite};

/// Replaces the file at `path`: after it returns the new bytes survive a power cut, before that the old ones do.
///
/// # Errors
/// When the disk fails; the old file is still there then, or the new one.
pub fn write_atomic(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let fresh = fresh_path(path);
    let file = storage.open(&fresh, Open::Create)?;
    file.write_at(0, bytes)?;
    file.sync(SyncSite::WholeFile)?;
    drop(file);
    storage.rename(&fresh, path)?;
    storage.sync_dir(parent(path), SyncSite::WholeFileName)
}

/// All bytes of the file, or `None` where there is none.
///
/// # Errors
/// When the disk fails.
pub fn read_whole(storage: &dyn Storage, path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    let file = match storage.open(path, Open::Read) {
        Err(e) if e.is_not_found() => return Ok(None),
        opened => opened?,
    };
    let length = usize::try_from(file.length()?).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Makes the directory, one level, and its name durable, also where a process that was killed made it before.
///
/// # Errors
/// When the parent is missing or the disk fails.
pub fn ensure_dir(storage: &dyn Storage, dir: &Path) -> Result<(), StorageError> {
    storage.make_dir(dir)?;
    storage.sync_dir(parent(dir), SyncSite::DirectoryName)
}

fn fresh_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
