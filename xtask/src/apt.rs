//! Programs that tests need: found on the path, or installed where apt is and we are root.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::step;

/// A Debian package and what it is for.
#[derive(Clone, Copy)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// As in "the browser test needs Chromium".
    pub(crate) need: &'static str,
    /// Names the program where it lies elsewhere.
    pub(crate) variable: &'static str,
}

pub(crate) fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

impl Package {
    pub(crate) fn install(self) -> Result<()> {
        let Self { name, need, variable } = self;
        if on_path(&["apt-get"]).is_none() {
            bail!("{need}: install it, or name it in {variable}");
        }
        let arguments = ["install", "-y", "--no-install-recommends", name];
        if step::capture(step::command("id").arg("-u"))?.trim() != "0" {
            let install = arguments.join(" ");
            bail!("{need}; run\n\n    sudo apt-get update && sudo apt-get {install}\n\nand then this again");
        }
        println!("installing {name}: {need}");
        step::run(step::command("apt-get").args(["-q", "update"]))?;
        step::run(step::command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").arg("-q").args(arguments))
    }
}
