//! What the manifests say: the members of the workspace and what each imports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// The folder of the root manifest.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// The real data beside the checkout: `LITFASS_SHARED`, else `../shared`; none where that folder is not.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = match std::env::var_os("LITFASS_SHARED") {
        Some(set) => PathBuf::from(set),
        None => root().join("../shared"),
    };
    folder.join("data").is_dir().then_some(folder)
}

/// `CI=true`, as every runner sets it.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

#[derive(Deserialize)]
pub(crate) struct RootManifest {
    pub(crate) workspace: WorkspaceTable,
}

#[derive(Deserialize)]
pub(crate) struct WorkspaceTable {
    pub(crate) dependencies: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
pub(crate) struct Manifest {
    pub(crate) package: Package,
    #[serde(default)]
    pub(crate) dependencies: BTreeMap<String, toml::Value>,
    #[serde(default, rename = "dev-dependencies")]
    pub(crate) dev_dependencies: BTreeMap<String, toml::Value>,
    #[serde(default, rename = "build-dependencies")]
    pub(crate) build_dependencies: BTreeMap<String, toml::Value>,
    pub(crate) lints: Option<toml::Value>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
}

/// One member: its folder relative to the root (`core/types`) and its manifest.
pub(crate) struct Member {
    pub(crate) folder: String,
    pub(crate) manifest: Manifest,
}

impl Member {
    /// Every dependency of any kind.
    pub(crate) fn imports(&self) -> impl Iterator<Item = (&String, &toml::Value)> {
        let Manifest { dependencies, dev_dependencies, build_dependencies, .. } = &self.manifest;
        dependencies.iter().chain(dev_dependencies).chain(build_dependencies)
    }
}

pub(crate) fn root_manifest() -> Result<RootManifest> {
    read(&root().join("Cargo.toml"))
}

/// The members under `core/`, `edge/` and `xtask`, in that order.
pub(crate) fn members() -> Result<Vec<Member>> {
    let mut folders = subfolders("core")?;
    folders.extend(subfolders("edge")?);
    folders.push("xtask".to_owned());
    folders.into_iter().map(member).collect()
}

fn member(folder: String) -> Result<Member> {
    let manifest = read(&root().join(&folder).join("Cargo.toml"))?;
    Ok(Member { folder, manifest })
}

fn subfolders(wing: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(wing)).with_context(|| format!("reading {wing}/"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            found.push(format!("{wing}/{}", entry.file_name().display()));
        }
    }
    found.sort();
    Ok(found)
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a manifest", path.display()))
}
