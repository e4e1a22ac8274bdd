//! The program under load, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::machine;

/// A running `litfass run`; killed when dropped, which it survives by design.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to listening with its catalog.
    pub(crate) started_s: f64,
}

/// The release binary that was built beside this example.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("this example lies in a target directory")?;
    let binary = folder.join("litfass");
    ensure!(binary.is_file(), "{} is not there: cargo build --release", binary.display());
    Ok(binary)
}

/// A command on the server's core.
fn command() -> Result<Command> {
    let mut command = Command::new("taskset");
    command.args(["-c", machine::SERVER_CORE]).arg(binary()?).stdin(Stdio::null());
    Ok(command)
}

impl Server {
    pub(crate) fn start(data: &Path) -> Result<Self> {
        let start = Instant::now();
        let mut command = command()?;
        command.args(["run", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let address = loop {
            let line = lines.next().context("litfass run ended before it listened")??;
            if let Some((_, address)) = line.split_once("listening on http://") {
                break address.trim().parse()?;
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address, started_s: start.elapsed().as_secs_f64() })
    }

    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        machine::resident_bytes(self.child.id())
    }

    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        machine::cpu_seconds(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap_or(());
        self.child.wait().ok();
    }
}

pub(crate) fn load_catalog(file: &Path, data: &Path) -> Result<()> {
    let status =
        command()?.args(["catalog", "load"]).arg(file).arg("--data-dir").arg(data).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "litfass catalog load failed: {status}");
    Ok(())
}

/// Trains on what was rendered so far; answers what the trainer says of its model.
pub(crate) fn train(data: &Path) -> Result<String> {
    let output = command()?.args(["train", "--data-dir"]).arg(data).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "litfass train failed: {}", output.status);
    let said = String::from_utf8(output.stdout)?;
    Ok(said.lines().find(|line| line.contains("AUC")).unwrap_or("no model").to_owned())
}
