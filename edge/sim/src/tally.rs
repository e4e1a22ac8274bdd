//! What the driver did and what came of it, beside what the truth expected: counters that any thread may read while it runs.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use litfass_types::DecisionId;

use crate::truth::Odds;

/// Shown ads whose odds are kept for looking up, the oldest are forgotten.
const ODDS_KEPT: usize = 200_000;

/// Running counts of a drive. Shared by reference; reading it stops nobody.
#[derive(Debug, Default)]
pub struct Tally {
    counters: [AtomicU64; COUNTERS],
    book: Mutex<Book>,
}

const COUNTERS: usize = 16;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident $field:ident;)*) => {
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Counter { $($variant),* }

        /// A tally at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $field: u64),* }

        impl Tally {
            #[must_use]
            pub fn counts(&self) -> Counts {
                Counts { $($field: self.read(Counter::$variant)),* }
            }
        }
    };
}

counters! {
    /// Visits begun.
    Visit visits;
    /// Visits whose decision arrived.
    Decision decisions;
    SlotAsked slots_asked;
    Shown shown;
    Rendered rendered;
    /// Impressions, viewables, clicks, conversions and views that the server acknowledged.
    Impression impressions;
    Viewable viewables;
    Click clicks;
    Conversion conversions;
    View views;
    /// Value of the acknowledged conversions.
    Sales sales_micros;
    /// Answers that were refusals (status 400 and above), and events refused within a batch.
    Refused refused;
    /// Requests that got no whole answer.
    Unanswered unanswered;
    /// What the truth expects of the acknowledged impressions, in 10⁻⁹ of a click.
    ExpectedClicks expected_clicks_nano;
    /// Acknowledged impressions whose odds are known.
    Known known;
    /// What the truth expects of the acknowledged clicks, in 10⁻⁹ of a conversion.
    ExpectedConversions expected_conversions_nano;
}

impl Counts {
    /// Mean known click probability of the acknowledged impressions.
    #[must_use]
    pub fn true_ctr(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.expected_clicks_nano as f64 / 1e9 / self.known as f64;
        (self.known > 0).then_some(rate)
    }
}

impl Tally {
    /// The odds of a shown ad, known from the moment its decision arrived.
    #[must_use]
    pub fn odds(&self, decision: DecisionId, placement: u64, slot: u8) -> Option<Odds> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).odds.get(&(decision, placement, slot)).copied()
    }

    pub(crate) fn remember(&self, decision: DecisionId, placement: u64, slot: u8, odds: Odds) {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).put((decision, placement, slot), odds);
    }

    pub(crate) fn add(&self, counter: Counter, n: u64) {
        self.counters[counter as usize].fetch_add(n, Ordering::Relaxed);
    }

    fn read(&self, counter: Counter) -> u64 {
        self.counters[counter as usize].load(Ordering::Relaxed)
    }
}

/// A probability in 10⁻⁹.
pub(crate) fn nano(p: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a probability is within 0 … 1")]
    let nano = (p * 1e9).round() as u64;
    nano
}

/// A decision's ad by placement and slot.
type Shown = (DecisionId, u64, u8);

#[derive(Debug, Default)]
struct Book {
    odds: HashMap<Shown, Odds>,
    order: VecDeque<Shown>,
}

impl Book {
    fn put(&mut self, shown: Shown, odds: Odds) {
        if self.odds.insert(shown, odds).is_none() {
            self.order.push_back(shown);
        }
        if self.order.len() > ODDS_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.odds.remove(&oldest);
        }
    }
}
