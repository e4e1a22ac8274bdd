//! A campaign's day hour by hour.
//!
//! Invariants: hours are counted from the day's first instant, so a day has 23, 24 or 25 of them, and where a clock is moved by half
//! an hour the last one is a half; every row of the day's report is in exactly one of them.

use litfass_ledger::BudgetDay;
use litfass_market::pacing::Plan;
use litfass_store::ledger::report::{Report, RowKey};
use litfass_types::{Calendar, Duration, Timestamp};

use super::figures;
use crate::api::reports::ReportParams;
use crate::console::numbers::micros;
use crate::console::operating::{Curve, Figures, HourView};

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
const QUARTER_MS: i64 = 900_000;

/// A day so far.
pub(super) struct Day<'a> {
    pub(super) calendar: &'a Calendar,
    pub(super) window: BudgetDay,
    pub(super) now: Timestamp,
}

impl Day<'_> {
    pub(super) fn report(&self, campaign: u64) -> ReportParams {
        ReportParams {
            from: self.window.day.to_string(),
            time_zone: Some(self.calendar.name().to_owned()),
            campaign: Some(campaign.to_string()),
            ..ReportParams::default()
        }
    }

    /// The hours that have begun, with what each delivered.
    pub(super) fn hours(&self, report: &Report) -> Vec<(Timestamp, Figures)> {
        let begun = self.starts().take_while(|at| *at <= self.now);
        let mut hours: Vec<_> = begun.map(|at| (at, Figures::default())).collect();
        for (key, row) in &report.rows {
            if let Some((_, sum)) = hours.get_mut(self.hour_of(key)) {
                *sum = sum.plus(&figures(row));
            }
        }
        hours
    }

    fn starts(&self) -> impl Iterator<Item = Timestamp> {
        let starts = (0..).map(|n| self.window.starts + Duration(n * HOUR_MS));
        starts.take_while(|at| *at < self.window.ends)
    }

    /// In which hour the row's own begins; a local hour that the day or a moved clock cuts begins there.
    fn hour_of(&self, key: &RowKey) -> usize {
        let begins = key.bucket * HOUR_MS + key.behind * QUARTER_MS;
        usize::try_from((begins - self.window.starts.0).div_euclid(HOUR_MS)).unwrap_or(0)
    }

    fn ends(&self, hour: Timestamp) -> Timestamp {
        (hour + Duration(HOUR_MS)).min(self.window.ends)
    }

    fn name(&self, hour: Timestamp) -> String {
        let local = hour.0 + i64::from(self.calendar.ahead_seconds(hour)) * 1_000;
        let minutes = local.div_euclid(MINUTE_MS);
        format!("{:02}:{:02}", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60))
    }
}

pub(super) fn sum(hours: &[(Timestamp, Figures)]) -> Figures {
    hours.iter().fold(Figures::default(), |sum, (_, more)| sum.plus(more))
}

