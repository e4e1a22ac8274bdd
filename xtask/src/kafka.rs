//! A real Kafka broker for the long tier: one node, started from its jars by the script that lies beside the real data.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt::{Package, on_path};
use crate::{step, workspace};

/// What the script runs, and the packages that bring it.
const PROGRAMS: [(&str, Package); 2] = [
    ("java", Package { name: "openjdk-17-jre-headless", need: "Kafka needs Java 17", variable: "PATH" }),
    ("mvn", Package { name: "maven", need: "Kafka's jars are fetched by Maven", variable: "PATH" }),
];

/// A broker with a folder of its own. Dropping it ends it; what it fetched stays for the next.
pub(crate) struct Broker {
    script: PathBuf,
    home: PathBuf,
    port: u16,
}

impl Broker {
    /// Starts it with an empty log.
    pub(crate) fn start() -> Result<Self> {
        let shared = workspace::shared().context("the broker's script is not there: ../shared or LITFASS_SHARED")?;
        for (program, package) in PROGRAMS {
            if on_path(&[program]).is_none() {
                package.install()?;
            }
        }
        let broker = Self {
            script: shared.join("peers/kafka.sh"),
            home: workspace::root().join("target/kafka"),
            port: free_port()?,
        };
        // One that a run before this one left behind.
        step::run(&mut broker.told("stop"))?;
        let data = broker.home.join("data");
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
        }
        step::run(&mut broker.told("start"))?;
        Ok(broker)
    }

    /// Tells a command where the broker is, and how to kill it.
    pub(crate) fn known_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LITFASS_KAFKA", &self.script)
            .env("KAFKA_HOME", &self.home)
            .env("KAFKA_PORT", self.port.to_string())
    }

    fn told(&self, word: impl AsRef<OsStr>) -> Command {
        let mut command = step::command(self.script.clone());
        self.known_to(command.arg(word));
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(problem) = step::run(&mut self.told("stop")) {
            println!("note: the broker was not stopped: {problem:#}");
        }
    }
}

/// A port whose successor is free too: that one is the controller's.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no two ports beside each other are free")
}
