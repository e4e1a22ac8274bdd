//! What commands that look back have in common: a data directory that is read while a server may be running on it, and a
//! stretch of time.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use litfass_store::database::Place;
use litfass_store::log::EventLog;
use litfass_types::Timestamp;

use super::Folder;
use crate::data_dir::DataDir;
use crate::event_log;
use crate::node::system_clock;
use crate::pacing_tables::PacingHistory;
use crate::replay::{Window, Worlds};
use crate::vault::place;

/// A data directory and the log in it, to be read.
pub(super) struct Past {
    pub(super) data: DataDir,
    pub(super) log: Arc<dyn EventLog>,
    /// The catalog's.
    pub(super) place: Place,
}

impl Past {
    /// The directory must be there: looking at nothing does not make one.
    pub(super) fn open(folder: &Folder) -> Result<Self> {
        let data = folder.existing()?;
        let log = event_log::open_to_read(&data, &system_clock())?;
        let place = place(&folder.configured()?, &data)?;
        Ok(Self { data, log, place })
    }
}

/// The worlds of decisions between two moments.
pub(super) fn worlds(past: &Past, from: Timestamp, until: Timestamp) -> Result<Worlds> {
    Worlds::open(past.data.clone(), &past.place, PacingHistory::read(&*past.log, from, until)?)
}

/// Which decisions are looked at.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Stretch {
    /// Decisions from this moment on: 2026-02-03T14:00:00Z, or a day (UTC). Without it, from the log's beginning.
    #[arg(long, value_parser = moment)]
    from: Option<Timestamp>,
    /// Decisions before this moment. Without it, all that there are.
    #[arg(long, value_parser = moment)]
    to: Option<Timestamp>,
}

impl Stretch {
    pub(super) fn window(&self) -> Window {
        let all = Window::default();
        Window { from: self.from.unwrap_or(all.from), until: self.to.unwrap_or(all.until) }
    }
}

/// A moment as RFC 3339 or a day writes it.
///
/// # Errors
/// In words for whoever typed it.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let instant = text.parse::<jiff::Timestamp>().ok().or_else(|| Some(day()?.timestamp()));
    let instant = instant.ok_or("is no moment such as 2026-02-03T14:00:00Z and no day such as 2026-02-03")?;
    Ok(Timestamp(instant.as_millisecond()))
}

/// Says on a terminal, every now and then, how far a long run has come.
pub(super) struct Progress {
    next: Instant,
    shown: bool,
}

/// How often.
const EVERY: Duration = Duration::from_secs(1);

impl Progress {
    pub(super) fn new() -> Self {
        Self { next: Instant::now() + EVERY, shown: std::io::stderr().is_terminal() }
    }

    pub(super) fn tell(&mut self, decisions: u64, at: Timestamp) {
        if self.shown && Instant::now() >= self.next {
            self.next = Instant::now() + EVERY;
            let at = crate::console::numbers::moment(at.0);
            // Who cannot see it does without.
            write!(std::io::stderr(), "\r{decisions} decisions, at {at} ").unwrap_or(());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            write!(std::io::stderr(), "\r{:60}\r", "").unwrap_or(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_moment_is_an_instant_or_a_day_in_utc() {
        assert_eq!(moment("1970-01-02").map(|t| t.0), Ok(86_400_000));
        assert_eq!(moment("1970-01-01T01:00:00.5+01:00").map(|t| t.0), Ok(500));
        assert!(moment("yesterday").is_err());
    }
}
