//! The browser of the browser test: found on the path, or installed where apt is and we are root.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::step;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const INSTALL: [&str; 4] = ["install", "-y", "--no-install-recommends", "chromium"];

/// Finds Chromium, installing it first where it is missing and that is possible.
pub(crate) fn ready() -> Result<PathBuf> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    install()?;
    match find()? {
        Some(found) => Ok(found),
        None => bail!("the package chromium is installed, but no {} is on the path", NAMES[0]),
    }
}

fn find() -> Result<Option<PathBuf>> {
    let Some(set) = std::env::var_os("LITFASS_CHROMIUM") else {
        return Ok(on_path(&NAMES));
    };
    let path = PathBuf::from(set);
    if !path.is_file() {
        bail!("LITFASS_CHROMIUM names {}, which is not a file", path.display());
    }
    Ok(Some(path))
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

fn install() -> Result<()> {
    if on_path(&["apt-get"]).is_none() {
        bail!("the browser test needs Chromium: install it, or name the program in LITFASS_CHROMIUM");
    }
    if step::capture(step::command("id").arg("-u"))?.trim() != "0" {
        let install = INSTALL.join(" ");
        bail!(
            "the browser test needs Chromium; run\n\n    sudo apt-get update && sudo apt-get {install}\n\nand then this again"
        );
    }
    println!("Chromium is missing; installing it");
    step::run(step::command("apt-get").args(["-q", "update"]))?;
    step::run(step::command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").arg("-q").args(INSTALL))
}
