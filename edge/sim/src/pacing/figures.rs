//! What a scenario's day came to.

use std::fmt;

/// Distance from the plan, and value, that undisturbed campaigns keep to.
const OFF_MAX: f64 = 0.02;
const VALUE_MIN: f64 = 0.97;
const SHORT_MAX: f64 = 0.01;

/// Where a campaign stood. Shares of the budget in force.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    pub hour: f64,
    pub spent: f64,
    pub planned: f64,
    /// The share of its bid, or of requests.
    pub pace: f64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Figures {
    pub campaign: &'static str,
    /// The hour from which on nothing was in the way; none where nothing ever was.
    pub disturbed_until: Option<f64>,
    /// The largest distance from the plan after the first two hours, as a share of the budget.
    pub off: f64,
    /// From `disturbed_until` on, until it was within two hundredths of the plan for good.
    pub back_hours: Option<f64>,
    /// Value as a share of the most that could have been bought; of bids.
    pub value: Option<f64>,
    /// What could have been spent and was not, as a share of it.
    pub short: f64,
    /// Two prices, as a share of what could have been spent.
    pub two_prices: f64,
    /// Share of the budget.
    pub spent: f64,
    /// What came when nothing was left, as a share of the budget.
    pub unbilled: f64,
    pub per_action: bool,
}

#[derive(Clone, Debug)]
pub struct Outcome {
    pub scenario: &'static str,
    pub says: &'static str,
    pub runs: Vec<(Figures, Vec<Sample>)>,
}

impl Figures {
    /// Which target it missed.
    #[must_use]
    pub fn missed(&self) -> Option<String> {
        let Self { campaign, off, short, spent, .. } = self;
        let undisturbed = self.disturbed_until.is_none() && !self.per_action;
        if *spent > 1.0 {
            Some(format!("{campaign}: spent {spent} of its budget"))
        } else if undisturbed && *off > OFF_MAX {
            Some(format!("{campaign}: {off} off the plan"))
        } else if self.disturbed_until.is_some() && self.back_hours.is_none() {
            Some(format!("{campaign}: never back to the plan"))
        } else if undisturbed && self.value.is_some_and(|value| value < VALUE_MIN) {
            Some(format!("{campaign}: {:?} of the value", self.value))
        } else if !self.per_action && *short > SHORT_MAX.max(self.two_prices) {
            Some(format!("{campaign}: {short} could have been spent and was not"))
        } else {
            None
        }
    }
}

impl Outcome {
    /// The targets that were missed.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        let missed = self.runs.iter().filter_map(|(figures, _)| figures.missed());
        missed.map(|what| format!("{}: {what}", self.scenario)).collect()
    }

    /// The table's head.
    pub const HEAD: &'static str = "| scenario | campaign | off the plan after two hours, at most | within 2 % again after | value of the offline optimum | \
        spent | could have been spent, was not | came when nothing was left |\n|---|---|---|---|---|---|---|---|";
}

/// As rows of a table.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        for (of, _) in &self.runs {
            let back = match (of.disturbed_until, of.back_hours) {
                (None, _) => "–".to_owned(),
                (Some(_), None) => "never".to_owned(),
                (Some(_), Some(hours)) => format!("{hours:.1} h"),
            };
            let value = of.value.map_or_else(|| "–".to_owned(), |value| format!("{:.1} %", value * 100.0));
            let [off, spent, short, unbilled] = [of.off, of.spent, of.short, of.unbilled].map(percent);
            let unbilled = if of.per_action { unbilled } else { "–".to_owned() };
            let (scenario, campaign) = (self.scenario, of.campaign);
            writeln!(f, "| {scenario} | {campaign} | {off} | {back} | {value} | {spent} | {short} | {unbilled} |")?;
        }
        Ok(())
    }
}
