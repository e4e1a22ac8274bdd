//! Judging on a real shop's log: whoever ranks shows a few products to each basket's customer; a shown product that is in
//! the basket counts as clicked. Showing has no effect in such a log, so this judges purchase prediction, not advertising.
//!
//! Invariants: what ranks a basket knows only baskets of strictly earlier times; models are trained on baskets before the
//! cut and judged on those from it on; everybody chooses from the same pool, the products sold so far.

mod judge;
mod market;
mod policy;
mod recall;
mod replay;
mod report;
mod sample;

use litfass_catalog::Problem;
use litfass_features::AdRows;
use litfass_types::{Duration, Seed, Timestamp};

pub use judge::{Figures, Resampling, Segment};
pub use report::{PredictorLine, RankerLine, RecallLine, Report};

use crate::dataset::{Dataset, FileError};
use crate::ftrl::Rates;
use crate::learn::{Settings, Trained, learn};
use judge::{Predicted, Shown, click_rate, difference};
use market::Shopfront;
use policy::{Repeat, Rule};
use recall::Recall;
use replay::{Basket, Log, Moment, State};

/// What is judged and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Baskets before are trained on, those from here on are judged.
    pub cut: Timestamp,
    pub slots: u8,
    pub resamples: u32,
    pub seed: Seed,
}

impl Default for Options {
    /// The question: train before 2011-08-01, five slots.
    fn default() -> Self {
        Self { cut: Timestamp(1_312_156_800_000), slots: 5, resamples: 1_000, seed: Seed(2_011) }
    }
}

/// Why there is no evaluation; the dataset is to blame.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the dataset has no baskets {0} the cut: nothing to {1}")]
    Empty(&'static str, &'static str),
    #[error("the dataset's products make no catalog: {0:?}")]
    Catalog(Vec<Problem>),
}

/// Trains before the cut and judges after it.
///
/// # Errors
/// When the dataset is inconsistent or one side of the cut is empty.
pub fn evaluate(dataset: &Dataset, options: &Options) -> Result<Report, EvaluateError> {
    let log = Log::of(dataset)?;
    let before = log.baskets.partition_point(|b| b.time < options.cut);
    if before == 0 {
        return Err(EvaluateError::Empty("before", "train on"));
    }
    if before == log.baskets.len() {
        return Err(EvaluateError::Empty("from", "judge"));
    }
    let examples = sample::examples(&log, options.cut, options.seed.derive(1));
    tracing::info!(baskets = before, rows = examples.rows(), "training");
    let trained = learn(&examples, &settings(options));
    drop(examples);
    let repeat = Repeat::fitted(&log, options.cut - CALIBRATED_ON, options.cut);
    tracing::info!(baskets = log.baskets.len() - before, "judging");
    let shopfront =
        Shopfront::new(dataset, &log, trained.profile.clone(), options.slots).map_err(EvaluateError::Catalog)?;
    let mut trial = Trial::new(&log, options, shopfront, &trained, repeat);
    State::replay(&log, |state, basket| {
        if basket.time >= options.cut {
            trial.basket(state, basket);
        }
    });
    Ok(trial.report())
}

/// The last weeks before the cut calibrate and are not trained on.
const CALIBRATED_ON: Duration = Duration::days(21);

/// Hashed weights are held back by λ₂: a shop's products change with the season, and what is learned of single ones is last
/// season's.
fn settings(options: &Options) -> Settings {
    Settings {
        bits: 20,
        passes: 2,
        numbers: Rates { alpha: 0.1, beta: 1.0, l1: 0.0, l2: 1.0 },
        hashed: Rates { alpha: 0.02, beta: 1.0, l1: 1.0, l2: 300.0 },
        holdout_from: options.cut - CALIBRATED_ON,
        ..Settings::new(options.seed.derive(2))
    }
}

/// The judged baskets so far.
struct Trial<'a> {
    options: &'a Options,
    customers: usize,
    trained: &'a Trained,
    shopfront: Shopfront,
    repeat: Repeat,
    litfass: Vec<Shown>,
    /// In the order of `Rule::ALL`.
    rules: [Vec<Shown>; Rule::ALL.len()],
    /// Litfass, the per-ad click rate, the repeat rule.
    predicted: [Predicted; 3],
    recall: Recall,
    pool: usize,
}

