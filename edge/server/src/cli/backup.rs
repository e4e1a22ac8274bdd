//! `litfass backup` and `litfass restore`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;

use super::Folder;
use crate::backup::{self, Manifest};
use crate::node::system_clock;
use crate::vault::Vault;

#[derive(clap::Args, Debug)]
pub(super) struct BackupArgs {
    /// Where the copy goes: a folder that is empty or not there.
    #[arg(long)]
    to: PathBuf,
    #[command(flatten)]
    folder: Folder,
}

#[derive(clap::Args, Debug)]
pub(super) struct RestoreArgs {
    /// A folder made by `litfass backup`.
    #[arg(long)]
    from: PathBuf,
    /// Configuration file; docs/generated/config.md lists the settings.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where it goes: a folder that is empty or not there.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

impl BackupArgs {
    pub(super) fn run(self) -> Result<()> {
        let data = self.folder.existing()?;
        let vault = Vault::open(&self.folder.configured()?, &data)?;
        let manifest = backup::take(&data, &vault, &self.to, system_clock().now())?;
        say("copied", &manifest)?;
        if let Some(database) = manifest.database {
            let (beside, out) = ("money, catalog, keys and audit log are not in it", &mut std::io::stdout());
            writeln!(out, "{beside}: it belongs to a dump of {} that was made before it", database.url)?;
        }
        Ok(())
    }
}

impl RestoreArgs {
    pub(super) fn run(self) -> Result<()> {
        let to = super::configured(self.config.as_deref(), self.data_dir.as_deref(), None)?.server.data_dir;
        say("restored", &backup::restore(&self.from, &to)?)
    }
}

fn say(done: &str, manifest: &Manifest) -> Result<()> {
    let (files, bytes) = (manifest.files.len(), manifest.bytes());
    writeln!(std::io::stdout(), "{done}: {files} files, {bytes} bytes")?;
    Ok(())
}
