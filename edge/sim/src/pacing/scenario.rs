//! The days that pacing is tried on.

use litfass_market::pacing::{Curve, Points, Shape, hour_of_week};
use litfass_types::{Timestamp, Unit};

use super::Inputs;
use super::campaign::{Campaign, Event};

/// Monday, 2026-11-16, midnight UTC.
pub(super) const STARTS: Timestamp = Timestamp(1_794_787_200_000);

/// One day of 24 hours.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub says: &'static str,
    pub(super) campaigns: Vec<Campaign>,
    /// Requests of a mean day.
    pub(super) requests: f64,
    /// Hours in which nobody is asked.
    pub(super) outage: Option<(f64, f64)>,
    /// How late the ledger's figures are, in seconds.
    pub(super) late: i64,
    /// The hour from which on nothing is in the way of getting back to the plan; none where nothing ever was.
    pub(super) disturbed_until: Option<f64>,
}

/// A currency unit in nanos.
const UNIT: i64 = 1_000_000_000;
/// A generous bid: 3 units per mille, the histogram's end.
const BID: i64 = 3_000_000;

/// The scenario with this name.
#[must_use]
pub fn named(name: &str, inputs: &Inputs) -> Option<Scenario> {
    scenarios(inputs).into_iter().find(|scenario| scenario.name == name)
}

/// All of them.
#[must_use]
pub fn scenarios(inputs: &Inputs) -> Vec<Scenario> {
    let right = inputs.traffic.shape();
    let mut all = undisturbed(&right);
    all.extend(disturbed(&right));
    all.push(forecast(inputs, "forecast-too-high", "from noon on there is half the traffic that was forecast", 2.0));
    all.push(forecast(inputs, "forecast-too-low", "from noon on there is twice the traffic that was forecast", 0.5));
    all.extend(others(&right));
    all
}

fn day(name: &'static str, says: &'static str, campaigns: Vec<Campaign>) -> Scenario {
    Scenario { name, says, campaigns, requests: 100_000.0, outage: None, late: 0, disturbed_until: None }
}

/// A campaign that could spend about four times its budget.
fn one(forecast: &Shape) -> Campaign {
    Campaign::per_mille("campaign", 15 * UNIT, BID, forecast)
}

fn undisturbed(right: &Shape) -> Vec<Scenario> {
    // Half of the budget in the first third of the traffic, nearly nothing in the second.
    let points = Points::new(vec![(333_333, 500_000), (666_667, 600_000)]).unwrap_or_else(|_| unreachable!());
    let clicks = |name, units: i64, micros| Campaign {
        click: 0.05,
        ..Campaign::per_mille(name, units * UNIT, BID, right).per(Unit::Click, micros)
    };
    let small = |name, units| Campaign { reach: 0.5, ..clicks(name, units, 30_000) };
    vec![
        day("even", "diurnal traffic, spread evenly", vec![one(right)]),
        day("front-loaded", "diurnal traffic, front-loaded", vec![one(right).curved(Curve::FrontLoaded)]),
        day("custom", "diurnal traffic, a custom curve", vec![one(right).curved(Curve::Custom(points))]),
        Scenario {
            requests: 300_000.0,
            ..day(
                "whale",
                "a whale and four small campaigns, which reach half of the viewers",
                vec![
                    clicks("whale", 75, 50_000),
                    small("small 1", 6),
                    small("small 2", 8),
                    small("small 3", 10),
                    small("small 4", 12),
                ],
            )
        },
        Scenario { late: 60, ..day("late", "what was spent is known 60 seconds later", vec![one(right)]) },
        day(
            "guaranteed",
            "20,000 impressions at a fixed price in 24 hours",
            vec![Campaign::guaranteed("campaign", 20_000, right)],
        ),
        day("clicks", "paid per click", vec![clicks("campaign", 30, 30_000)]),
    ]
}

fn disturbed(right: &Shape) -> Vec<Scenario> {
    let apart = vec![
        Campaign { name: "twice its plan", ..one(right).at(8.0, Event::Came(2.0)) },
        Campaign { name: "nothing yet", ..one(right).at(8.0, Event::Came(0.0)) },
    ];
    let until = |hour, scenario| Scenario { disturbed_until: Some(hour), ..scenario };
    let paused = one(right).at(10.0, Event::Paused).at(13.0, Event::Resumed);
    let guaranteed = Campaign::guaranteed("campaign", 20_000, right);
    let outage = Some((12.0, 13.0));
    vec![
        until(8.0, day("apart", "two campaigns at 2.0 and 0.0 of their plan at 8:00", apart)),
        until(13.0, Scenario { outage, ..day("outage", "nothing is served from 12:00 to 13:00", vec![one(right)]) }),
        until(
            13.0,
            Scenario { outage, ..day("outage-guaranteed", "the same with guaranteed impressions", vec![guaranteed]) },
        ),
        until(13.0, day("pause", "paused at 10:00, resumed at 13:00", vec![paused])),
        until(
            12.0,
            day(
                "raised",
                "the budget is half as much again from 12:00 on",
                vec![one(right).at(12.0, Event::Budget(1.5))],
            ),
        ),
        until(
            12.0,
            day(
                "replaced",
                "the controller dies at 12:00, another takes over",
                vec![one(right).at(12.0, Event::Replaced)],
            ),
        ),
    ]
}

/// Off by a factor from noon on; a forecast that is off by the same factor all day has the same shape.
fn forecast(inputs: &Inputs, name: &'static str, says: &'static str, off: f64) -> Scenario {
    let noon = hour_of_week(STARTS) + 12;
    let forecast = inputs.traffic.forecast(|hour| if hour >= noon { off } else { 1.0 });
    Scenario { disturbed_until: Some(12.0), ..day(name, says, vec![one(&forecast)]) }
}

fn others(right: &Shape) -> Vec<Scenario> {
    let actions = Campaign { click: 0.05, ..one(right).per(Unit::Action, 600_000) };
    vec![day(
        "actions",
        "paid per conversion, half of which come later than two hours",
        vec![Campaign { budget: 40 * UNIT, ..actions }],
    )]
}
