//! `litfass run`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::config::Config;
use crate::node::Running;
use crate::serve::{asked_to_stop, serve};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Configuration file; docs/generated/config.md lists the settings.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The folder with all state.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where to listen: a loopback address, or any once there is an API key; port 0 picks a free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let config = self.configured()?;
        // Until everything else has ended.
        let _telling = config.telemetry.start()?;
        let running = Running::open(config, None)?;
        serve(running, |_, _| Ok(()), asked_to_stop())
    }

    fn configured(&self) -> Result<Config> {
        super::configured(self.config.as_deref(), self.data_dir.as_deref(), self.listen)
    }
}
