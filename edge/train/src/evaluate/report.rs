//! What an evaluation found, as figures and as text.

use std::fmt;

use litfass_rank::metrics::Interval;

use super::judge::{Figures, Segment};

/// Click rate of the shown by segment, and the difference of Litfass from it.
#[derive(Clone, PartialEq, Debug)]
pub struct RankerLine {
    pub name: &'static str,
    /// In the order of `Segment::ALL`.
    pub click_rate: [Interval; 3],
    /// Litfass minus this one; `None` for Litfass.
    pub litfass_ahead: Option<[Interval; 3]>,
}

/// Quality over all products, and Litfass's difference from it.
#[derive(Clone, PartialEq, Debug)]
pub struct PredictorLine {
    pub name: &'static str,
    pub figures: Figures,
    /// AUC of Litfass minus this one's, log loss of Litfass minus this one's.
    pub litfass_minus: Option<[Interval; 2]>,
}

/// How much of what was bought a source had returned.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RecallLine {
    pub name: &'static str,
    /// Of the bought products that had been sold before, in the order of `Segment::ALL`.
    pub recall: [f64; 3],
    /// Candidates per request.
    pub returned: f64,
}

/// A whole evaluation.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    pub slots: u8,
    /// Judged baskets, in the order of `Segment::ALL`.
    pub baskets: [usize; 3],
    pub customers: usize,
    pub training_rows: usize,
    /// Mean number of products to choose from.
    pub pool: f64,
    pub rankers: Vec<RankerLine>,
    pub predictors: Vec<PredictorLine>,
    pub recall: Vec<RecallLine>,
}

impl Report {
    /// The line of one ranker.
    #[must_use]
    pub fn ranker(&self, name: &str) -> Option<&RankerLine> {
        self.rankers.iter().find(|line| line.name == name)
    }

    /// The line of one predictor.
    #[must_use]
    pub fn predictor(&self, name: &str) -> Option<&PredictorLine> {
        self.predictors.iter().find(|line| line.name == name)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [all, returning, first_time] = self.baskets;
        writeln!(
            f,
            "{all} baskets judged ({returning} of returning customers, {first_time} first ones), {} customers",
            self.customers
        )?;
        writeln!(
            f,
            "{} slots, {:.0} products to choose from, {} training rows",
            self.slots, self.pool, self.training_rows
        )?;
        writeln!(
            f,
            "Judged as purchase prediction: a shown product that is in the basket counts as clicked and bought;"
        )?;
        writeln!(
            f,
            "showing has no effect in this log. Intervals: 95 %, bootstrap by customer, differences paired.\n"
        )?;
        self.write_rankers(f)?;
        self.write_predictors(f)?;
        self.write_recall(f)
    }
}

impl Report {
    fn write_rankers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in Segment::ALL.iter().enumerate() {
            writeln!(f, "{:<24} {:<26} Litfass ahead by", format!("Shown-item CTR, {}", segment.name()), "")?;
            for line in &self.rankers {
                let ahead = line.litfass_ahead.map_or_else(String::new, |ahead| signed(&ahead[i]));
                writeln!(f, "  {:<22} {:<26} {ahead}", line.name, plain(&line.click_rate[i], 4))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn write_predictors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<20} {:<25} {:<28} {:>6} {:>6}", "Over all products", "AUC", "log loss", "NE", "Σp/Σy")?;
        for PredictorLine { name, figures, litfass_minus } in &self.predictors {
            let Figures { auc, log_loss, normalised_entropy, calibration_ratio } = figures;
            let (auc, loss) = (plain(auc, 4), plain(log_loss, 5));
            writeln!(f, "  {name:<18} {auc:<25} {loss:<28} {normalised_entropy:>6.4} {calibration_ratio:>6.3}")?;
            if let Some([auc, loss]) = litfass_minus {
                let (auc, loss) = (signed(auc), signed(loss));
                writeln!(f, "    Litfass − this   {auc:<25} {loss}")?;
            }
        }
        writeln!(f)
    }

    fn write_recall(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<24} {:>6} {:>10} {:>11} {:>12}", "Recall of", "all", "returning", "first-time", "per request")?;
        for RecallLine { name, recall: [all, returning, first_time], returned } in &self.recall {
            writeln!(f, "  {name:<22} {all:>6.3} {returning:>10.3} {first_time:>11.3} {returned:>12.1}")?;
        }
        Ok(())
    }
}

fn plain(i: &Interval, digits: usize) -> String {
    format!("{:.digits$} [{:.digits$}, {:.digits$}]", i.point, i.low, i.high)
}

fn signed(i: &Interval) -> String {
    format!("{:+.4} [{:+.4}, {:+.4}]", i.point, i.low, i.high)
}
