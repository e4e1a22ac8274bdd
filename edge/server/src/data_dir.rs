//! The data directory: what lies where, and which version of the layout it is.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use litfass_store::migrate;
use litfass_store::storage::{Disk, Storage as _, ensure_dir, read_whole, write_atomic};
use rustix::fs::Access;

/// The layout that this version writes. A newer one is refused, an older one is brought forward when it is opened.
///
/// 1: log, catalog, ledger, snapshots, artifacts, rules, secrets. 2: the tables of `litfass_store::migrate`.
pub const FORMAT: u32 = 2;

/// Lies in a data directory while it is being restored.
pub const RESTORING: &str = "RESTORING";

const SNAPSHOTS: &str = "snapshots";

#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Opens the directory, or makes it where there is none.
    ///
    /// # Errors
    /// When it cannot be made or read, or was written by a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        make(path).with_context(|| format!("cannot make the data directory {}", path.display()))?;
        rustix::fs::access(path, Access::WRITE_OK).with_context(|| format!("cannot write to {}", path.display()))?;
        if path.join(RESTORING).exists() {
            bail!("{}: a restore into it was not finished: empty it and restore again", path.display());
        }
        let dir = Self(path.to_owned());
        let found = dir.format()?;
        if let Some(newer) = found.filter(|found| *found == 0 || *found > FORMAT) {
            let file = dir.format_file();
            bail!("{}: the data directory has format {newer}, this version reads 1 to {FORMAT}", file.display());
        }
        // The mark comes last: a migration that was cut off is simply done again.
        migrate::to_current(&dir.database()).with_context(|| dir.database().display().to_string())?;
        if found != Some(FORMAT) {
            write_atomic(&Disk, &dir.format_file(), format!("{FORMAT}\n").as_bytes())?;
        }
        Ok(dir)
    }

    /// Opens a directory that must be one already.
    ///
    /// # Errors
    /// When it is none, and as `open`.
    pub fn existing(path: &Path) -> Result<Self> {
        if !path.join("FORMAT").exists() {
            bail!("{}: is no data directory", path.display());
        }
        Self::open(path)
    }

    /// None where the directory is new.
    fn format(&self) -> Result<Option<u32>> {
        let file = self.format_file();
        let Some(bytes) = read_whole(&Disk, &file)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        let Ok(found) = text.trim().parse() else {
            bail!("{}: holds {text:?}, not the number of a format", file.display());
        };
        Ok(Some(found))
    }

    fn format_file(&self) -> PathBuf {
        self.0.join("FORMAT")
    }

    /// Keeps the params under the hash by which records name them, for as long as the log.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep_rules(&self, text: &str) -> Result<[u8; 32]> {
        let hash = blake3::hash(text.as_bytes());
        let dir = self.0.join("rules");
        ensure_dir(&Disk, &dir)?;
        write_atomic(&Disk, &dir.join(format!("{}.toml", hash.to_hex())), text.as_bytes())?;
        Ok(*hash.as_bytes())
    }

    /// Where those params are kept.
    #[must_use]
    pub fn rules(&self, hash: &[u8; 32]) -> PathBuf {
        self.0.join("rules").join(format!("{}.toml", blake3::Hash::from_bytes(*hash).to_hex()))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Catalog and ledger.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.0.join("litfass.db")
    }

    /// Segments of the event log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// What the process of that name has folded. The folder of the one that needs no name has none either.
    #[must_use]
    pub fn snapshots(&self, process: &str) -> PathBuf {
        match process {
            "server" => self.0.join(SNAPSHOTS),
            name => self.0.join(format!("{SNAPSHOTS}-{name}")),
        }
    }

    /// What every process has folded.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn all_snapshots(&self) -> Result<Vec<PathBuf>> {
        let names = Disk.list(&self.0)?;
        Ok(names.iter().filter(|name| is_snapshots(name)).map(|name| self.0.join(name)).collect())
    }

    /// Which process bills which partition just now.
    #[must_use]
    pub fn billing(&self) -> PathBuf {
        self.0.join("billing")
    }

    /// Rank profiles, each in a folder of its own.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.0.join("artifacts")
    }
}

/// Whether a folder of that name holds what a process has folded.
#[must_use]
pub fn is_snapshots(name: &str) -> bool {
    name.strip_prefix(SNAPSHOTS).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The folder, which only its owner may enter, whatever the umask: what it holds says what people looked at. One that is there stays
/// as its owner has it.
///
/// # Errors
/// When it, or a folder above it, cannot be made.
pub fn make(path: &Path) -> std::io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}
