//! Instruments: families of atomics, one cell per combination of label values, and how they are written for Prometheus.
//!
//! Counting is relaxed atomic adds and never blocks; a scrape reads cell by cell, so two cells may be a moment apart.

use std::fmt::Write;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::label::Labels;

/// What the registry's table says of an instrument, and how it is rendered.
pub trait Instrument {
    /// Prometheus' word for it.
    const KIND: &'static str;
    fn new() -> Self;
    fn axes() -> Vec<(&'static str, Vec<&'static str>)>;
    /// Appends one line per sample, without HELP and TYPE.
    fn render(&self, name: &str, out: &mut String);
}

/// One cell per combination of label values, in row-major order.
#[derive(Debug)]
struct Cells<L> {
    cells: Box<[AtomicU64]>,
    labels: PhantomData<fn(L)>,
}

impl<L: Labels> Cells<L> {
    fn new() -> Self {
        let count = L::axes().iter().map(|(_, values)| values.len()).product();
        Self { cells: (0..count).map(|_| AtomicU64::new(0)).collect(), labels: PhantomData }
    }

    fn cell(&self, labels: L) -> &AtomicU64 {
        &self.cells[labels.index()]
    }

    fn samples(&self) -> impl Iterator<Item = (String, u64)> {
        self.cells.iter().enumerate().map(|(i, cell)| (label_text::<L>(i), cell.load(Ordering::Relaxed)))
    }
}

/// `a="x",b="y"` of the cell at `index`; empty without labels.
fn label_text<L: Labels>(index: usize) -> String {
    let mut stride = index;
    let mut pairs = Vec::new();
    for (name, values) in L::axes().into_iter().rev() {
        pairs.push(format!("{name}=\"{}\"", values[stride % values.len()]));
        stride /= values.len();
    }
    pairs.reverse();
    pairs.join(",")
}

fn write_sample(out: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let written =
        if labels.is_empty() { writeln!(out, "{name} {value}") } else { writeln!(out, "{name}{{{labels}}} {value}") };
    debug_assert!(written.is_ok());
}

/// Counts things.
#[derive(Debug)]
pub struct Counters<L>(Cells<L>);

impl<L: Labels> Counters<L> {
    pub fn add(&self, labels: L, n: u64) {
        self.0.cell(labels).fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self, labels: L) -> u64 {
        self.0.cell(labels).load(Ordering::Relaxed)
    }

    /// Over all label values.
    pub fn total(&self) -> u64 {
        self.0.samples().map(|(_, n)| n).sum()
    }
}

impl<L: Labels> Instrument for Counters<L> {
    const KIND: &'static str = "counter";

    fn new() -> Self {
        Self(Cells::new())
    }

    fn axes() -> Vec<(&'static str, Vec<&'static str>)> {
        L::axes()
    }

    fn render(&self, name: &str, out: &mut String) {
        self.0.samples().for_each(|(labels, n)| write_sample(out, name, &labels, n));
    }
}

/// Sums amounts exactly in billionths (2⁶⁴ of them: 18 billion whole ones), rendered as a decimal.
#[derive(Debug)]
pub struct Amounts<L>(Cells<L>);

impl<L: Labels> Amounts<L> {
    pub fn add_billionths(&self, labels: L, n: u64) {
        self.0.cell(labels).fetch_add(n, Ordering::Relaxed);
    }

    pub fn billionths(&self, labels: L) -> u64 {
        self.0.cell(labels).load(Ordering::Relaxed)
    }
}

impl<L: Labels> Instrument for Amounts<L> {
    const KIND: &'static str = "counter";

    fn new() -> Self {
        Self(Cells::new())
    }

    fn axes() -> Vec<(&'static str, Vec<&'static str>)> {
        L::axes()
    }

    fn render(&self, name: &str, out: &mut String) {
        self.0.samples().for_each(|(labels, n)| write_sample(out, name, &labels, decimal(n)));
    }
}

fn decimal(billionths: u64) -> String {
    format!("{}.{:09}", billionths / 1_000_000_000, billionths % 1_000_000_000)
}

/// What is so now.
#[derive(Debug)]
pub struct Gauges<L>(Cells<L>);

impl<L: Labels> Gauges<L> {
    pub fn set(&self, labels: L, value: f64) {
        self.0.cell(labels).store(value.to_bits(), Ordering::Relaxed);
    }

    pub fn get(&self, labels: L) -> f64 {
        f64::from_bits(self.0.cell(labels).load(Ordering::Relaxed))
    }
}

impl<L: Labels> Instrument for Gauges<L> {
    const KIND: &'static str = "gauge";

    fn new() -> Self {
        Self(Cells::new())
    }

    fn axes() -> Vec<(&'static str, Vec<&'static str>)> {
        L::axes()
    }