pub(super) fn curve(
    hours: Vec<(Timestamp, Figures)>,
    day: &Day<'_>,
    (plan, words): (Option<Plan<'_>>, &'static str),
) -> Curve {
    let so_far = |at: Timestamp| plan.map(|plan| micros(plan.target(at) - plan.target(day.window.starts)));
    let mut spent = 0;
    let view = |(at, figures): (Timestamp, Figures)| {
        spent += figures.spent_nanos;
        let until = day.ends(at).min(day.now);
        HourView {
            name: day.name(at),
            figures,
            spent_so_far_micros: micros(spent),
            planned_so_far_micros: so_far(until),
            passed: part(until - at),
        }
    };
    let ticks = std::iter::once(day.window.starts).chain(day.starts().map(|at| day.ends(at)));
    Curve {
        hours: hours.into_iter().map(view).collect(),
        names: day.starts().map(|at| day.name(at)).collect(),
        plan_micros: plan.map(|_| ticks.filter_map(so_far).collect()),
        plan: words,
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a drawing")]
fn part(passed: Duration) -> f64 {
    (passed.0 as f64 / HOUR_MS as f64).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use litfass_ledger::{Amount, Figures as Sums};
    use litfass_market::pacing::{Curve, Shape};
    use litfass_store::ledger::report::RowFigures;

    use super::*;

    /// A whole day's report in which every quarter of an hour has spent something else, and what each had, by when it began.
    fn reported(day: &Day<'_>) -> (Report, Vec<(i64, i128)>) {
        let params = ReportParams { granularity: Some("hour".to_owned()), ..day.report(1) };
        let stretches = params.check(Timestamp(day.now.0 - 1)).unwrap().ask.stretches;
        let (mut report, mut quarters) = (Report::default(), Vec::new());
        for stretch in stretches {
            for quarter in stretch.from.0..stretch.to.0 {
                let spent = 1 + i128::from(quarter % 97);
                let bucket = (quarter + stretch.ahead).div_euclid(4);
                let row = report.rows.entry(RowKey { bucket, behind: -stretch.ahead, cells: Vec::new() }).or_default();
                let more = RowFigures {
                    delivered: Sums { spent: Amount::new(spent).unwrap(), ..Sums::default() },
                    asked: None,
                };
                *row = row.plus(&more).unwrap();
                quarters.push((quarter * QUARTER_MS, spent));
            }
        }
        (report, quarters)
    }

    fn whole_day<T>(zone: &str, date: &str, look: impl FnOnce(&Day<'_>) -> T) -> T {
        let calendar = Calendar::named(zone).unwrap();
        let at = calendar.start(date.parse().unwrap());
        let window = BudgetDay::of(&calendar, at);
        look(&Day { calendar: &calendar, window, now: window.ends })
    }

    fn names(day: &Day<'_>) -> Vec<String> {
        curve(day.hours(&Report::default()), day, (None, "")).names
    }

    #[test]
    fn every_hour_of_a_day_on_which_a_clock_is_moved_has_what_was_spent_in_it() {
        for (zone, date, hours) in [
            ("Europe/Berlin", "2026-03-29", 23),
            ("Europe/Berlin", "2026-10-25", 25),
            ("America/New_York", "2026-11-01", 25),
            ("Asia/Kolkata", "2026-11-01", 24),
        ] {
            whole_day(zone, date, |day| {
                let (report, quarters) = reported(day);
                let found = day.hours(&report);
                assert_eq!((found.len(), names(day).len()), (hours, hours), "{zone} {date}");
                for (at, figures) in found {
                    let within = quarters.iter().filter(|(begun, _)| (at.0..at.0 + HOUR_MS).contains(begun));
                    assert_eq!(figures.spent_nanos, within.map(|(_, spent)| spent).sum(), "{zone} {date} {at:?}");
                }
            });
        }
    }

    #[test]
    fn nothing_is_lost_where_a_clock_is_moved_by_half_an_hour() {
        for (date, hours) in [("2026-10-04", 24), ("2026-04-05", 25)] {
            whole_day("Australia/Lord_Howe", date, |day| {
                let (report, quarters) = reported(day);
                let found = day.hours(&report);
                assert_eq!(found.len(), hours, "{date}");
                assert_eq!(sum(&found).spent_nanos, quarters.iter().map(|(_, spent)| spent).sum(), "{date}");
            });
        }
    }

    #[test]
    fn hours_have_the_names_that_clocks_show_and_the_plan_ends_with_the_day() {
        assert_eq!(whole_day("Europe/Berlin", "2026-03-29", names)[..4], ["00:00", "01:00", "03:00", "04:00"]);
        assert_eq!(whole_day("Europe/Berlin", "2026-10-25", names)[..5], ["00:00", "01:00", "02:00", "02:00", "03:00"]);
        assert_eq!(whole_day("Australia/Lord_Howe", "2026-10-04", names)[..4], ["00:00", "01:00", "02:30", "03:30"]);
        for date in ["2026-03-29", "2026-10-25"] {
            whole_day("Europe/Berlin", date, |day| {
                let (start, end, shape) = (day.window.starts, day.window.ends, Shape::flat());
                let plan =
                    Plan { budget: 24_000_000, spent: 0, start, end, price: 1, curve: &Curve::Even, shape: &shape };
                let drawn = curve(day.hours(&Report::default()), day, (Some(plan), ""));
                let plan = drawn.plan_micros.unwrap();
                assert_eq!((plan.len(), plan[0], plan[plan.len() - 1]), (drawn.names.len() + 1, 0, 24_000));
            });
        }
    }
}
