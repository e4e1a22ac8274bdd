//! The browser of the browser test.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::apt::{Package, on_path};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const CHROMIUM: Package =
    Package { name: "chromium", need: "the browser test needs Chromium", variable: "LITFASS_CHROMIUM" };

/// Finds Chromium, installing it first where it is missing and that is possible.
pub(crate) fn ready() -> Result<PathBuf> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    CHROMIUM.install()?;
    match find()? {
        Some(found) => Ok(found),
        None => bail!("the package chromium is installed, but no {} is on the path", NAMES[0]),
    }
}

fn find() -> Result<Option<PathBuf>> {
    let Some(set) = std::env::var_os(CHROMIUM.variable) else {
        return Ok(on_path(&NAMES));
    };
    let path = PathBuf::from(set);
    if !path.is_file() {
        bail!("{} names {}, which is not a file", CHROMIUM.variable, path.display());
    }
    Ok(Some(path))
}
