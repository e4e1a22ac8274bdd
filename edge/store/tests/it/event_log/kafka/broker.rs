//! The broker of these tests: started by `cargo xtask verify kafka`, killed and started again by the tests.

use std::process::{Command, Stdio};

use rdkafka::config::ClientConfig;

/// Where the broker listens.
pub(super) fn address() -> String {
    format!("127.0.0.1:{}", said("KAFKA_PORT"))
}

/// Kills it as `kill -9` does.
pub(super) fn kill() {
    assert!(control("kill"), "the broker could not be killed");
}

/// Starts it on the log it had. Where others need the machine too, it may take longer than the script waits.
pub(super) fn start() {
    assert!((0..TRIES).any(|_| control("start")), "the broker does not start");
}

const TRIES: u32 = 5;

/// A client of these tests' own.
pub(super) fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address()).set("group.id", "tests");
    config
}

fn control(word: &str) -> bool {
    // The broker inherits no pipe that somebody waits for.
    Command::new(said("LITFASS_KAFKA")).arg(word).stdout(Stdio::null()).status().unwrap().success()
}

fn said(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask verify kafka` starts a broker and sets it"))
}
