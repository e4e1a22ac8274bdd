//! An artifact is a folder: `manifest.json` beside `model.safetensors`.
//!
//! Invariants: both files are written whole, the manifest last, so a folder with a manifest has its model; the manifest
//! names the model's BLAKE3 and the feature set, and nothing is served whose bytes or features differ. The artifact's own
//! hash is the model file's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use litfass_features::FeatureSet;
use litfass_rank::{BadTensor, RankProfile, Tensor};
use litfass_store::storage::{Storage, StorageError, ensure_dir, read_whole, write_atomic};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::learn::{Quality, Trained};

pub const FORMAT: u32 = 1;
pub const MANIFEST: &str = "manifest.json";
pub const MODEL: &str = "model.safetensors";

/// What an artifact is and what it was made from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// BLAKE3 of each file, hexadecimal.
    pub files: BTreeMap<String, String>,
    pub feature_set: String,
    /// Hexadecimal; see `FeatureSet::hash`.
    pub feature_set_hash: String,
    pub trained: Provenance,
    pub quality: BTreeMap<String, QualityLine>,
}

/// From what a model was trained.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Milliseconds since 1970 of the first and last example.
    pub from_ms: i64,
    pub until_ms: i64,
    pub rows: u64,
    pub seed: u64,
    /// Log partition → the offset up to which it was read.
    pub positions: BTreeMap<u16, u64>,
}

/// One head's quality on rows it never saw.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityLine {
    pub rows: u64,
    pub positives: u64,
    pub auc: Option<f64>,
    pub log_loss: Option<f64>,
    pub normalised_entropy: Option<f64>,
    pub calibration_ratio: Option<f64>,
    pub calibration_error: Option<f64>,
}

impl From<&Quality> for QualityLine {
    fn from(q: &Quality) -> Self {
        Self {
            rows: q.rows as u64,
            positives: q.positives as u64,
            auc: q.auc,
            log_loss: q.log_loss,
            normalised_entropy: q.normalised_entropy,
            calibration_ratio: q.calibration_ratio,
            calibration_error: q.calibration_error,
        }
    }
}

/// A profile read from its folder.
#[derive(Clone, PartialEq, Debug)]
pub struct Artifact {
    pub profile: RankProfile,
    pub manifest: Manifest,
    /// BLAKE3 of the model file: what decision records name.
    pub hash: [u8; 32],
}

/// An artifact that cannot be written or must not be served. Except for `Storage`, the artifact is to blame.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{}: missing", .0.display())]
    Missing(PathBuf),
    #[error("{}: {problem}", file.display())]
    Malformed { file: PathBuf, problem: String },
    #[error("{}: {problem}", file.display())]
    Tensor { file: PathBuf, problem: BadTensor },
    #[error("{}: its BLAKE3 is {found}, the manifest says {expected}: it was changed or cut", file.display())]
    Changed { file: PathBuf, found: String, expected: String },
    #[error("{}: {field}: is {found}, this version reads {expected}", file.display())]
    Unsupported { file: PathBuf, field: &'static str, found: String, expected: String },
}

/// Writes `trained` into `dir`, which is made where it is not there (its parent must be).
///
/// # Errors
/// When the disk fails.
pub fn write(
    storage: &dyn Storage,
    dir: &Path,
    trained: &Trained,
    from: Provenance,
) -> Result<Artifact, ArtifactError> {
    let model = model_bytes(dir, &trained.profile)?;
    let hash = blake3::hash(&model);
    let [click, conversion] = &trained.quality;
    let manifest = Manifest {
        format: FORMAT,
        files: [(MODEL.to_owned(), hash.to_hex().to_string())].into(),
        feature_set: FeatureSet::NAME.to_owned(),
        feature_set_hash: feature_set_hash(),
        trained: from,
        quality: [("click".to_owned(), click.into()), ("conversion".to_owned(), conversion.into())].into(),
    };
    let mut text = serde_json::to_vec_pretty(&manifest).map_err(|e| malformed(&dir.join(MANIFEST), &e.to_string()))?;
    text.push(b'\n');
    ensure_dir(storage, dir)?;
    write_atomic(storage, &dir.join(MODEL), &model)?;
    write_atomic(storage, &dir.join(MANIFEST), &text)?;
    Ok(Artifact { profile: trained.profile.clone(), manifest, hash: *hash.as_bytes() })
}

