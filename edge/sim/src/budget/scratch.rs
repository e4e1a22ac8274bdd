//! Where files of simulated databases lie: in memory where the system offers that, and nowhere once they are done with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files in memory on Linux.
const SHARED_MEMORY: &str = "/dev/shm";

/// A folder that is gone when this is.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// When the folder cannot be made.
    pub fn new() -> io::Result<Self> {
        let memory = Path::new(SHARED_MEMORY);
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = base.join(format!("litfass-simulate-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// An empty folder for a seed.
    pub(super) fn of(&self, seed: u64) -> io::Result<PathBuf> {
        let folder = self.0.join(seed.to_string());
        fs::remove_dir_all(&folder).unwrap_or_default();
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}
