//! A Redis server of a test's own, on a socket in a folder of its own; both are gone when it is dropped.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use litfass_store::caps::{HOLD_TTL, RedisCaps, RedisOptions};
use tempfile::TempDir;

pub(crate) struct Redis {
    folder: TempDir,
    child: Child,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = launch(&folder);
        let redis = Self { folder, child };
        redis.wait();
        redis
    }

    /// Kills it and starts an empty one in its place.
    pub(crate) fn replace(&mut self) {
        self.kill();
        self.child = launch(&self.folder);
        self.wait();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// A store as one process has it.
    pub(crate) fn store(&self, seed: u64) -> RedisCaps {
        let (timeout, prefix) = (Duration::from_secs(5), "test".to_owned());
        RedisCaps::new(RedisOptions { url: self.url(), timeout, hold_ttl: HOLD_TTL, prefix }, seed).unwrap()
    }

    /// A connection of the test's own.
    pub(crate) fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    pub(crate) fn flush(&self) {
        redis::cmd("FLUSHALL").query::<()>(&mut self.connection()).unwrap();
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let answers = || redis::Client::open(self.url()).unwrap().get_connection().is_ok();
        while !answers() {
            assert!(Instant::now() < deadline, "the Redis server does not start");
            std::thread::yield_now();
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(folder: &TempDir) -> Child {
    let program = std::env::var_os("LITFASS_REDIS").unwrap_or_else(|| "redis-server".into());
    let mut server = Command::new(program);
    server.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]);
    server.arg(folder.path().join("redis.sock")).arg("--dir").arg(folder.path());
    server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("redis-server is on the path")
}
