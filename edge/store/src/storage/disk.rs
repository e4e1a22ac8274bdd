//! The machine's file system.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Lock, Open, Storage, StorageError, StoredFile, SyncSite};

/// Real files, real fsync.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn StoredFile>, StorageError> {
        let mut options = OpenOptions::new();
        options.read(true).write(how != Open::Read).create(how == Open::Create).truncate(how == Open::Create);
        let file = options.open(path).map_err(|e| StorageError::new("open", path, e))?;
        Ok(Box::new(DiskFile { file, path: path.to_owned() }))
    }

    fn make_dir(&self, path: &Path) -> Result<(), StorageError> {
        match fs::create_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.map_err(|e| StorageError::new("make the directory", path, e)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        fs::rename(from, to).map_err(|e| StorageError::new("rename", from, e))
    }

    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        fs::remove_file(path).map_err(|e| StorageError::new("remove", path, e))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, StorageError> {
        let names = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(dir)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            Ok(names)
        };
        let mut names = names().map_err(|e| StorageError::new("list", dir, e))?;
        names.sort_unstable();
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path, _site: SyncSite) -> Result<(), StorageError> {
        let synced = File::open(dir).and_then(|directory| directory.sync_all());
        synced.map_err(|e| StorageError::new("sync the directory", dir, e))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, StorageError> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = opened.map_err(|e| StorageError::new("open", path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(DiskLock(file))),
            Err(TryLockError::WouldBlock) => Err(StorageError::new("lock", path, io::ErrorKind::WouldBlock.into())),
            Err(TryLockError::Error(e)) => Err(StorageError::new("lock", path, e)),
        }
    }
}

/// The operating system releases the lock when the file is closed, however the process ends.
#[derive(Debug)]
struct DiskLock(#[expect(dead_code, reason = "held open for its lock")] File);

impl Lock for DiskLock {}

#[derive(Debug)]
struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFile {
    fn error(&self, doing: &'static str) -> impl Fn(io::Error) -> StorageError {
        move |e| StorageError::new(doing, &self.path, e)
    }
}

impl StoredFile for DiskFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error("read")(e)),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.file.write_all_at(bytes, offset).map_err(self.error("write"))
    }

    fn set_len(&self, length: u64) -> Result<(), StorageError> {
        self.file.set_len(length).map_err(self.error("cut"))
    }

    fn sync(&self, _site: SyncSite) -> Result<(), StorageError> {
        self.file.sync_data().map_err(self.error("sync"))
    }

    fn length(&self) -> Result<u64, StorageError> {
        self.file.metadata().map(|m| m.len()).map_err(self.error("measure"))
    }
}
