//! A day's spend against its plan as a drawing; what it shows stands in a table beside it.

use maud::{Markup, html};

use super::numbers::amount;
use super::operating::Curve;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 220.0;
/// Room for the words at the left and below.
const LEFT: f64 = 76.0;
const BELOW: f64 = 22.0;

pub(super) fn curve(curve: &Curve) -> Markup {
    let most = most(curve);
    let at = |hour: f64, micros: i64| format!("{:.1},{:.1}", across(curve, hour), HEIGHT * (1.0 - share(micros, most)));
    let spent = line(spent(curve).map(|(hour, micros)| at(hour, micros)));
    let plan = curve.plan_micros.as_ref().map(|plan| line((0_u32..).zip(plan).map(|(hour, m)| at(hour.into(), *m))));
    html! {
        svg.curve viewBox={ "0 -8 " (WIDTH) " " (HEIGHT + BELOW + 8.0) } role="img" aria-label=(said(curve)) {
            @for part in [0, 1, 2] { (ruled(most, part)) }
            @for (hour, name) in (0_u32..).zip(&curve.names).step_by(4) {
                text x=(format!("{:.1}", across(curve, hour.into()))) y=(HEIGHT + 16.0) text-anchor="middle" { (name) }
            }
            @if let Some(plan) = plan { polyline.line.truth.plan points=(plan) {} }
            polyline.line.c-rate points=(spent) {}
        }
    }
}

/// Where an hour of the day stands.
#[expect(clippy::cast_precision_loss, reason = "a day has few hours")]
fn across(curve: &Curve, hour: f64) -> f64 {
    LEFT + (WIDTH - LEFT) * hour / curve.names.len().max(1) as f64
}

/// A rule at a half of the height, with what it stands for.
fn ruled(most: i64, part: i64) -> Markup {
    let micros = most / 2 * part;
    let y = format!("{:.1}", HEIGHT * (1.0 - share(micros, most)));
    html! {
        line.grid x1=(LEFT) x2=(WIDTH) y1=(y) y2=(y) {}
        text x=(LEFT - 8.0) y=(y) text-anchor="end" dominant-baseline="middle" { (amount(micros)) }
    }
}

fn most(curve: &Curve) -> i64 {
    let plan = curve.plan_micros.iter().flatten().copied();
    let spent = curve.hours.iter().map(|hour| hour.spent_so_far_micros);
    plan.chain(spent).max().unwrap_or(0).max(10_000)
}

#[expect(clippy::cast_precision_loss, reason = "for a drawing")]
fn share(micros: i64, most: i64) -> f64 {
    (micros as f64 / most as f64).clamp(0.0, 1.0)
}

/// Where the spend stood at the start of the day and at the end of each hour, the last one as far as it has come.
fn spent(curve: &Curve) -> impl Iterator<Item = (f64, i64)> {
    let hours = (0_u32..).zip(&curve.hours);
    let points = hours.map(|(n, hour)| (f64::from(n) + hour.passed, hour.spent_so_far_micros));
    std::iter::once((0.0, 0)).chain(points)
}

fn line(points: impl Iterator<Item = String>) -> String {
    points.collect::<Vec<_>>().join(" ")
}

fn said(curve: &Curve) -> String {
    let Some(last) = curve.hours.last() else { return "Nothing was spent yet".to_owned() };
    let plan = last.planned_so_far_micros.map(|micros| format!(", planned {}", amount(micros))).unwrap_or_default();
    format!("Spent so far today {}{plan}", amount(last.spent_so_far_micros))
}
