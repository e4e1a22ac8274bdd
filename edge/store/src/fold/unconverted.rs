//! What conversions that have not come yet are expected to cost: of line items that pay per action.
//!
//! Every rendered impression adds price · pCTR · the line item's conversions per click; half of it is taken for come after each
//! half-life. Conversions per click are the line item's own, with one in twenty before there are any.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use litfass_events::{Attributed, Delivery, EventKind};
use litfass_market::pacing::Owed;
use litfass_types::{Duration, LineItemId, Prediction, Price, Probability, Timestamp, Unit};

use super::codec::{BadState, Reader, Writer};
use super::{Fact, Fold};
use crate::wire::Body;

/// Half of the conversions come later than this after the impression.
pub const CONVERSION_HALF_LIFE: Duration = Duration::hours(12);

/// Before a line item has clicks of its own it is taken for one with so many, of which one converted.
const CLICKS_BEFORE: u64 = 20;

#[derive(Debug, Default)]
pub struct Unconverted {
    state: Mutex<BTreeMap<(LineItemId, u16), Expected>>,
}

/// Of one line item, as one partition of the log has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Expected {
    owed: Owed,
    clicks: u64,
    conversions: u64,
}

impl Unconverted {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What counts as spent at `now`; zero for what does not pay per action.
    #[must_use]
    pub fn nanos(&self, line_item: LineItemId, price: Price, now: Timestamp) -> i128 {
        if price.per != Unit::Action {
            return 0;
        }
        let state = self.state();
        let of = state.range((line_item, 0)..=(line_item, u16::MAX)).map(|(_, expected)| expected.owed);
        of.reduce(|sum, owed| sum.with(owed, CONVERSION_HALF_LIFE))
            .map_or(0, |owed| owed.nanos(price, now, CONVERSION_HALF_LIFE))
    }

    fn state(&self) -> MutexGuard<'_, BTreeMap<(LineItemId, u16), Expected>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected {
    fn take(&mut self, delivery: &Delivery, at: Timestamp) {
        match delivery.kind {
            EventKind::Impression => {
                let prediction = Prediction { click: delivery.token.click, conversion: self.per_click() };
                self.owed.rendered(delivery.token.price, prediction, at, CONVERSION_HALF_LIFE);
            }
            EventKind::Click => self.clicks += 1,
            EventKind::Viewable | EventKind::Conversion | EventKind::View => {}
        }
    }

    /// Never more than one.
    fn per_click(&self) -> Probability {
        let share =
            (u128::from(self.conversions + 1) << 32) / u128::from(self.clicks.max(self.conversions) + CLICKS_BEFORE);
        Probability::from_bits(u32::try_from(share).unwrap_or(u32::MAX))
    }
}

impl Fold for Unconverted {
    fn name(&self) -> &'static str {
        "unconverted"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, fact: &Fact<'_>) {
        let (at, partition) = (fact.logged.envelope.event_time, fact.logged.position.partition);
        if !fact.is_first() {
            return;
        }
        match (&fact.logged.body, fact.attributed) {
            (Body::Delivery(delivery), _) if delivery.token.price.per == Unit::Action => {
                self.state().entry((delivery.token.line_item, partition)).or_default().take(delivery, at);
            }
            (Body::Conversion(_), Some(Attributed::Click(token))) if token.price.per == Unit::Action => {
                self.state().entry((token.line_item, partition)).or_default().conversions += 1;
            }
            _ => {}
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let (mut out, state) = (Writer::default(), self.state());
        out.length(state.len());
        for ((line_item, partition), Expected { owed, clicks, conversions }) in state.iter() {
            out.number(line_item.0);
            out.number((*partition).into());
            let (sum, at) = owed.parts();
            out.wide(sum);
            out.time(at);
            out.number(*clicks);
            out.number(*conversions);
        }
        out.finish()
    }

    fn restore(&self, bytes: &[u8]) -> Result<(), BadState> {
        let mut rest = Reader::new(bytes);
        let rows = rest.list(|rest| {
            let key = (LineItemId(rest.number()?), rest.narrow("a partition")?);
            let owed = Owed::from_parts(rest.wide()?, rest.time()?);
            Ok((key, Expected { owed, clicks: rest.number()?, conversions: rest.number()? }))
        })?;
        rest.finish()?;
        *self.state() = rows.into_iter().collect();
        Ok(())
    }

    fn clear(&self) {
        self.state().clear();
    }
}
