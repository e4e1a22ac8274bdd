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
        // One process may simulate twice at a time, and a process that was killed left its folder.
        let mut folders = (0_u32..).map(|n| base.join(format!("litfass-simulate-{}-{n}", std::process::id())));
        folders.find_map(made).unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into())).map(Self)
    }

    /// An empty folder for a seed.
    pub(super) fn of(&self, seed: u64) -> io::Result<PathBuf> {
        let folder = self.0.join(seed.to_string());
        fs::remove_dir_all(&folder).unwrap_or_default();
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// `None` where somebody has it.
fn made(folder: PathBuf) -> Option<io::Result<PathBuf>> {
    match fs::create_dir(&folder) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => None,
        made => Some(made.map(|()| folder)),
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}
