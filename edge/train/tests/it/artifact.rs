//! Artifacts: what is written comes back, and what was damaged is named.

use std::path::{Path, PathBuf};

use litfass_store::storage::{Disk, SimDisk, Storage, ensure_dir, read_whole, write_atomic};
use litfass_train::artifact::{self, ArtifactError, MANIFEST, MODEL, Provenance};
use litfass_train::learn::{Settings, Trained, learn};
use litfass_types::Seed;

use crate::synthetic;

fn trained() -> Trained {
    let examples = synthetic::examples(300, Seed(1));
    learn(&examples, &Settings { bits: 8, ..Settings::for_examples(&examples, Seed(1)) })
}

fn provenance() -> Provenance {
    Provenance { from_ms: 1, until_ms: 2, rows: 1_200, seed: 1, positions: [(0, 17), (3, 4)].into() }
}

fn written(storage: &dyn Storage, dir: &Path) -> Trained {
    let trained = trained();
    artifact::write(storage, dir, &trained, provenance()).expect("the disk takes it");
    trained
}

#[test]
fn an_artifact_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("first");
    let trained = written(&Disk, &dir);
    let read = artifact::read(&Disk, &dir).unwrap();
    assert_eq!(read.profile, trained.profile);
    assert_eq!(read.manifest.trained, provenance());
    assert_eq!(read.hash, *blake3::hash(&std::fs::read(dir.join(MODEL)).unwrap()).as_bytes());
    assert_eq!(read.manifest.quality["click"].rows, trained.quality[0].rows as u64);
    artifact::write(&Disk, &dir, &trained, provenance()).expect("writing again replaces it");
}

/// An artifact on a simulated disk, changed, and the error of reading it.
fn after(change: impl FnOnce(&dyn Storage, PathBuf)) -> ArtifactError {
    let disk = SimDisk::new();
    let root = Path::new("/artifacts");
    ensure_dir(&disk, root).expect("made");
    let dir = root.join("a");
    written(&disk, &dir);
    change(&disk, dir.clone());
    artifact::read(&disk, &dir).expect_err("it was damaged")
}

fn edited(name: &'static str, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let change = |disk: &dyn Storage, dir: PathBuf| {
        let bytes = read_whole(disk, &dir.join(name)).expect("readable").expect("there");
        write_atomic(disk, &dir.join(name), &edit(bytes)).expect("written");
    };
    after(change).to_string()
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    assert!(text.contains(from));
    text.replace(from, to).into_bytes()
}

#[test]
fn damage_is_named_with_its_file_and_field() {
    let flipped = |mut bytes: Vec<u8>| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    };
    assert!(edited(MODEL, flipped).contains("model.safetensors: its BLAKE3 is"));
    assert!(edited(MODEL, |bytes| bytes[..bytes.len() / 2].to_vec()).contains("it was changed or cut"));
    assert!(edited(MANIFEST, |bytes| bytes[..40].to_vec()).contains("manifest.json: EOF"));
    assert!(
        edited(MANIFEST, |b| replaced(&b, "\"format\": 1", "\"format\": 9")).contains("manifest.json: format: is 9")
    );
    assert!(edited(MANIFEST, |b| replaced(&b, "\"v1\"", "\"v0\"")).contains("feature_set: is v0"));
    assert!(edited(MANIFEST, |b| replaced(&b, "\"rows\"", "\"raws\"")).contains("unknown field `raws`"));
    let gone = after(|disk, dir| disk.remove(&dir.join(MODEL)).expect("removed"));
    assert!(matches!(gone, ArtifactError::Missing(path) if path.ends_with(MODEL)));
}

#[test]
fn a_model_that_holds_what_no_model_can_is_refused_though_its_hash_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("bad");
    let mut trained = trained();
    trained.profile.last.hashed[3][0] = f32::INFINITY;
    artifact::write(&Disk, &dir, &trained, provenance()).unwrap();
    let error = artifact::read(&Disk, &dir).unwrap_err().to_string();
    assert!(error.contains("tensor last.hashed: holds a value that is not a finite number"), "{error}");
}
