//! Copying a data directory while a server works on it, and making one from such a copy.
//!
//! Order is what makes the parts fit each other. Folded state of every process first, because it must not be ahead of the log; then where the log
//! is committed, so that everything acknowledged before the backup began is in it; then the database as of one instant; then the
//! log up to both that place and what the copied ledger has read; then what the log's entries name: rules, artifacts, secrets.
//! The manifest is written last: a folder without one is no backup.
//!
//! Where the money is in PostgreSQL, the copy is what stands beside it: a dump of the database that was made before is behind the
//! copied log, and is completed from it. One that is ahead of its log is refused when a process starts.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use litfass_store::backup::copy_database;
use litfass_store::ledger::SqliteLedger;
use litfass_store::log::{committed_ends, copy_log};
use litfass_store::storage::{Disk, write_atomic};
use litfass_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::data_dir::{self, DataDir, FORMAT, RESTORING};
use crate::event_log;
use crate::vault::{self, InPostgres, Vault};

const MANIFEST: &str = "backup.json";
const FORMAT_FILE: &str = "FORMAT";
const DATABASE: &str = "litfass.db";
const LOG: &str = "log";
/// A file that is written whole is written under this name first.
const UNFINISHED: &str = "new";
/// How often a folder is listed again whose files went while they were copied.
const LISTINGS_MAX: u32 = 10;

/// What a backup consists of.
#[derive(Serialize, Deserialize, Debug)]
pub struct Manifest {
    pub format: u32,
    /// The program that made it.
    pub version: String,
    /// When it was begun, in UTC milliseconds.
    pub begun_ms: i64,
    /// Per partition of the log: the offset before which everything is in it.
    pub log: BTreeMap<u16, u64>,
    /// Which database it stands beside, where money and catalog are not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<InPostgres>,
    pub files: Vec<FileEntry>,
}

#[derive(Serialize, Deserialize, Debug)]
pub struct FileEntry {
    /// Below the folder, with `/`.
    pub path: String,
    pub bytes: u64,
    /// In hexadecimal.
    pub blake3: String,
}

impl Manifest {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Copies the data directory into the folder `to`, which must be empty or not there. `vault` is where its money is.
///
/// # Errors
/// When `to` has something in it, a file of the log is damaged, or one of the disks fails. What was copied until then is no
/// backup, and stays for whoever wants to look.
pub fn take(data: &DataDir, vault: &Vault, to: &Path, now: Timestamp) -> Result<Manifest> {
    let from = data.path();
    make_empty(to)?;
    let (inner, outer) = (to.canonicalize()?, from.canonicalize()?);
    ensure!(!inner.starts_with(&outer), "{}: lies in the data directory", to.display());
    for name in names(from)?.iter().filter(|name| data_dir::is_snapshots(name)) {
        copy_folder(&from.join(name), &to.join(name))?;
    }
    // A log in Kafka stays there; the copy names it and goes on from where its ledger stands.
    let is_here = event_log::belongs_to(data)?.is_none();
    let committed = if is_here { committed_ends(&Disk, &data.log())? } else { BTreeMap::new() };
    let copied =
        copy_database(&data.database(), &to.join(DATABASE)).with_context(|| data.database().display().to_string())?;
    let database = vault::belongs_to(data)?;
    let read = if database.is_some() { positions(vault)? } else { copied };
    let log = later(committed, &read);
    if is_here {
        copy_log(&Disk, &data.log(), &to.join(LOG), &log)?;
    }
    for name in names(from)?.iter().filter(|name| !is_copied_by_itself(name)) {
        copy(&from.join(name), &to.join(name))?;
    }
    fs::copy(from.join(FORMAT_FILE), to.join(FORMAT_FILE)).context("FORMAT")?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { format: FORMAT, version, begun_ms: now.0, log, database, files: entries(to)? };
    write_atomic(&Disk, &to.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
    Ok(manifest)
}

/// How far the ledger has read.
fn positions(vault: &Vault) -> Result<BTreeMap<u16, u64>> {
    let positions = vault.reader()?.positions().with_context(|| vault.to_string())?;
    Ok(positions.into_iter().map(|(partition, row)| (partition, row.next)).collect())
}

/// Makes a data directory from a backup. `to` must be empty or not there.
///
/// # Errors
/// When `from` is no whole backup or one of a newer version, `to` has something in it, or one of the disks fails. What was
/// restored until then is refused by whoever opens it.
pub fn restore(from: &Path, to: &Path) -> Result<Manifest> {
    let manifest = manifest(from)?;
    make_empty(to)?;
    fs::write(to.join(RESTORING), "a restore was begun and has not ended\n")?;
    // The format comes with the others; the mark keeps everybody out until it is taken away.
    for file in &manifest.files {
        restore_file(file, from, to).with_context(|| from.join(&file.path).display().to_string())?;
    }
    // The log may go on behind what the copied ledger knows: commands first, then events, then leases.
    SqliteLedger::begin_timeline(&to.join(DATABASE))?;
    sync(&to.join(DATABASE))?;
    fs::remove_file(to.join(RESTORING))?;
    sync(to)?;
    Ok(manifest)
}

fn manifest(from: &Path) -> Result<Manifest> {
    let path = from.join(MANIFEST);
    let bytes =
        fs::read(&path).with_context(|| format!("{}: is no backup, or one that was not finished", path.display()))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
    let format = manifest.format;
    ensure!(format <= FORMAT, "{}: has format {format}, this version reads 1 to {FORMAT}", path.display());
    Ok(manifest)
}

fn restore_file(file: &FileEntry, from: &Path, to: &Path) -> Result<()> {
    let path = Path::new(&file.path);
    ensure!(path.components().all(|part| matches!(part, Component::Normal(_))), "leads out of the folder");
    let (source, target) = (from.join(path), to.join(path));
    if let (Some(folder), Some(like)) = (target.parent(), source.parent()) {
        make_like(like, folder)?;
    }
    let copied = fs::copy(&source, &target)?;
    let (bytes, blake3) = hash(&target)?;
    ensure!(
        copied == bytes && bytes == file.bytes && blake3 == file.blake3,
        "is not as it was when the backup was made"
    );
    sync(&target)
}

/// The later of both, partition by partition.
fn later(mut committed: BTreeMap<u16, u64>, read: &BTreeMap<u16, u64>) -> BTreeMap<u16, u64> {
    for (partition, next) in read {
        let end = committed.entry(*partition).or_default();
        *end = (*end).max(*next);
    }
    committed
}

/// What has an order of its own, belongs to the running process, or is not finished.
fn is_copied_by_itself(name: &str) -> bool {
    let parts = [LOG, FORMAT_FILE, MANIFEST];
    parts.contains(&name)
        || data_dir::is_snapshots(name)
        || name.starts_with(DATABASE)
        || is_unfinished(Path::new(name))
}

fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == UNFINISHED)
}

