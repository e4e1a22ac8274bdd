//! What billing adds to the tables of reports.
//!
//! They are sums, never read to plan anything, so the addition is left to the database: lo of a pair stays in 0 … 10¹⁸−1 and
//! carries; hi of a conversion value may be negative. Rows come in the order of their keys, the same in every process, so two
//! transactions never wait for each other's in a circle.

use std::collections::BTreeMap;

use litfass_ledger::{Amount, Asked, Country, Facet, Figures, Overflow, Rollup, Slice, Spot};
use litfass_types::{AdId, CreativeId, PlacementId};

const LO: i128 = 1_000_000_000_000_000_000;
const COUNTS: [&str; 4] = ["impressions", "viewables", "clicks", "conversions"];
const PAIRS: [&str; 3] = ["value", "spent", "refunded"];

/// Rows to add to one table.
#[derive(Debug)]
pub(super) struct Sums {
    pub table: &'static str,
    /// The columns that name a row, all numbers; where there are `countries` the country names it too.
    keys: &'static [&'static str],
    /// Counts before those of every table.
    counts: &'static [&'static str],
    /// Row by row, [`Sums::width`] numbers each: keys, counts, figures.
    pub numbers: Vec<i64>,
    pub countries: Option<Vec<Country>>,
}

impl Sums {
    const fn delivery() -> Self {
        let keys = &["quarter", "tenant", "account", "campaign", "line_item", "ad", "creative", "placement", "traffic"];
        let countries = Some(Vec::new());
        Self { table: "report_delivery", keys, counts: &[], numbers: Vec::new(), countries }
    }

    const fn line_items() -> Self {
        let keys = &["quarter", "tenant", "account", "campaign", "line_item", "traffic"];
        Self { table: "report_line_item", keys, counts: &[], numbers: Vec::new(), countries: None }
    }

    const fn places() -> Self {
        let (keys, counts) =
            (&["quarter", "tenant", "placement", "traffic"], &["requests", "eligible", "slots", "filled"]);
        Self { table: "report_place", keys, counts, numbers: Vec::new(), countries: Some(Vec::new()) }
    }

    /// Numbers of a row.
    pub(super) const fn width(&self) -> usize {
        self.keys.len() + self.counts.len() + COUNTS.len() + 2 * PAIRS.len()
    }

    /// `INSERT … ON CONFLICT DO UPDATE`: numbers first, then the country. `rows` is a VALUES list or a SELECT.
    pub(super) fn upsert(&self, rows: &str) -> String {
        let table = self.table;
        let country = self.countries.as_ref().map(|_| "country");
        let keys: Vec<&str> = self.keys.iter().copied().chain(country).collect();
        let pairs = PAIRS.iter().flat_map(|pair| [format!("{pair}_hi"), format!("{pair}_lo")]);
        let numbers = self.keys.iter().chain(self.counts).chain(&COUNTS).map(|name| (*name).to_owned()).chain(pairs);
        let columns: Vec<String> = numbers.chain(country.map(ToOwned::to_owned)).collect();
        let counts =
            self.counts.iter().chain(&COUNTS).map(|count| format!("{count} = {table}.{count} + excluded.{count}"));
        let sums: Vec<String> = counts.chain(PAIRS.iter().map(|pair| add_pair(table, pair))).collect();
        format!(
            "INSERT INTO {table} ({}) {rows} ON CONFLICT ({}) DO UPDATE SET {}",
            columns.join(", "),
            keys.join(", "),
            sums.join(", ")
        )
    }

    fn add(&mut self, keys: &[i64], country: Country, asked: &[i64], figures: &Figures) -> Result<(), Overflow> {
        self.numbers.extend(keys);
        self.numbers.extend(asked);
        self.numbers.extend(columns(figures)?);
        if let Some(countries) = &mut self.countries {
            countries.push(country);
        }
        Ok(())
    }
}

