//! Who visits the shop: activity by Zipf's law, tastes per department, a device, a home, and what the shop knows of them.

use std::collections::VecDeque;

use crate::draw::{Draw, Purpose, Weighted, zipf};
use crate::words::{DEPARTMENTS, HOMES};

/// One visitor of the shop.
#[derive(Clone, Debug)]
pub struct Shopper {
    /// Absent for one who is not signed in: then nothing is remembered between pages on the ad side.
    pub user: Option<String>,
    /// How often relative to others.
    pub activity: f64,
    /// Per department, in log-odds of a click.
    pub taste: Vec<f64>,
    /// Log-odds that this person adds to every click.
    pub eagerness: f64,
    /// Index into the list of homes.
    pub(crate) home: usize,
    pub device: &'static str,
    pub os: &'static str,
    pub segments: Vec<String>,
    pub loyalty: &'static str,
    /// Whether ads may be chosen by what this person did before.
    pub personalise: bool,
}

/// Tiers of the loyalty programme, as often as they occur.
const LOYALTY: &[&str] = &["none", "none", "none", "silver", "silver", "gold"];

impl Shopper {
    /// Departments in proportion to how much this person likes them.
    pub(crate) fn likings(&self) -> Weighted {
        Weighted::new(self.taste.iter().map(|taste| (1.4 * taste).exp()))
    }
}

/// What a shopper has looked at: the last 50 items, as the shop's own records have them.
#[derive(Clone, Debug, Default)]
pub struct History(VecDeque<usize>);

impl History {
    const KEPT: usize = 50;

    pub(crate) fn note(&mut self, item: usize) {
        self.0.push_back(item);
        if self.0.len() > Self::KEPT {
            self.0.pop_front();
        }
    }

    #[must_use]
    pub fn has(&self, item: usize) -> bool {
        self.0.contains(&item)
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }
}

/// `count` shoppers; who is busiest is drawn, not numbered.
pub(crate) fn population(seed: u64, count: u32) -> Vec<Shopper> {
    let mut draw = Draw::new(seed, Purpose::Shoppers, 0);
    let homes = Weighted::new(HOMES.iter().map(|(_, _, _, share)| *share));
    let ranks: Vec<u32> = (0..count).collect();
    let ranks = draw.several(&ranks, ranks.len());
    ranks.into_iter().enumerate().map(|(number, rank)| shopper(&mut draw, &homes, number, rank)).collect()
}

fn shopper(draw: &mut Draw, homes: &Weighted, number: usize, rank: u32) -> Shopper {
    let taste: Vec<f64> = tastes(draw);
    let (device, os) = draw.pick(&[
        ("mobile", "android"),
        ("mobile", "android"),
        ("mobile", "ios"),
        ("mobile", "ios"),
        ("desktop", "windows"),
        ("desktop", "windows"),
        ("desktop", "macos"),
        ("tablet", "ios"),
        ("desktop", "linux"),
    ]);
    Shopper {
        user: draw.chance(0.94).then(|| format!("shopper-{number:06}")),
        activity: zipf(rank, 0.75),
        segments: segments(draw, &taste),
        taste,
        eagerness: 0.35 * draw.normal(),
        home: homes.draw(draw),
        device,
        os,
        loyalty: draw.pick(LOYALTY),
        personalise: draw.chance(0.93),
    }
}

/// Two or three departments this person loves, the rest around indifference.
fn tastes(draw: &mut Draw) -> Vec<f64> {
    let all: Vec<usize> = (0..DEPARTMENTS.len()).collect();
    let loved_count = 2 + draw.below(2);
    let loved = draw.several(&all, loved_count);
    all.iter().map(|d| 0.4 * draw.normal() + if loved.contains(d) { 1.8 } else { -0.6 }).collect()
}

/// What the shop has found out about a person: most of what they love, and a habit.
fn segments(draw: &mut Draw, taste: &[f64]) -> Vec<String> {
    let mut segments: Vec<String> = DEPARTMENTS
        .iter()
        .zip(taste)
        .filter(|(_, taste)| **taste > 1.0 && draw.chance(0.8))
        .map(|(department, _)| format!("likes-{}", department.category))
        .collect();
    segments.push(draw.pick(&["bargain-hunter", "newcomer", "regular", "regular"]).to_owned());
    segments
}
