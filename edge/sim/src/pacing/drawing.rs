//! A scenario's day as a drawing: spend against plan above, what the controller said below.

use super::chart::{Chart, Panel, Pen};
use super::figures::{Outcome, Sample};

const COLOURS: [&str; 5] = ["#1b6ac9", "#c4442b", "#2b8a3e", "#8a5a00", "#7b3fa0"];

/// One file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drawing {
    pub file: String,
    pub svg: String,
}

impl Outcome {
    #[must_use]
    pub fn drawing(&self) -> Drawing {
        let mut chart = Chart::new(&format!("{}: {}", self.scenario, self.says), 420.0);
        let most = self.samples().flat_map(|sample| [sample.spent, sample.planned]).fold(1.0, f64::max);
        let spend = Panel { says: "spent, and planned (dashed), of the budget", most, top: 46.0, height: 180.0 };
        let pace = Panel {
            says: "share of the bid, or of requests, with which it takes part",
            most: 1.0,
            top: 280.0,
            height: 110.0,
        };
        chart.axes(&spend);
        chart.axes(&pace);
        for ((_, samples), colour) in self.runs.iter().zip(COLOURS.into_iter().cycle()) {
            let over = |of: fn(&Sample) -> f64| samples.iter().map(move |sample| (sample.hour, of(sample)));
            chart.line(&spend, Pen(colour, true), over(|sample| sample.planned));
            chart.line(&spend, Pen(colour, false), over(|sample| sample.spent));
            chart.line(&pace, Pen(colour, false), over(|sample| sample.pace));
        }
        Drawing { file: format!("pacing-{}.svg", self.scenario), svg: chart.finish() }
    }

    fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.runs.iter().flat_map(|(_, samples)| samples)
    }
}