    fn render(&self, name: &str, out: &mut String) {
        self.0.samples().for_each(|(labels, bits)| write_sample(out, name, &labels, f64::from_bits(bits)));
    }
}

/// Upper ends of the latency buckets in microseconds; the last bucket is unbounded.
pub const BUCKETS_US: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// How long something took, in fixed buckets.
#[derive(Debug)]
pub struct Latencies<L> {
    cells: Box<[Buckets]>,
    labels: PhantomData<fn(L)>,
}

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BUCKETS_US.len() + 1],
    sum_ns: AtomicU64,
}

impl<L: Labels> Latencies<L> {
    pub fn observe(&self, labels: L, took: Duration) {
        let buckets = &self.cells[labels.index()];
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.partition_point(|end| end * 1_000 < ns);
        buckets.counts[bucket].fetch_add(1, Ordering::Relaxed);
        buckets.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    pub fn count(&self, labels: L) -> u64 {
        self.cells[labels.index()].counts.iter().map(|n| n.load(Ordering::Relaxed)).sum()
    }
}

impl<L: Labels> Instrument for Latencies<L> {
    const KIND: &'static str = "histogram";

    fn new() -> Self {
        let count = L::axes().iter().map(|(_, values)| values.len()).product();
        Self { cells: (0..count).map(|_| Buckets::default()).collect(), labels: PhantomData }
    }

    fn axes() -> Vec<(&'static str, Vec<&'static str>)> {
        L::axes()
    }

    fn render(&self, name: &str, out: &mut String) {
        for (i, buckets) in self.cells.iter().enumerate() {
            buckets.render(name, &label_text::<L>(i), out);
        }
    }
}

impl Buckets {
    fn render(&self, name: &str, labels: &str, out: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        let ends = BUCKETS_US.iter().map(|us| seconds(us * 1_000)).chain(["+Inf".to_owned()]);
        let mut count = 0;
        for (end, n) in ends.zip(&self.counts) {
            count += n.load(Ordering::Relaxed);
            write_sample(out, &format!("{name}_bucket"), &format!("{labels}{comma}le=\"{end}\""), count);
        }
        write_sample(out, &format!("{name}_sum"), labels, decimal(self.sum_ns.load(Ordering::Relaxed)));
        write_sample(out, &format!("{name}_count"), labels, count);
    }
}

/// Nanoseconds as seconds without trailing zeros: `0.00005`.
fn seconds(ns: u64) -> String {
    decimal(ns).trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::label::{EventKind, EventResult, Step};
    use super::*;

    #[test]
    fn every_combination_of_labels_has_a_cell_of_its_own() {
        let counters = Counters::<(EventKind, EventResult)>::new();
        counters.add((EventKind::Click, EventResult::Repeated), 3);
        counters.add((EventKind::Click, EventResult::Accepted), 1);
        let mut out = String::new();
        counters.render("events", &mut out);
        assert!(out.contains("events{kind=\"click\",result=\"repeated\"} 3\n"), "{out}");
        assert!(out.contains("events{kind=\"view\",result=\"expired\"} 0\n"), "{out}");
        assert_eq!((out.lines().count(), counters.total()), (20, 4));
    }

    #[test]
    fn a_latency_is_in_the_first_bucket_that_holds_it_and_in_all_above() {
        let latencies = Latencies::<Step>::new();
        latencies.observe(Step::Settle, Duration::from_micros(100));
        latencies.observe(Step::Settle, Duration::from_nanos(100_001));
        latencies.observe(Step::Settle, Duration::from_secs(60));
        let mut out = String::new();
        latencies.render("t", &mut out);
        for line in [
            "t_bucket{step=\"settle\",le=\"0.00005\"} 0",
            "t_bucket{step=\"settle\",le=\"0.0001\"} 1",
            "t_bucket{step=\"settle\",le=\"0.00025\"} 2",
            "t_bucket{step=\"settle\",le=\"10\"} 2",
            "t_bucket{step=\"settle\",le=\"+Inf\"} 3",
            "t_sum{step=\"settle\"} 60.000200001",
            "t_count{step=\"settle\"} 3",
        ] {
            assert!(out.lines().any(|l| l == line), "{line} is missing in\n{out}");
        }
    }

    #[test]
    fn amounts_and_gauges_keep_their_fraction() {
        let (amounts, gauges) = (Amounts::<()>::new(), Gauges::<()>::new());
        amounts.add_billionths((), 1_500_000_001);
        gauges.set((), 2.5);
        let mut out = String::new();
        amounts.render("a", &mut out);
        gauges.render("g", &mut out);
        assert_eq!(out, "a 1.500000001\ng 2.5\n");
    }
}
