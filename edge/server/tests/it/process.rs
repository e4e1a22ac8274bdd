//! One running `litfass` on a directory of its own; it is gone when this is dropped.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::caller::Caller;

/// How long anything may take before a test calls it stuck; generous, because nothing is measured here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Times shortened so that leases, holds and sweeps come round within a test; no exploration, so that the auction decides alone.
pub(crate) const CONFIG: &str = r#"
[ledger]
lease_ttl = "1s"
hold_ttl_cpm = "2s"
hold_ttl_cpc = "2s"
sweep_interval = "50ms"
[catalog]
poll_interval = "50ms"
[fold]
snapshot_interval = "500ms"
[params]
exploration_ppm = 0
record_full_ppm = 1000000
"#;

/// A number from the environment, or the default.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// The server's clock, as tests read it.
pub(crate) fn now_ms() -> i64 {
    litfass_server::node::system_clock().now().0
}

/// A data directory, its configuration and the log of what ran on it.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("litfass.toml"), CONFIG).unwrap();
        Self { folder }
    }

    /// Adds to the configuration.
    pub(crate) fn configure(&self, more: &str) {
        fs::write(self.folder.path().join("litfass.toml"), format!("{CONFIG}{more}")).unwrap();
    }

    /// Another configuration.
    pub(crate) fn configure_whole(&self, config: &str) {
        fs::write(self.folder.path().join("litfass.toml"), config).unwrap();
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What its processes wrote to standard error.
    pub(crate) fn process_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr.log")).unwrap()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("litfass.toml")
    }

    /// Writes a file beside the data directory.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A finished command on this directory: whether it succeeded, and what it said.
    pub(crate) fn command(&self, arguments: &[&str]) -> (ExitStatus, String) {
        let (data, config) = (self.data(), self.config());
        let folder = ["--data-dir", data.to_str().unwrap(), "--config", config.to_str().unwrap()];
        self.say(&[arguments, &folder].concat())
    }

    /// The same, of a command that is told nothing of the directory.
    pub(crate) fn say(&self, arguments: &[&str]) -> (ExitStatus, String) {
        let output = self.program().args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8(said).unwrap())
    }

    /// A new API key, made on the command line.
    pub(crate) fn key(&self, arguments: &[&str]) -> String {
        let (status, said) = self.command(&[&["admin", "create-key"], arguments].concat());
        assert!(status.success(), "create-key {arguments:?}: {said}");
        said.lines().find(|line| line.starts_with("lf_")).unwrap().to_owned()
    }

    /// Loads a catalog; it must be accepted.
    pub(crate) fn load(&self, catalog: &Value) -> String {
        let file = self.write("catalog.json", &catalog.to_string());
        let (status, said) = self.command(&["catalog", "load", file.to_str().unwrap()]);
        assert!(status.success(), "catalog load: {said}");
        said
    }

    /// Starts serving and waits until it listens.
    pub(crate) fn serve(&self) -> Litfass {
        self.start(&mut self.serving())
    }

    /// Starts a process of that name and roles and waits until it listens.
    pub(crate) fn serve_as(&self, name: &str, roles: &str) -> Litfass {
        self.serve_on_folder(&self.data(), name, roles, &[])
    }

    /// Starts a process of that name and roles on a data directory, with more in its environment, and waits until it listens.
    pub(crate) fn serve_on_folder(&self, data: &Path, name: &str, roles: &str, more: &[(&str, String)]) -> Litfass {
        let mut command = self.serving();
        command.env("LITFASS_SERVER_NAME", name).env("LITFASS_SERVER_ROLES", roles);
        self.start_on(command.envs(more.iter().map(|(key, value)| (key, value))), data)
    }

    /// Starts serving on an address of its own choice.
    pub(crate) fn serve_on(&self, listen: &str) -> Litfass {
        self.start(&mut self.serving_on(listen))
    }

    /// Starts the demo and waits until it listens.
    pub(crate) fn demo(&self) -> Litfass {
        self.start(self.program().args(["demo", "--listen", "127.0.0.1:0"]))
    }

    /// Starts serving where that must fail, and waits until it has; what it said.
    pub(crate) fn refuses_to_serve(&self) -> String {
        let (mut child, log) = self.spawn(&mut self.serving());
        let listens = listening(child.stdout.take().unwrap());
        child.kill().unwrap_or(());
        assert!(!child.wait().unwrap().success() && listens.is_none(), "it serves at {listens:?}");
        tail(&log)
    }

    /// Starts serving and kills it that much later, whatever it is doing then.
    pub(crate) fn killed_while_starting(&self, after: Duration) {
        let (mut child, _) = self.spawn(&mut self.serving());
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn serving(&self) -> Command {
        self.serving_on("127.0.0.1:0")
    }

    fn serving_on(&self, listen: &str) -> Command {
        let mut command = self.program();
        command.args(["run", "--listen", listen, "--config"]).arg(self.folder.path().join("litfass.toml"));
        command
    }

    fn spawn(&self, command: &mut Command) -> (Child, PathBuf) {
        self.spawn_on(command, &self.data())
    }

    fn spawn_on(&self, command: &mut Command, data: &Path) -> (Child, PathBuf) {
        let log = self.folder.path().join("stderr.log");
        let stderr = File::options().create(true).append(true).open(&log).unwrap();
        let command = command.arg("--data-dir").arg(data);
        (command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap(), log)
    }

    fn start(&self, command: &mut Command) -> Litfass {
        self.start_on(command, &self.data())
    }

    fn start_on(&self, command: &mut Command, data: &Path) -> Litfass {
        let (mut child, log) = self.spawn_on(command, data);
        let output = child.stdout.take().unwrap();
        match listening(output) {
            Some(address) => Litfass { child, address, log },
            None => {
                child.kill().unwrap();
                panic!("litfass did not start: {:?}\n{}", child.wait(), tail(&log));
            }
        }
    }

    /// The binary, without the suite's own settings, which it would refuse as unknown, and without its surroundings' collector.
    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_litfass"));
        command.current_dir(self.folder.path());
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| ["LITFASS_", "OTEL_"].iter().any(|of| name.to_string_lossy().starts_with(of))) {
            command.env_remove(name);
        }
        command
    }
}

/// The address from `listening on http://…`; the rest of the output is read and dropped, so that the child never blocks on it.
fn listening(output: ChildStdout) -> Option<SocketAddr> {
    let (found, address) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            if let Some((_, at)) = line.split_once("listening on http://") {
                found.send(at.trim().parse().ok()).unwrap_or(());
            }
        }
    });
    address.recv_timeout(PATIENCE).ok().flatten()
}

/// A process that listens.
pub(crate) struct Litfass {
    child: Child,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Litfass {
    pub(crate) fn caller(&self) -> Caller {
        Caller::new(self.address)
    }

    /// The same, calling the server by this name.
    pub(crate) fn caller_of(&self, host: &str) -> Caller {
        Caller::new(self.address).with_host(host)
    }

    /// As a power cut for this process alone: no handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As an operator stops it.
    pub(crate) fn stop(self) -> ExitStatus {
        self.ask_to_stop();
        self.ended()
    }

    /// Sends the signal that an operator's tools send.
    pub(crate) fn ask_to_stop(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    pub(crate) fn ended(mut self) -> ExitStatus {
        wait_for("the process to end", || self.child.try_wait().unwrap())
    }
}

impl Drop for Litfass {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        if ended.is_none() {
            self.child.kill().unwrap_or(());
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("litfass (ended before: {ended:?}) said:\n{}", tail(&self.log));
        }
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Asks again until there is an answer.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
