//! What many seeds came to, each figure with the seed that was worst.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::seen::{Campaign, Seen};
use super::watch::is_overbilling;
use litfass_ledger::check::Violation;

/// A share that campaigns billed per click may have on average, delivered and never billed, where every event was prompt.
const CLICK_SHARE: f64 = 0.01;
/// An average over fewer seeds says nothing.
const ENOUGH_SEEDS: u64 = 100;

/// The largest of some values, and whose it is.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Worst {
    pub value: f64,
    pub seed: u64,
}

impl Worst {
    fn take(&mut self, seed: u64, value: f64) {
        if value > self.value {
            *self = Self { value, seed };
        }
    }
}

/// Nanos delivered and never billed among everything delivered, pooled, and the worst campaign.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Unbilled {
    pub worst: Worst,
    delivered: f64,
    unbilled: f64,
    pub campaigns: u64,
    /// Campaigns with more than a hundredth.
    pub above: u64,
}

impl Unbilled {
    #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
    fn take(&mut self, seed: u64, campaign: &Campaign) {
        self.worst.take(seed, campaign.unbilled_share());
        self.delivered += (campaign.billed + campaign.unbilled) as f64;
        self.unbilled += campaign.unbilled as f64;
        self.campaigns += 1;
        self.above += u64::from(campaign.unbilled_share() > 0.01);
    }

    #[must_use]
    pub fn average(&self) -> f64 {
        if self.delivered > 0.0 { self.unbilled / self.delivered } else { 0.0 }
    }
}

/// Of exhausted campaigns: the share of the budget that was not spent.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Under {
    pub worst: Worst,
    sum: f64,
    campaigns: u64,
}

impl Under {
    fn take(&mut self, seed: u64, share: f64) {
        self.worst.take(seed, share);
        self.sum += share;
        self.campaigns += 1;
    }

    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
    pub fn average(&self) -> f64 {
        self.sum / self.campaigns.max(1) as f64
    }
}

#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Delivery {
    pub unbilled: Unbilled,
    pub under: Under,
}

/// A seed in which an invariant did not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failed {
    pub seed: u64,
    pub invariant: String,
    pub detail: String,
    pub overbilled: bool,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    pub seeds: u64,
    pub failed: Vec<Failed>,
    pub decisions: u64,
    pub shown: u64,
    pub events: u64,
    pub commits: u64,
    pub crashes: u64,
    pub cuts: u64,
    pub edits: u64,
    pub seals: u64,
    /// Worlds in which the database failed over, and in which the shipped SQL ran.
    pub failovers: u64,
    pub sql: u64,
    /// Worlds with pacing, and how often its controllers were taken over.
    pub paced: u64,
    pub taken_over: u64,
    pub sql_cuts: u64,
    pub campaigns: u64,
    pub exhausted: u64,
    pub calm: [Delivery; 2],
    pub rough: [Delivery; 2],
    pub stuck: Worst,
    pub stuck_after_failover: Worst,
    /// A fold of every outcome of every seed.
    pub trace: u64,
}

impl Figures {
    /// Takes in what a seed came to; seeds come in their order.
    pub fn add(&mut self, seed: u64, lived: Result<Seen, Violation>) {
        self.seeds += 1;
        match lived {
            Ok(seen) => self.take(seed, &seen),
            Err(violation) => self.failed.push(Failed {
                seed,
                overbilled: is_overbilling(&violation),
                invariant: violation.invariant.to_owned(),
                detail: violation.detail,
            }),
        }
    }

    fn take(&mut self, seed: u64, seen: &Seen) {
        let sums = [
            (&mut self.decisions, seen.decisions),
            (&mut self.shown, seen.shown),
            (&mut self.events, seen.events),
            (&mut self.commits, seen.commits),
            (&mut self.crashes, seen.crashes),
            (&mut self.cuts, seen.cuts),
            (&mut self.edits, seen.edits),
            (&mut self.seals, seen.seals),
            (&mut self.failovers, seen.failovers),
            (&mut self.sql, u64::from(seen.sql)),
            (&mut self.paced, u64::from(seen.paced)),
            (&mut self.taken_over, seen.taken_over),
            (&mut self.sql_cuts, seen.sql_cuts),
            (&mut self.campaigns, seen.campaigns),
            (&mut self.exhausted, seen.exhausted),
        ];
        sums.into_iter().for_each(|(sum, more)| *sum += more);
        self.trace = litfass_types::hash_pair(self.trace, seen.trace);
        let calm = seen.failovers == 0;
        #[expect(clippy::cast_precision_loss, reason = "some minutes")]
        let stuck = seen.stuck as f64 / 1_000.0;
        let figure = if calm { &mut self.stuck } else { &mut self.stuck_after_failover };
        figure.take(seed, stuck);
        seen.delivered.iter().for_each(|campaign| self.campaign(seed, campaign, calm));
    }

