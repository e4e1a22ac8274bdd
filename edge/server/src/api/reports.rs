//! `GET /v1/reports` and `litfass report`: what can be asked, and how the answer is written. Ratios are computed here, from the
//! sums of the row they stand in; nothing but sums is kept.

use std::collections::BTreeMap;

use litfass_ledger::{Asked, Quarter};
use litfass_store::ledger::report::{Bucket, Cell, Dimension, Report, ReportAsk, RowFigures, RowKey, Stretch};
use litfass_types::{Calendar, Day, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::csv::{Csv, plain};
use super::instant::{instant, parsed};
use super::invalid::{Invalid, one_of};

/// A report of more rows is refused: whoever wants every row exports the events.
pub const ROWS_MAX: usize = 100_000;
const QUARTER_MS: i64 = 900_000;
const HOURS_PER_DAY: i64 = 24;
/// The longest report, so that its stretches stay few.
const SPAN_MAX_MS: i64 = 20 * 366 * 86_400_000;

/// The parameters of a report, as typed.
#[derive(Deserialize, clap::Args, Clone, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct ReportParams {
    /// By what to tell figures apart: any of tenant, advertiser, campaign, line_item, ad, creative, placement, country.
    #[arg(long)]
    pub dimensions: Option<String>,
    /// The first instant (2026-11-21T15:00:00Z) or local day (2026-11-21).
    #[arg(long)]
    pub from: String,
    /// The first instant or local day after it [default: now].
    #[arg(long)]
    pub to: Option<String>,
    /// hour, day or total [default: total].
    #[arg(long)]
    pub granularity: Option<String>,
    /// Whose hours and days: a name of the IANA database [default: UTC].
    #[arg(long)]
    pub time_zone: Option<String>,
    /// net: valid traffic only; gross: all [default: net].
    #[arg(long)]
    pub traffic: Option<String>,
    #[arg(long)]
    pub tenant: Option<String>,
    #[arg(long)]
    pub advertiser: Option<String>,
    /// Ids, separated by commas; so for the other filters.
    #[arg(long)]
    pub campaign: Option<String>,
    #[arg(long)]
    pub line_item: Option<String>,
    #[arg(long)]
    pub ad: Option<String>,
    #[arg(long)]
    pub creative: Option<String>,
    #[arg(long)]
    pub placement: Option<String>,
    #[arg(long)]
    pub country: Option<String>,
    /// How the answer is written.
    #[arg(long)]
    pub format: Option<String>,
}

/// A report to be made.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub ask: ReportAsk,
    pub calendar: Calendar,
    pub from: Timestamp,
    pub to: Timestamp,
}

impl ReportParams {
    /// # Errors
    /// Names the parameter that is unknown or out of range.
    pub fn check(&self, now: Timestamp) -> Result<Wanted, Invalid> {
        let zone = self.time_zone.as_deref().unwrap_or("UTC");
        let calendar = Calendar::named(zone).map_err(|e| Invalid::new("time_zone", e.to_string()))?;
        let from = boundary("from", &self.from, &calendar)?;
        let to = match &self.to {
            Some(to) => boundary("to", to, &calendar)?,
            None => Timestamp((now.0.div_euclid(QUARTER_MS) + 1) * QUARTER_MS),
        };
        if from >= to || to - from > litfass_types::Duration(SPAN_MAX_MS) {
            return Err(Invalid::new("to", "must be after `from`, and at most twenty years after it"));
        }
        let buckets = ["hour", "day", "total"];
        let bucket = one_of("granularity", self.granularity.as_deref(), bucket, buckets.into_iter())?;
        let net = one_of("traffic", self.traffic.as_deref(), net, ["net", "gross"].into_iter())?;
        let ask = ReportAsk {
            stretches: stretches(&calendar, from, to),
            bucket: bucket.unwrap_or(Bucket::All),
            dimensions: self.dimensions()?,
            filters: self.filters()?,
            net: net.unwrap_or(true),
            requests: true,
            rows_max: ROWS_MAX,
        };
        Ok(Wanted { ask, calendar, from, to })
    }