/// Reads and verifies the artifact in `dir`.
///
/// # Errors
/// Which file or field is missing, malformed, changed, or of another format or feature set.
pub fn read(storage: &dyn Storage, dir: &Path) -> Result<Artifact, ArtifactError> {
    let file = dir.join(MANIFEST);
    let manifest: Manifest =
        serde_json::from_slice(&whole(storage, &file)?).map_err(|e| malformed(&file, &e.to_string()))?;
    supported(&file, "format", &manifest.format.to_string(), &FORMAT.to_string())?;
    supported(&file, "feature_set", &manifest.feature_set, FeatureSet::NAME)?;
    supported(&file, "feature_set_hash", &manifest.feature_set_hash, &feature_set_hash())?;
    let expected =
        manifest.files.get(MODEL).ok_or_else(|| malformed(&file, &format!("files: {MODEL} is not named")))?;
    let path = dir.join(MODEL);
    let model = whole(storage, &path)?;
    let hash = blake3::hash(&model);
    if hash.to_hex().as_str() != expected {
        let (found, expected) = (hash.to_hex().to_string(), expected.clone());
        return Err(ArtifactError::Changed { file: path, found, expected });
    }
    Ok(Artifact { profile: profile(&path, &model)?, manifest, hash: *hash.as_bytes() })
}

fn feature_set_hash() -> String {
    format!("{:016x}", FeatureSet::hash())
}

fn whole(storage: &dyn Storage, file: &Path) -> Result<Vec<u8>, ArtifactError> {
    read_whole(storage, file)?.ok_or_else(|| ArtifactError::Missing(file.to_owned()))
}

fn malformed(file: &Path, problem: &str) -> ArtifactError {
    ArtifactError::Malformed { file: file.to_owned(), problem: problem.to_owned() }
}

fn supported(file: &Path, field: &'static str, found: &str, expected: &str) -> Result<(), ArtifactError> {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (found.to_owned(), expected.to_owned());
    Err(ArtifactError::Unsupported { file: file.to_owned(), field, found, expected })
}

fn model_bytes(dir: &Path, profile: &RankProfile) -> Result<Vec<u8>, ArtifactError> {
    let failed = |e: safetensors::SafeTensorError| malformed(&dir.join(MODEL), &e.to_string());
    let little_endian =
        |t: Tensor| (t.name, t.shape, t.values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
    let tensors: Vec<_> = profile.to_tensors().into_iter().map(little_endian).collect();
    let view = |(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape, bytes)?));
    let views = tensors.iter().map(|(name, shape, bytes)| view((*name, shape.clone(), bytes.as_slice())));
    let views = views.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    safetensors::serialize(views, None).map_err(failed)
}

fn profile(file: &Path, bytes: &[u8]) -> Result<RankProfile, ArtifactError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| malformed(file, &e.to_string()))?;
    let mut known = Vec::new();
    for Tensor { name, .. } in RankProfile::prior().to_tensors() {
        let Ok(view) = tensors.tensor(name) else { continue };
        if view.dtype() != Dtype::F32 {
            return Err(malformed(file, &format!("tensor {name}: is {:?}, not F32", view.dtype())));
        }
        let values = view.data().as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
        known.push(Tensor { name, shape: view.shape().to_vec(), values });
    }
    RankProfile::from_tensors(&known).map_err(|problem| ArtifactError::Tensor { file: file.to_owned(), problem })
}
