//! The power goes, or the process is killed, while an artifact is written beside an older one: what is read afterwards is one of
//! the two, whole, and the newer one where its writing had been reported done.

use std::path::{Path, PathBuf};

use litfass_store::storage::{SimDisk, Storage, SyncSite, ensure_dir};
use litfass_train::artifact::{self, Artifact, ArtifactError, MANIFEST, Provenance};
use litfass_train::learn::{Settings, Trained, learn};
use litfass_types::Seed;

use crate::synthetic;

const ROOT: &str = "/artifacts";
/// More than there are changes of the disk while one is written.
const OPERATIONS: u64 = 14;

/// Two profiles that differ in everything, small enough to be written thousands of times.
fn profiles() -> [Trained; 2] {
    [1, 2].map(|seed| {
        let examples = synthetic::examples(60, Seed(seed));
        learn(&examples, &Settings { bits: 6, ..Settings::for_examples(&examples, Seed(seed)) })
    })
}

fn provenance(rows: u64) -> Provenance {
    Provenance { rows, ..Provenance::default() }
}

fn folder(number: usize) -> PathBuf {
    Path::new(ROOT).join(format!("{number:03}"))
}

/// As a server looks for what to serve: the newest folder with a manifest. It must be sound.
fn newest(disk: &SimDisk) -> Result<Option<Artifact>, ArtifactError> {
    let finished = |dir: &PathBuf| disk.list(dir).is_ok_and(|names| names.iter().any(|name| name == MANIFEST));
    [folder(1), folder(0)].iter().find(|dir| finished(dir)).map(|dir| artifact::read(disk, dir)).transpose()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Older,
    Newer,
}

/// Writes one, then another that is cut; what is found then.
fn cut(profiles: &[Trained; 2], seed: Seed, left_out: Option<SyncSite>) -> Result<Found, String> {
    let mut disk = SimDisk::new();
    if let Some(site) = left_out {
        disk.leave_out(site);
    }
    ensure_dir(&disk, Path::new(ROOT)).map_err(|e| e.to_string())?;
    let [older, newer] = profiles;
    artifact::write(&disk, &folder(0), older, provenance(0)).map_err(|e| e.to_string())?;
    disk.end_at(disk.operations() + seed.derive(1).below(OPERATIONS), seed.derive(2));
    let done = artifact::write(&disk, &folder(1), newer, provenance(1)).is_ok();
    disk = if seed.derive(3).below(4) == 0 { disk.after_kill() } else { disk.after_power_loss(seed.derive(4)) };
    let found = newest(&disk).map_err(|e| e.to_string())?.ok_or("no artifact is left")?;
    match found.manifest.trained.rows {
        0 if found.profile == older.profile && !done => Ok(Found::Older),
        1 if found.profile == newer.profile => Ok(Found::Newer),
        rows => Err(format!("found the one of {rows} rows where writing ended with {done}, or a mixture")),
    }
}

#[test]
fn one_of_the_two_is_read_whole_whatever_is_cut() {
    let profiles = profiles();
    let found: Vec<Found> = (0..600)
        .map(|seed| cut(&profiles, Seed(seed), None).unwrap_or_else(|broken| panic!("seed {seed}: {broken}")))
        .collect();
    assert!(found.contains(&Found::Older) && found.contains(&Found::Newer));
}

#[test]
fn leaving_out_any_one_sync_of_an_artifact_is_caught() {
    let profiles = profiles();
    for site in [SyncSite::WholeFile, SyncSite::WholeFileName, SyncSite::DirectoryName] {
        let caught = (0..2_000).find_map(|seed| cut(&profiles, Seed(seed), Some(site)).err());
        assert!(caught.is_some(), "nobody misses the sync of {site:?}");
    }
}