    fn dimensions(&self) -> Result<Vec<Dimension>, Invalid> {
        let named = self.dimensions.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|n| !n.is_empty());
        let mut dimensions = Vec::new();
        for name in named {
            let names = Dimension::ALL.iter().map(|dimension| dimension.name());
            dimensions.extend(one_of("dimensions", Some(name), Dimension::parse, names)?);
        }
        let mut once = dimensions.clone();
        once.sort_unstable();
        once.dedup();
        if once.len() == dimensions.len() { Ok(dimensions) } else { Err(Invalid::new("dimensions", "names one twice")) }
    }

    fn filters(&self) -> Result<BTreeMap<Dimension, Vec<Cell>>, Invalid> {
        let typed = [
            (Dimension::Tenant, &self.tenant),
            (Dimension::Advertiser, &self.advertiser),
            (Dimension::Campaign, &self.campaign),
            (Dimension::LineItem, &self.line_item),
            (Dimension::Ad, &self.ad),
            (Dimension::Creative, &self.creative),
            (Dimension::Placement, &self.placement),
            (Dimension::Country, &self.country),
        ];
        let mut filters = BTreeMap::new();
        for (dimension, text) in typed {
            if let Some(text) = text {
                filters.insert(dimension, cells(dimension, text)?);
            }
        }
        Ok(filters)
    }
}

/// At most so many values in one filter.
const VALUES_MAX: usize = 1_000;

fn cells(dimension: Dimension, text: &str) -> Result<Vec<Cell>, Invalid> {
    let cell = |text: &str| {
        if dimension == Dimension::Country {
            return Ok(Cell::Text(text.trim().to_owned()));
        }
        text.trim().parse().map(Cell::Id).map_err(|_| Invalid::new(dimension.name(), "holds what is no id"))
    };
    let cells = text.split(',').map(cell).collect::<Result<Vec<_>, _>>()?;
    if cells.len() > VALUES_MAX {
        return Err(Invalid::new(dimension.name(), format!("holds more than {VALUES_MAX} values")));
    }
    Ok(cells)
}

fn bucket(name: &str) -> Option<Bucket> {
    match name {
        "hour" => Some(Bucket::Hour),
        "day" => Some(Bucket::Day),
        "total" => Some(Bucket::All),
        _ => None,
    }
}

fn net(name: &str) -> Option<bool> {
    match name {
        "net" => Some(true),
        "gross" => Some(false),
        _ => None,
    }
}

fn boundary(field: &str, text: &str, calendar: &Calendar) -> Result<Timestamp, Invalid> {
    if let Ok(day) = text.parse::<Day>() {
        return Ok(calendar.start(day));
    }
    let at = parsed(field, text).map_err(|_| Invalid::new(field, "is a day such as 2026-11-21 or an instant"))?;
    let whole = at.0 >= 0 && at.0 % QUARTER_MS == 0;
    if whole { Ok(at) } else { Err(Invalid::new(field, "must lie on a quarter of an hour")) }
}

/// Cuts the time where the zone changes its offset.
fn stretches(calendar: &Calendar, from: Timestamp, to: Timestamp) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut at = from;
    while at < to {
        let end = calendar.next_change(at).map_or(to, |next| next.min(to));
        let ahead = (i64::from(calendar.ahead_seconds(at)) * 1_000).div_euclid(QUARTER_MS);
        stretches.push(Stretch { from: Quarter::of(at), to: Quarter::of(end), ahead });
        at = end;
    }
    stretches
}

// ── the answer ──

