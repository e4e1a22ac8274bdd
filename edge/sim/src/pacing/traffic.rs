//! How many requests come in which hour of the week.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use litfass_market::pacing::{HOURS, Shape};

/// Requests per hour of the week, UTC, relative to the mean hour.
#[derive(Clone, PartialEq, Debug)]
pub struct Traffic {
    hourly: [f64; HOURS],
}

/// The file is the caller's.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("is not compressed as its name says: {0}")]
    Compressed(String),
    #[error("line {0}: needs region_id,dow (1 to 7),hour (0 to 23),traffic_share")]
    Line(usize),
    #[error("has no requests at all")]
    Empty,
    #[error("is not a histogram of market prices: needs price_counter_train, a list of counts by price")]
    Histogram,
}

/// Three harmonics fitted to the mean over 114 regions of a public set of weekly traffic shares (region × weekday × hour):
/// constant, then cosine and sine of one, two and three waves a day. Within 0.08 of every hour.
const WEEKDAY: [f64; 7] = [1.06, -0.739, -0.377, 0.09, -0.142, -0.022, 0.053];
const WEEKEND: [f64; 7] = [0.85, -0.567, -0.32, 0.083, -0.109, -0.025, 0.043];

impl Default for Traffic {
    fn default() -> Self {
        Self { hourly: std::array::from_fn(fitted) }
    }
}

fn fitted(hour: usize) -> f64 {
    let waves = if hour < 5 * 24 { WEEKDAY } else { WEEKEND };
    let angle = number(hour % 24) * std::f64::consts::TAU / 24.0;
    let [mean, c1, s1, c2, s2, c3, s3] = waves;
    let wave = |n: f64, c: f64, s: f64| c * (n * angle).cos() + s * (n * angle).sin();
    mean + wave(1.0, c1, s1) + wave(2.0, c2, s2) + wave(3.0, c3, s3)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub(super) fn number(n: usize) -> f64 {
    n as f64
}

impl Traffic {
    /// The mean over the regions of a CSV file with the columns `region_id,dow,hour,traffic_share`; Monday is day 1. A name
    /// that ends in `.zst` is decompressed.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is not of that form.
    pub fn read(path: &Path) -> Result<Self, Unread> {
        Self::parse(&text(path)?)
    }

    fn parse(text: &str) -> Result<Self, Unread> {
        let mut hourly = [0.0; HOURS];
        for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.is_empty()) {
            let (hour, share) = row(line).ok_or(Unread::Line(number + 1))?;
            hourly[hour] += share;
        }
        let mean = hourly.iter().sum::<f64>() / number(HOURS);
        if mean <= 0.0 {
            return Err(Unread::Empty);
        }
        Ok(Self { hourly: hourly.map(|share| share / mean) })
    }

    /// Relative to the mean hour.
    #[must_use]
    pub fn at(&self, hour_of_week: usize) -> f64 {
        self.hourly[hour_of_week % HOURS]
    }

    /// What a forecast that is right says.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.forecast(|_| 1.0)
    }

    /// A forecast that is off by a factor in each hour of the week.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of some millions")]
    pub fn forecast(&self, off: impl Fn(usize) -> f64) -> Shape {
        Shape::of(&std::array::from_fn(|hour| (self.at(hour) * off(hour) * 1e6) as u64))
    }
}

fn row(line: &str) -> Option<(usize, f64)> {
    let mut cells = line.split(',').skip(1);
    let (day, hour): (usize, usize) = (cells.next()?.trim().parse().ok()?, cells.next()?.trim().parse().ok()?);
    let share: f64 = cells.next()?.trim().parse().ok()?;
    let known = (1..=7).contains(&day) && hour < 24 && share.is_finite() && share >= 0.0;
    known.then(|| ((day - 1) * 24 + hour, share))
}

pub(super) fn text(path: &Path) -> Result<String, Unread> {
    let (mut file, mut text) = (File::open(path)?, String::new());
    if path.extension().is_some_and(|extension| extension == "zst") {
        let decoder = ruzstd::decoding::StreamingDecoder::new(&mut file);
        decoder.map_err(|error| Unread::Compressed(error.to_string()))?.read_to_string(&mut text)?;
    } else {
        file.read_to_string(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_averaged_and_a_bad_line_is_named() {
        let day = |region: u32, hour: usize, share: f64| format!("{region},3,{hour},{share}\n");
        let lines: String = (0..24).map(|hour| day(1, hour, 0.25) + &day(2, hour, number(hour))).collect();
        let traffic = Traffic::parse(&format!("region_id,dow,hour,traffic_share\n{lines}")).unwrap();
        assert!((traffic.at(48 + 20) / traffic.at(48 + 10) - 20.25 / 10.25).abs() < 1e-9);
        assert!(matches!(Traffic::parse("h\n1,3,5,0.1\n1,8,5,0.1\n"), Err(Unread::Line(3))));
        assert!(matches!(Traffic::parse("h\n"), Err(Unread::Empty)));
    }

    #[test]
    fn nights_are_quiet_and_weekends_quieter() {
        let traffic = Traffic::default();
        assert!((0..HOURS).all(|hour| traffic.at(hour) > 0.1));
        assert!(traffic.at(3) < 0.3 && traffic.at(11) > 1.5 && traffic.at(5 * 24 + 11) < traffic.at(11));
    }
}
