//! A recorded log as a crowd: each visit asks as it was recorded, and a shown product that is in that visit's basket counts as
//! clicked and bought. Showing had no effect in such a log, so what is judged is purchase prediction.

use litfass_types::{FEATURE_HASH_SEED, xxh64};
use serde_json::Value;

use crate::crowd::{Bought, Crowd, Purchase, Reaction, ShownAd, Visit};

/// One visit of a log with what was bought in it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedVisit {
    /// The body of `POST /v1/decisions`.
    pub body: Value,
    pub user: Option<String>,
    pub slots: u32,
    pub order_id: String,
    pub basket: Vec<InBasket>,
}

/// One line of a basket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InBasket {
    pub item: String,
    pub category: String,
    pub quantity: u32,
    /// Of the whole line.
    pub value_micros: i64,
}

/// Plays logged visits in order. `run` enters the order ids, so that playing a log again is not taken for a repetition.
#[derive(Debug)]
pub struct Replay<I> {
    visits: I,
    run: u64,
    latest: Option<LoggedVisit>,
}

impl<I: Iterator<Item = LoggedVisit> + Send> Replay<I> {
    pub const fn new(visits: I, run: u64) -> Self {
        Self { visits, run, latest: None }
    }
}

impl Replay<std::vec::IntoIter<LoggedVisit>> {
    /// `streams` crowds for as many threads, each in the log's order and all visits of one user in the same.
    #[must_use]
    pub fn split(visits: Vec<LoggedVisit>, streams: usize, run: u64) -> Vec<Self> {
        let mut parts = vec![Vec::new(); streams.max(1)];
        for visit in visits {
            let key = xxh64(visit.user.as_deref().unwrap_or(&visit.order_id).as_bytes(), FEATURE_HASH_SEED);
            let part = usize::try_from(key % parts.len() as u64).unwrap_or(0);
            parts[part].push(visit);
        }
        parts.into_iter().map(|part| Self::new(part.into_iter(), run)).collect()
    }
}

impl<I: Iterator<Item = LoggedVisit> + Send> Crowd for Replay<I> {
    fn next(&mut self) -> Option<Visit> {
        self.latest = self.visits.next();
        let logged = self.latest.as_ref()?;
        Some(Visit { body: logged.body.clone(), user: logged.user.clone(), slots: logged.slots, viewed: None })
    }

    fn react(&mut self, shown: &[ShownAd]) -> Vec<Reaction> {
        let Some(visit) = &self.latest else { return Vec::new() };
        shown.iter().map(|ad| reaction(visit, self.run, ad)).collect()
    }
}

fn reaction(visit: &LoggedVisit, run: u64, ad: &ShownAd) -> Reaction {
    let line = visit.basket.iter().find(|line| ad.item.as_deref() == Some(&line.item));
    Reaction {
        rendered: true,
        viewable: true,
        clicked: line.is_some(),
        bought: line.map(|line| purchase(visit, run, line)),
        odds: None,
    }
}

fn purchase(visit: &LoggedVisit, run: u64, line: &InBasket) -> Purchase {
    Purchase {
        order_id: format!("{run:x}-{}-{}", visit.order_id, line.item),
        value_micros: line.value_micros,
        items: vec![Bought { item: line.item.clone(), category: line.category.clone(), quantity: line.quantity }],
        by_token: true,
    }
}