type Metric = (&'static str, fn(&RowFigures) -> Value);

/// Every figure of a row, in the order of the columns.
const METRICS: [Metric; 16] = [
    ("requests", |row| asked(row, |asked| asked.requests)),
    ("eligible", |row| asked(row, |asked| asked.eligible)),
    ("slots", |row| asked(row, |asked| asked.slots)),
    ("filled", |row| asked(row, |asked| asked.filled)),
    ("fill", |row| json!(row.asked.and_then(|asked| ratio(asked.filled, asked.slots)))),
    ("impressions", |row| row.delivered.impressions.into()),
    ("viewables", |row| row.delivered.viewables.into()),
    ("clicks", |row| row.delivered.clicks.into()),
    ("ctr", |row| json!(ratio(row.delivered.clicks, row.delivered.impressions))),
    ("viewability", |row| json!(ratio(row.delivered.viewables, row.delivered.impressions))),
    ("conversions", |row| row.delivered.conversions.into()),
    ("cvr", |row| json!(ratio(row.delivered.conversions, row.delivered.clicks))),
    ("conversion_value_micros", |row| row.delivered.value_micros.to_string().into()),
    ("spent_nanos", |row| row.delivered.spent.nanos().to_string().into()),
    ("refunded_nanos", |row| row.delivered.refunded.nanos().to_string().into()),
    ("ecpm_micros", |row| json!(ecpm_micros(row.delivered.spent.nanos(), row.delivered.impressions))),
];

fn asked(row: &RowFigures, of: impl Fn(&Asked) -> u64) -> Value {
    row.asked.as_ref().map_or(Value::Null, |asked| of(asked).into())
}

/// None where it divides by nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Nanos per impression, which are micros per mille.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
pub fn ecpm_micros(spent_nanos: i128, impressions: u64) -> Option<f64> {
    (impressions > 0).then(|| spent_nanos as f64 / impressions as f64)
}

/// A finished report, ready to be written.
#[derive(Debug)]
pub struct Told<'a> {
    pub wanted: &'a Wanted,
    pub report: &'a Report,
}

