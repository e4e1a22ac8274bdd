//! Which number each partition of each writer has: the file `partitions`, one line `writer k number` each. A number, once
//! given, stays.

use std::path::{Path, PathBuf};

use super::{BadRegister, OpenError};
use crate::storage::{Storage, StorageError, ensure_dir, read_whole, write_atomic};

pub(super) const FILE: &str = "partitions";
const PARTITIONS_MAX: u16 = 256;
/// Partitions of all writers together: tables of pacing carry a number in ten bits.
const NUMBERS_MAX: u16 = 1_024;
const NAME_BYTES_MAX: usize = 32;

/// One line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Registered {
    pub(super) writer: String,
    /// Which of the writer's partitions: 0 ….
    pub(super) index: u16,
    pub(super) number: u16,
}

impl Registered {
    pub(super) fn dir(&self, root: &Path) -> PathBuf {
        root.join(format!("{}-{}", self.writer, self.index))
    }
}

/// Everything registered, by number.
pub(super) fn registered<E>(storage: &dyn Storage, root: &Path) -> Result<Vec<Registered>, E>
where
    E: From<BadRegister> + From<StorageError>,
{
    let path = root.join(FILE);
    let bytes = read_whole(storage, &path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().enumerate();
    let bad = |line| BadRegister { path: path.clone(), line };
    lines.map(|(i, line)| parse(line).ok_or_else(|| bad(i + 1).into())).collect()
}

/// Registers what is new, makes every directory, and returns the writer's partitions by index.
pub(super) fn register(
    storage: &dyn Storage,
    root: &Path,
    writer: &str,
    partitions: u16,
) -> Result<Vec<Registered>, OpenError> {
    check_name(writer, partitions)?;
    let mut all = registered::<OpenError>(storage, root)?;
    let known = all.iter().filter(|line| line.writer == writer).count();
    let known = u16::try_from(known).unwrap_or(u16::MAX);
    if known > partitions {
        return Err(OpenError::Shrunk { writer: writer.to_owned(), registered: known, asked: partitions });
    }
    for index in known..partitions {
        let number = u16::try_from(all.len()).ok().filter(|number| *number < NUMBERS_MAX);
        let number = number.ok_or(OpenError::TooManyPartitions)?;
        all.push(Registered { writer: writer.to_owned(), index, number });
    }
    if known < partitions {
        write_atomic(storage, &root.join(FILE), render(&all).as_bytes())?;
    }
    all.retain(|line| line.writer == writer);
    // This syncs the register's name too, which a process that was killed may have left unsynced.
    for line in &all {
        ensure_dir(storage, &line.dir(root))?;
    }
    Ok(all)
}

pub(super) fn check_name(writer: &str, partitions: u16) -> Result<(), OpenError> {
    let letters = writer.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let fits = (1..=NAME_BYTES_MAX).contains(&writer.len()) && (1..=PARTITIONS_MAX).contains(&partitions);
    if letters && fits { Ok(()) } else { Err(OpenError::BadName(writer.to_owned())) }
}

fn parse(line: &str) -> Option<Registered> {
    let mut words = line.split(' ');
    let writer = words.next()?.to_owned();
    let (index, number) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some(Registered { writer, index, number })
}

fn render(all: &[Registered]) -> String {
    let mut text = String::new();
    for line in all {
        text.push_str(&format!("{} {} {}\n", line.writer, line.index, line.number));
    }
    text
}
