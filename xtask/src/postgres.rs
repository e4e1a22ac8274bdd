//! The PostgreSQL server that tests of the ledger start for themselves.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::apt::{Package, on_path};
use crate::workspace;

const POSTGRES: Package = Package {
    name: "postgresql",
    need: "tests of the ledger need the programs of PostgreSQL",
    variable: "LITFASS_POSTGRES",
};
/// Where Debian puts each version.
const INSTALLED: &str = "/usr/lib/postgresql";
const PROGRAMS: [&str; 4] = ["postgres", "initdb", "pg_ctl", "createdb"];

/// The folder of its programs, which are installed first where they are missing and that is possible. In CI it has to be there;
/// elsewhere the tests that need it are left out.
pub(crate) fn ready() -> Result<Option<PathBuf>> {
    if let Some(found) = find()? {
        return Ok(Some(found));
    }
    let installed = POSTGRES.install().and_then(|()| find());
    match installed {
        Ok(Some(found)) => Ok(Some(found)),
        Ok(None) => bail!("the package postgresql is installed, but {INSTALLED} has no server"),
        Err(error) if workspace::in_ci() => Err(error),
        Err(error) => {
            println!("note: {error:#}\nnote: tests on a real PostgreSQL server are left out");
            Ok(None)
        }
    }
}

fn find() -> Result<Option<PathBuf>> {
    if let Some(set) = std::env::var_os(POSTGRES.variable) {
        let folder = PathBuf::from(set);
        if !complete(&folder) {
            bail!("{} names {}, which lacks one of {PROGRAMS:?}", POSTGRES.variable, folder.display());
        }
        return Ok(Some(folder));
    }
    // A link on the path leads to the folder that has all of them.
    let linked = on_path(&["postgres"]).and_then(|link| Some(link.canonicalize().ok()?.parent()?.to_path_buf()));
    let versions = std::fs::read_dir(INSTALLED).into_iter().flatten().flatten();
    let folders = linked.into_iter().chain(versions.map(|version| version.path().join("bin")));
    Ok(folders.filter(|folder| complete(folder)).max())
}

fn complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).is_file())
}