impl Told<'_> {
    fn timed(&self) -> bool {
        self.wanted.ask.bucket != Bucket::All
    }

    fn columns(&self) -> Vec<&'static str> {
        let time = self.timed().then_some("time");
        let dimensions = self.wanted.ask.dimensions.iter().map(|dimension| dimension.name());
        time.into_iter().chain(dimensions).chain(METRICS.iter().map(|(name, _)| *name)).collect()
    }

    fn row(&self, key: &RowKey, figures: &RowFigures) -> Vec<Value> {
        let time = self.timed().then(|| self.time(key).into());
        let cells = key.cells.iter().map(|cell| match cell {
            Cell::Id(id) => Value::from(*id),
            Cell::Text(text) => Value::from(text.clone()),
        });
        time.into_iter().chain(cells).chain(METRICS.iter().map(|(_, of)| of(figures))).collect()
    }

    /// A local day, or a local hour with its offset.
    fn time(&self, key: &RowKey) -> String {
        let day = |days: i64| Day(i32::try_from(days).unwrap_or(i32::MAX));
        if self.wanted.ask.bucket == Bucket::Day {
            return day(key.bucket).to_string();
        }
        let (hour, minutes) = (key.bucket.rem_euclid(HOURS_PER_DAY), -key.behind * 15);
        let sign = if minutes < 0 { '-' } else { '+' };
        let (h, m) = (minutes.abs() / 60, minutes.abs() % 60);
        format!("{}T{hour:02}:00:00{sign}{h:02}:{m:02}", day(key.bucket.div_euclid(HOURS_PER_DAY)))
    }

    fn rows(&self) -> Vec<Vec<Value>> {
        self.report.rows.iter().map(|(key, figures)| self.row(key, figures)).collect()
    }

    /// The sum of all rows; a report that would not fit is refused before.
    fn totals(&self) -> RowFigures {
        let add = |sum: RowFigures, row: &RowFigures| sum.plus(row).unwrap_or(sum);
        self.report.rows.values().fold(RowFigures::default(), add)
    }

    #[must_use]
    pub fn json(&self) -> Value {
        let columns = self.columns();
        let object = |row: Vec<Value>| {
            Value::Object(columns.iter().map(|name| (*name).to_owned()).zip(row).collect::<Map<_, _>>())
        };
        let totals = self.totals();
        let totals: Map<_, _> = METRICS.iter().map(|(name, of)| ((*name).to_owned(), of(&totals))).collect();
        json!({
            "from": instant(self.wanted.from),
            "to": instant(self.wanted.to),
            "time_zone": self.wanted.calendar.name(),
            "granularity": match self.wanted.ask.bucket { Bucket::Hour => "hour", Bucket::Day => "day", Bucket::All => "total" },
            "traffic": if self.wanted.ask.net { "net" } else { "gross" },
            "complete_until": self.report.complete_until.map(instant),
            "rows": self.rows().into_iter().map(object).collect::<Vec<_>>(),
            "totals": totals,
        })
    }

    #[must_use]
    pub fn csv(&self) -> String {
        let complete = self.complete();
        let columns: Vec<_> = self.columns().into_iter().chain(["complete_until"]).collect();
        let mut csv = Csv::new(&columns);
        for row in self.rows() {
            csv.fields(row.iter().map(plain).chain([complete.clone()]));
        }
        csv.finish()
    }

    fn complete(&self) -> String {
        self.report.complete_until.map_or_else(String::new, instant)
    }

    /// For a terminal: columns as wide as what stands in them.
    #[must_use]
    pub fn table(&self) -> String {
        let head = self.columns().into_iter().map(str::to_owned).collect();
        let body = self.rows().into_iter().map(|row| row.iter().map(shown).collect());
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
        let columns = rows.first().map_or(0, Vec::len);
        let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:>width$}"));
            cells.collect::<Vec<_>>().join("  ")
        };
        let mut lines: Vec<String> = rows.iter().map(line).collect();
        lines.push(format!("complete until {}", self.complete()));
        lines.join("\n") + "\n"
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() {
        return "-".to_owned();
    }
    value.as_f64().filter(|_| value.is_f64()).map_or_else(|| plain(value), |x| format!("{x:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(from: &str, to: &str, zone: &str) -> ReportParams {
        let (to, time_zone) = (Some(to.to_owned()), Some(zone.to_owned()));
        ReportParams { from: from.to_owned(), to, time_zone, ..ReportParams::default() }
    }

    #[test]
    fn local_days_are_cut_where_summer_time_begins_and_ends() {
        let year = params("2026-01-01", "2027-01-01", "Europe/Berlin").check(Timestamp(0)).unwrap();
        let ahead: Vec<i64> = year.ask.stretches.iter().map(|stretch| stretch.ahead).collect();
        assert_eq!(ahead, [4, 8, 4], "quarters ahead of UTC");
        assert!(year.ask.stretches.is_sorted_by(|a, b| a.to == b.from && a.from < b.from));
        let india = params("2026-01-01", "2026-01-02", "Asia/Kolkata").check(Timestamp(0)).unwrap();
        assert_eq!(india.ask.stretches.len(), 1);
        assert_eq!((india.ask.stretches[0].ahead, india.from), (22, Timestamp(1_767_205_800_000)));
    }

    #[test]
    fn what_is_no_report_is_refused_by_the_parameter_that_is_wrong() {
        let refused = |change: &dyn Fn(&mut ReportParams)| {
            let mut asked = params("2026-01-01", "2026-01-02", "UTC");
            change(&mut asked);
            asked.check(Timestamp(0)).unwrap_err().field
        };
        assert_eq!(refused(&|p| p.from = "yesterday".to_owned()), "from");
        assert_eq!(refused(&|p| p.from = "2026-01-01T00:07:00Z".to_owned()), "from");
        assert_eq!(refused(&|p| p.to = Some("2026-01-01".to_owned())), "to");
        assert_eq!(refused(&|p| p.time_zone = Some("Mars/Olympus".to_owned())), "time_zone");
        assert_eq!(refused(&|p| p.dimensions = Some("campaign,colour".to_owned())), "dimensions");
        assert_eq!(refused(&|p| p.dimensions = Some("ad,ad".to_owned())), "dimensions");
        assert_eq!(refused(&|p| p.campaign = Some("1,two".to_owned())), "campaign");
        assert_eq!(refused(&|p| p.granularity = Some("minute".to_owned())), "granularity");
        assert_eq!(refused(&|p| p.traffic = Some("all".to_owned())), "traffic");
    }
}