fn add_pair(table: &str, pair: &str) -> String {
    let (hi, lo) = (format!("{pair}_hi"), format!("{pair}_lo"));
    let low = format!("({table}.{lo} + excluded.{lo})");
    format!("{hi} = {table}.{hi} + excluded.{hi} + {low} / {LO}, {lo} = {low} % {LO}")
}

/// Every figure goes into three tables: by all that is known, by line item, and by place.
///
/// # Errors
/// Beyond what can be counted or stored.
pub(super) fn sums(rollup: &Rollup) -> Result<[Sums; 3], Overflow> {
    let (mut line_items, mut places) = (Rollup::default(), BTreeMap::<Spot, (Asked, Figures)>::new());
    let mut delivery = Sums::delivery();
    for (slice, figures) in &rollup.delivered {
        delivery.add(&fine(slice), slice.facet.country, &[], figures)?;
        line_items.deliver(Slice { facet: without_ad(slice.facet), ..*slice }, figures)?;
        let sums = &mut places.entry(spot_of(slice)).or_default().1;
        *sums = sums.plus(figures)?;
    }
    for (spot, asked) in &rollup.asked {
        places.entry(*spot).or_default().0 = *asked;
    }
    let (mut coarse, mut by_place) = (Sums::line_items(), Sums::places());
    for (slice, figures) in &line_items.delivered {
        coarse.add(&of_line_item(slice), Country::UNKNOWN, &[], figures)?;
    }
    for (spot, (asked, figures)) in &places {
        by_place.add(&place(spot), spot.country, &counts(asked), figures)?;
    }
    Ok([delivery, coarse, by_place])
}

const fn without_ad(facet: Facet) -> Facet {
    let (ad, creative, placement) = (AdId(0), CreativeId(0), PlacementId(0));
    Facet { ad, creative, placement, country: Country::UNKNOWN, ..facet }
}

const fn spot_of(slice: &Slice) -> Spot {
    let Facet { quarter, placement, country, traffic, .. } = slice.facet;
    Spot { tenant: slice.tenant, quarter, placement, country, traffic }
}

fn fine(slice: &Slice) -> [i64; 9] {
    let Slice { tenant, account, campaign, line_item, facet } = slice;
    let ids = [tenant.0, account.0, campaign.0, line_item.0, facet.ad.0, facet.creative.0, facet.placement.0];
    let [tenant, account, campaign, line_item, ad, creative, placement] = ids.map(u64::cast_signed);
    let (quarter, traffic) = (facet.quarter.0, facet.traffic.number().into());
    [quarter, tenant, account, campaign, line_item, ad, creative, placement, traffic]
}

fn of_line_item(slice: &Slice) -> [i64; 6] {
    let [quarter, tenant, account, campaign, line_item, .., traffic] = fine(slice);
    [quarter, tenant, account, campaign, line_item, traffic]
}

fn place(spot: &Spot) -> [i64; 4] {
    let [tenant, placement] = [spot.tenant.0, spot.placement.0].map(u64::cast_signed);
    [spot.quarter.0, tenant, placement, spot.traffic.number().into()]
}

fn counts(asked: &Asked) -> [i64; 4] {
    let Asked { requests, eligible, slots, filled } = *asked;
    [requests, eligible, slots, filled].map(u64::cast_signed)
}

fn columns(figures: &Figures) -> Result<[i64; 10], Overflow> {
    let Figures { impressions, viewables, clicks, conversions, value_micros, spent, refunded } = *figures;
    let [value, spent, refunded] = [pair(value_micros)?, Amount::to_pair(spent), Amount::to_pair(refunded)];
    let [impressions, viewables, clicks, conversions] =
        [impressions, viewables, clicks, conversions].map(u64::cast_signed);
    Ok([impressions, viewables, clicks, conversions, value.0, value.1, spent.0, spent.1, refunded.0, refunded.1])
}

/// A sum that may be negative as (hi, lo).
fn pair(sum: i128) -> Result<(i64, i64), Overflow> {
    let fits = |n: i128| i64::try_from(n).map_err(|_| Overflow);
    Ok((fits(sum.div_euclid(LO))?, fits(sum.rem_euclid(LO))?))
}
