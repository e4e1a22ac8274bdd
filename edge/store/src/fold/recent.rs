//! The last decisions, for the page that shows them as they happen. Last by their ids, which begin with the time: so it does not
//! matter which partition was read first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use litfass_decide::DecisionRecord;
use litfass_types::DecisionId;

use super::codec::{BadState, Reader, Writer};
use super::packed::{pack, unpack};
use super::{Fact, Fold};
use crate::wire::Body;

/// The fold that keeps the last records.
#[derive(Debug)]
pub struct Recent {
    max: usize,
    records: Mutex<BTreeMap<DecisionId, Arc<DecisionRecord>>>,
}

impl Recent {
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { max, records: Mutex::new(BTreeMap::new()) }
    }

    /// At most `n` records, the newest first.
    #[must_use]
    pub fn last(&self, n: usize) -> Vec<Arc<DecisionRecord>> {
        self.records().values().rev().take(n).cloned().collect()
    }

    #[must_use]
    pub fn find(&self, id: DecisionId) -> Option<Arc<DecisionRecord>> {
        self.records().get(&id).cloned()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<DecisionId, Arc<DecisionRecord>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, record: Arc<DecisionRecord>) {
        let mut records = self.records();
        records.insert(record.id, record);
        while records.len() > self.max {
            records.pop_first();
        }
    }
}

impl Fold for Recent {
    fn name(&self) -> &'static str {
        "recent"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, fact: &Fact<'_>) {
        if let Body::Decision(record) = &fact.logged.body
            && fact.is_first()
        {
            self.push(Arc::new((**record).clone()));
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let records = self.records().clone();
        out.length(records.len());
        records.values().for_each(|record| out.bytes(&pack(&Body::Decision(Box::new((**record).clone())))));
        out.finish()
    }

    fn restore(&self, bytes: &[u8]) -> Result<(), BadState> {
        self.clear();
        let mut rest = Reader::new(bytes);
        for _ in 0..rest.length()? {
            let Body::Decision(record) = unpack(rest.bytes()?)? else {
                return Err(BadState::OutOfRange("a decision"));
            };
            self.push(Arc::from(record));
        }
        rest.finish()
    }

    fn clear(&self) {
        self.records().clear();
    }
}