    /// Calm: no failover, and every event of the campaign came within its hold.
    fn campaign(&mut self, seed: u64, campaign: &Campaign, calm: bool) {
        let of = if calm && !campaign.late { &mut self.calm } else { &mut self.rough };
        let figures = &mut of[usize::from(campaign.per_click)];
        figures.unbilled.take(seed, campaign);
        campaign.under_delivered.into_iter().for_each(|share| figures.under.take(seed, share));
    }

    /// The bound on clicks is one of the average.
    #[must_use]
    pub fn clicks_within_bound(&self) -> bool {
        self.seeds < ENOUGH_SEEDS || self.calm[1].unbilled.average() <= CLICK_SHARE
    }

    #[must_use]
    pub fn holds(&self) -> bool {
        self.failed.is_empty() && self.clicks_within_bound()
    }

    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = self.failed.iter().filter(|failed| failed.overbilled).count();
        writeln!(f, "billed beyond budget: {over} of {} seeds", self.seeds)?;
        writeln!(f, "invariants violated: in {} of {} seeds", self.failed.len(), self.seeds)?;
        for failed in self.failed.iter().take(10) {
            writeln!(f, "  seed {}: {}: {}", failed.seed, failed.invariant, failed.detail)?;
            writeln!(f, "    alone: litfass simulate budget --from-seed {} --seeds 1", failed.seed)?;
        }
        Ok(())
    }

    fn deliveries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (condition, both) in
            [("prompt events, no failover", &self.calm), ("late events or a failover", &self.rough)]
        {
            for (unit, of) in ["CPM", "CPC"].iter().zip(both) {
                let Unbilled { worst, campaigns, above, .. } = of.unbilled;
                writeln!(
                    f,
                    "delivered unbilled, {unit}, {condition}: worst {:.2} % (seed {}), average {:.3} %, {above} of {campaigns} \
                     campaigns above 1 %",
                    worst.value * 100.0,
                    worst.seed,
                    of.unbilled.average() * 100.0,
                )?;
                writeln!(
                    f,
                    "under-delivered, {unit}, {condition}: worst {:.2} % (seed {}), average {:.2} %",
                    of.under.worst.value * 100.0,
                    of.under.worst.seed,
                    of.under.average() * 100.0,
                )?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.deliveries(f)?;
        let Worst { value, seed } = self.stuck;
        writeln!(f, "budget stuck: worst {value:.0} s (seed {seed}), every lease within its bound")?;
        let Worst { value, seed } = self.stuck_after_failover;
        writeln!(f, "budget stuck, with a failover: worst {value:.0} s (seed {seed})")?;
        let Self { decisions, shown, events, commits, .. } = self;
        writeln!(f, "simulated: {decisions} decisions, {shown} slots shown, {events} events, {commits} transactions")?;
        let Self { crashes, cuts, edits, seals, failovers, .. } = self;
        writeln!(
            f,
            "faults: {crashes} crashes, {cuts} network partitions, {failovers} failovers, {seals} sealed partitions, {edits} edits"
        )?;
        let Self { campaigns, exhausted, sql, sql_cuts, trace, .. } = self;
        writeln!(f, "campaigns: {campaigns}, {exhausted} of them exhausted")?;
        writeln!(f, "the shipped SQL beside the ledger in memory: {sql} seeds, {sql_cuts} statements cut")?;
        let Self { paced, taken_over, .. } = self;
        writeln!(f, "paced: {paced} seeds, {taken_over} times another process took over the controllers")?;
        writeln!(f, "fold of every outcome: {trace:016x}")
    }
}