impl<'a> Trial<'a> {
    fn new(log: &Log, options: &'a Options, shopfront: Shopfront, trained: &'a Trained, repeat: Repeat) -> Self {
        Self {
            options,
            customers: log.customers,
            trained,
            shopfront,
            repeat,
            litfass: Vec::new(),
            rules: Default::default(),
            predicted: std::array::from_fn(|_| Predicted::new(log.customers)),
            recall: Recall::default(),
            pool: 0,
        }
    }

    fn basket(&mut self, state: &State<'_>, basket: &Basket) {
        let seed = self.options.seed.derive(3).derive(self.litfass.len() as u64);
        let moment = state.moment(basket);
        let page = self.shopfront.page(state, &moment, seed);
        let shown = |products: &[usize]| Shown {
            customer: basket.customer,
            returning: state.orders(basket) > 0,
            shown: u32::from(self.options.slots),
            hits: u32::try_from(products.iter().filter(|p| basket.has(**p)).count()).unwrap_or(0),
        };
        self.litfass.push(shown(&page.shown));
        for (rule, judged) in Rule::ALL.iter().zip(&mut self.rules) {
            judged.push(shown(&rule.top(state, basket, usize::from(self.options.slots), seed)));
        }
        self.recall.take(state, basket, &page);
        self.pool += state.pool().len();
        self.predict(state, &moment);
    }

    /// Every product of the pool, by every predictor.
    fn predict(&mut self, state: &State<'_>, moment: &Moment<'_>) {
        let basket = moment.basket;
        let facts = state.pool().iter().map(|product| state.facts(*product));
        let rows = AdRows::last_phase(state.feature_set(), basket.time, &moment.viewer, facts);
        let predictions = self.trained.profile.last_phase(&moment.block, &rows);
        for (product, prediction) in state.pool().iter().zip(predictions) {
            let bought = basket.has(*product);
            let by_repeat = self.repeat.probability(state, basket, *product);
            let by_rate = state.counts(*product).click_rate();
            let said = [prediction.click.to_f64(), by_rate, by_repeat];
            for (predicted, p) in self.predicted.iter_mut().zip(said) {
                predicted.push(basket.customer, p, bought);
            }
        }
    }

    fn report(self) -> Report {
        let Options { resamples, seed, slots, .. } = *self.options;
        let by = Resampling { resamples, seed: seed.derive(4), customers: self.customers };
        let in_segment = |segment: &Segment| self.litfass.iter().filter(|basket| segment.has(basket)).count();
        let baskets = Segment::ALL.each_ref().map(in_segment);
        let mut rankers = vec![ranker("Litfass", &self.litfass, None, by)];
        let rules = Rule::ALL.iter().zip(&self.rules);
        rankers.extend(rules.map(|(rule, shown)| ranker(rule.name(), shown, Some(&self.litfass), by)));
        let mut judged: Vec<usize> = self.litfass.iter().map(|basket| basket.customer).collect();
        judged.sort_unstable();
        judged.dedup();
        Report {
            slots,
            baskets,
            customers: judged.len(),
            training_rows: self.trained.rows,
            pool: self.pool as f64 / self.litfass.len().max(1) as f64,
            rankers,
            predictors: predictors(self.predicted, by),
            recall: self.recall.lines(),
        }
    }
}

fn ranker(name: &'static str, shown: &[Shown], litfass: Option<&Vec<Shown>>, by: Resampling) -> RankerLine {
    RankerLine {
        name,
        click_rate: Segment::ALL.map(|segment| click_rate(shown, segment, by)),
        litfass_ahead: litfass.map(|litfass| Segment::ALL.map(|segment| difference(litfass, shown, segment, by))),
    }
}

fn predictors(predicted: [Predicted; 3], by: Resampling) -> Vec<PredictorLine> {
    // Intervals over millions of rows: fewer resamples say the same.
    let by = Resampling { resamples: by.resamples.min(300), ..by };
    let [litfass, rate, repeat] = predicted;
    let (figures, litfass) = litfass.finish(by);
    let mut lines = vec![PredictorLine { name: "Litfass", figures, litfass_minus: None }];
    for (rule, predicted) in [(Rule::AdClickRate, rate), (Rule::RepeatPurchase, repeat)] {
        let (figures, other) = predicted.finish(by);
        let minus = [litfass.auc_difference(&other, by), litfass.loss_difference(&other, by)];
        lines.push(PredictorLine { name: rule.name(), figures, litfass_minus: Some(minus) });
    }
    lines
}
