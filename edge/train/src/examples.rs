//! What is learned from: rows as they were read when an ad was shown, and what came of it.
//!
//! Columns, one block per request: several million rows fit in memory. Crosses are not stored; they follow from the ids.

use litfass_features::{RowId, RowNumber, ViewerBlock};
use litfass_types::Timestamp;

/// What came of one rendered impression.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Label {
    pub slot: u8,
    pub click: bool,
    /// Known of clicked rows only.
    pub conversion: bool,
    /// For how many rows it stands: above 1 where only a sample of the negatives was kept. A weight is the only
    /// correction; no shift of the bias comes on top.
    pub weight: f32,
}

/// One row with everything that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    pub block: &'a ViewerBlock,
    pub numbers: &'a [f32],
    pub ids: &'a [u64],
    pub label: Label,
}

/// A row that cannot be learned from; whoever recorded it had another feature set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Misfit {
    #[error("a row without a request")]
    NoRequest,
    #[error(
        "a row of {numbers} numbers and {ids} ids, not those of feature set {}",
        litfass_features::FeatureSet::NAME
    )]
    Columns { numbers: usize, ids: usize },
}

#[derive(Clone, PartialEq, Debug)]
struct Request {
    time: Timestamp,
    block: ViewerBlock,
    /// Its rows are this one and those before the next request's first.
    first_row: usize,
}

/// Requests in the order in which they were pushed, each with its rows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Examples {
    requests: Vec<Request>,
    numbers: Vec<f32>,
    ids: Vec<u64>,
    labels: Vec<Label>,
}

impl Examples {
    /// Opens a request; the rows that follow belong to it.
    pub fn push_request(&mut self, time: Timestamp, block: ViewerBlock) {
        self.requests.push(Request { time, block, first_row: self.labels.len() });
    }

    /// One row of the request that was opened last.
    ///
    /// # Errors
    /// When no request is open or the columns are not those of this feature set.
    pub fn push_row(&mut self, numbers: &[f32], ids: &[u64], label: Label) -> Result<(), Misfit> {
        if self.requests.is_empty() {
            return Err(Misfit::NoRequest);
        }
        if (numbers.len(), ids.len()) != (RowNumber::COUNT, RowId::COUNT) {
            return Err(Misfit::Columns { numbers: numbers.len(), ids: ids.len() });
        }
        self.numbers.extend_from_slice(numbers);
        self.ids.extend_from_slice(ids);
        self.labels.push(label);
        Ok(())
    }

    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    #[must_use]
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// First and last request's time.
    #[must_use]
    pub fn window(&self) -> Option<(Timestamp, Timestamp)> {
        let times = || self.requests.iter().map(|r| r.time);
        times().min().zip(times().max())
    }

    /// The request numbers before and from `cut` on.
    #[must_use]
    pub fn split(&self, cut: Timestamp) -> (Vec<usize>, Vec<usize>) {
        (0..self.requests.len()).partition(|n| self.requests.get(*n).is_some_and(|r| r.time < cut))
    }

    /// The instant before which the given share of the requests lies.
    #[must_use]
    pub fn quantile(&self, per_mille: usize) -> Option<Timestamp> {
        let mut times: Vec<Timestamp> = self.requests.iter().map(|r| r.time).collect();
        times.sort_unstable();
        times.get(times.len() * per_mille / 1_000).copied()
    }

    /// The rows of one request.
    pub fn of(&self, request: usize) -> impl Iterator<Item = Example<'_>> {
        let first = self.requests.get(request).map_or(self.labels.len(), |r| r.first_row);
        let end = self.requests.get(request + 1).map_or(self.labels.len(), |r| r.first_row);
        (first..end).filter_map(move |row| {
            Some(Example {
                block: &self.requests.get(request)?.block,
                numbers: self.numbers.get(row * RowNumber::COUNT..(row + 1) * RowNumber::COUNT)?,
                ids: self.ids.get(row * RowId::COUNT..(row + 1) * RowId::COUNT)?,
                label: *self.labels.get(row)?,
            })
        })
    }
}