fn make_empty(folder: &Path) -> Result<()> {
    data_dir::make(folder).with_context(|| folder.display().to_string())?;
    if !names(folder)?.is_empty() {
        bail!("{}: is not empty", folder.display());
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() { copy_folder(from, to) } else { copy_file(from, to) }
}

/// A folder whose files come and go: listed again until none went. What is there already is not copied again, because no file
/// changes under its name.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    if !from.exists() {
        return Ok(());
    }
    make_like(from, to)?;
    for _ in 0..LISTINGS_MAX {
        let copied = copy_listed(from, to);
        match copied {
            Err(error) if is_gone(&error) => {}
            done => return done.and_then(|()| sync(to)),
        }
    }
    bail!("{}: changes too quickly to be copied", from.display())
}

fn copy_listed(from: &Path, to: &Path) -> Result<()> {
    let listed = names(from)?;
    for name in listed.iter().filter(|name| !is_unfinished(Path::new(name)) && !to.join(name).is_file()) {
        copy(&from.join(name), &to.join(name))?;
    }
    Ok(())
}

fn is_gone(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::NotFound)
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| from.display().to_string())?;
    sync(to)
}

/// Makes a folder that as many may enter as the one that it is a copy of.
fn make_like(like: &Path, folder: &Path) -> Result<()> {
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::metadata(like)?.permissions())?;
    }
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn sync(path: &Path) -> Result<()> {
    fs::File::open(path).and_then(|file| file.sync_all()).with_context(|| path.display().to_string())
}

/// Every file below the folder.
fn entries(folder: &Path) -> Result<Vec<FileEntry>> {
    let (mut entries, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(below) = open.pop() {
        for name in names(&folder.join(&below))? {
            let (path, whole) = (below.join(&name), folder.join(&below).join(&name));
            if whole.is_dir() {
                open.push(path);
            } else {
                let (bytes, blake3) = hash(&whole)?;
                entries.push(FileEntry { path: path.to_string_lossy().into_owned(), bytes, blake3 });
            }
        }
    }
    Ok(entries)
}

fn hash(path: &Path) -> Result<(u64, String)> {
    let (mut file, mut hasher, mut bytes) = (fs::File::open(path)?, blake3::Hasher::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hasher.finalize().to_hex().to_string()));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}
