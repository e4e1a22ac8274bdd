//! The Redis server that tests of frequency caps start for themselves.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::apt::{Package, on_path};
use crate::workspace;

const REDIS: Package =
    Package { name: "redis-server", need: "tests of frequency caps need a Redis server", variable: "LITFASS_REDIS" };

/// Its program, which is installed first where it is missing and that is possible. In CI it has to be there; elsewhere the tests that
/// need it are left out.
pub(crate) fn ready() -> Result<Option<PathBuf>> {
    if let Some(found) = find() {
        return Ok(Some(found));
    }
    let installed =
        REDIS.install().and_then(|()| find().context("the package redis-server is installed, but not its program"));
    match installed {
        Ok(found) => Ok(Some(found)),
        Err(error) if workspace::in_ci() => Err(error),
        Err(error) => {
            println!("note: {error:#}\nnote: tests on a real Redis server are left out");
            Ok(None)
        }
    }
}

fn find() -> Option<PathBuf> {
    let named = std::env::var_os(REDIS.variable).map(PathBuf::from);
    named.or_else(|| on_path(&[REDIS.name]))
}
