//! A PostgreSQL server of this test binary's own, on a socket in a directory of its own; both are gone when the binary ends.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

pub(crate) struct Cluster {
    binaries: PathBuf,
    directory: PathBuf,
    owner: Option<(u32, u32)>,
    databases: AtomicU32,
    /// The server stops when this process's end of its pipe closes.
    keeper: Child,
}

/// The server that the tests of this binary share; nothing of it needs to survive.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&[
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=200",
            "deadlock_timeout=50ms",
        ])
    })
}

/// Starts the server, says so, and when the pipe closes stops it and removes what it left.
const KEEPER: &str = r#"
pg_ctl=$1; directory=$2; settings=$3
"$pg_ctl" start -s -w -D "$directory/data" -l "$directory/log" -o "-k $directory -c listen_addresses= $settings" \
  >/dev/null 2>&1 </dev/null && echo ready
cat >/dev/null
"$pg_ctl" stop -s -w -m immediate -D "$directory/data" >/dev/null 2>&1
cd /
rm -rf "$directory"
"#;

impl Cluster {
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_in(&std::env::temp_dir(), settings)
    }

    pub(crate) fn start_in(parent: &Path, settings: &[&str]) -> Self {
        let binaries = binaries();
        let directory = TempDir::new_in(parent).unwrap().keep();
        let owner = unprivileged(&directory);
        let mut initdb = as_owner(binaries.join("initdb"), owner, &directory);
        initdb.args(["-A", "trust", "-U", "litfass", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
        let made = initdb.arg(directory.join("data")).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        Self::serve(binaries, directory, owner, settings)
    }

    /// Where a standby can be made.
    pub(crate) fn place() -> PathBuf {
        TempDir::new().unwrap().keep()
    }

    /// A server that has what this one has now, and follows nobody: what comes later it lacks.
    pub(crate) fn standby(&self, directory: PathBuf) -> Self {
        let (binaries, owner) = (self.binaries.clone(), unprivileged(&directory));
        let mut copy = as_owner(binaries.join("pg_basebackup"), owner, &directory);
        copy.args(["-U", "litfass", "-c", "fast", "-X", "fetch", "-h"]).arg(&self.directory);
        let made = copy.arg("-D").arg(directory.join("data")).output().unwrap();
        assert!(made.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&made.stderr));
        fs::write(directory.join("data/standby.signal"), "").unwrap();
        let standby = Self::serve(binaries, directory, owner, &["fsync=off"]);
        standby.databases.store(self.databases.load(Ordering::Relaxed), Ordering::Relaxed);
        standby
    }

    /// It takes the place of the server that it is a copy of. The address of the last database made there.
    pub(crate) fn promote(&self) -> String {
        let mut promote = as_owner(self.binaries.join("pg_ctl"), self.owner, &self.directory);
        promote.arg("promote").args(["-w", "-s", "-D"]).arg(self.directory.join("data"));
        assert!(promote.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
        self.address(&format!("test_{}", self.databases.load(Ordering::Relaxed) - 1))
    }

    fn serve(binaries: PathBuf, directory: PathBuf, owner: Option<(u32, u32)>, settings: &[&str]) -> Self {
        let mut keeper = as_owner("sh", owner, &directory);
        let settings: Vec<String> = settings.iter().map(|setting| format!("-c {setting}")).collect();
        keeper.args(["-c", KEEPER, "keeper"]).arg(binaries.join("pg_ctl")).arg(&directory).arg(settings.join(" "));
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let log = || fs::read_to_string(directory.join("log")).unwrap_or_default();
        assert_eq!(line, "ready\n", "the server does not start: {}", log());
        Self { binaries, directory, owner, databases: AtomicU32::new(0), keeper }
    }

    /// The address of a new and empty database.
    pub(crate) fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut createdb = as_owner(self.binaries.join("createdb"), self.owner, &self.directory);
        let made = createdb.arg("-h").arg(&self.directory).args(["-U", "litfass", &name]).output().unwrap();
        assert!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        self.address(&name)
    }

    fn address(&self, database: &str) -> String {
        format!("postgres://litfass@{}/{database}", host(&self.directory))
    }

    /// The address of a database of this server that is found at the other place once it takes over there.
    pub(crate) fn address_with(&self, url: &str, standby: &Path) -> String {
        let here = host(&self.directory);
        let both = url.replace(&here, &format!("{here},{}", host(standby)));
        format!("{both}?target_session_attrs=read-write")
    }

    /// The address of a database that has what that one has now, by way of a dump.
    pub(crate) fn dumped(&self, of: &str) -> String {
        let (address, dump) = (self.database(), self.directory.join("dump"));
        let name = |address: &str| address.rsplit('/').next().unwrap().to_owned();
        for (program, database, file) in [("pg_dump", name(of), "-f"), ("psql", name(&address), "-qf")] {
            let mut command = as_owner(self.binaries.join(program), self.owner, &self.directory);
            command.args(["-U", "litfass", "-h"]).arg(&self.directory).args([file]).arg(&dump).arg(database);
            let done = command.output().unwrap();
            assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
        }
        address
    }

    /// Restarts the server: every connection is gone, every running transaction undone.
    pub(crate) fn restart(&self) {
        let mut restart = as_owner(self.binaries.join("pg_ctl"), self.owner, &self.directory);
        restart.arg("restart").args(["-w", "-s", "-m", "immediate", "-D"]).arg(self.directory.join("data"));
        assert!(restart.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

fn host(directory: &Path) -> String {
    directory.to_str().unwrap().replace('/', "%2F")
}

/// Where the server's programs are: where `LITFASS_POSTGRES` says, on the path, or where Debian puts them.
fn binaries() -> PathBuf {
    let named = std::env::var_os("LITFASS_POSTGRES").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let installed = installed.map(|version| version.path().join("bin"));
    // A folder of links may hold some of the programs only.
    let home = |folder: PathBuf| Some(fs::canonicalize(folder.join("postgres")).ok()?.parent()?.to_owned());
    let mut folders = named.into_iter().chain(std::env::split_paths(&path)).chain(installed).filter_map(home);
    let has_all = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "createdb", "pg_basebackup"].iter().all(|name| folder.join(name).is_file())
    };
    folders.find(has_all).expect("PostgreSQL is installed, or LITFASS_POSTGRES names the folder of its programs")
}

/// The server refuses to run as root: then the directory is given to somebody else.
pub(crate) fn unprivileged(directory: &Path) -> Option<(u32, u32)> {
    if fs::metadata(directory).unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
        Some((fields.next()?, fields.next()?))
    };
    let (user, group) = of("postgres").or_else(|| of("nobody")).unwrap();
    chown(directory, Some(user), Some(group)).unwrap();
    Some((user, group))
}

fn as_owner(program: impl Into<OsString>, owner: Option<(u32, u32)>, directory: &Path) -> Command {
    let mut command = Command::new(program.into());
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command.current_dir(directory).env("LC_ALL", "C");
    command
}
