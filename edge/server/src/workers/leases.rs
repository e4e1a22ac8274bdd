//! Asks for the budget that decisions wanted, gives back what they did not use, and sweeps the ledger.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use litfass_store::ledger::BudgetAuthority;
use litfass_types::LeaseId;

use super::billing::count_settled;
use crate::metrics::{Metrics, label::LeaseStep};
use crate::promises::Promises;

/// How often wishes are looked through: what a line item waits for its first budget.
const ROUND: Duration = Duration::from_millis(50);
/// Grants in one transaction.
const GRANTS_MAX: usize = 500;

#[derive(Debug)]
pub struct LeaseWorker {
    pub ledger: Arc<dyn BudgetAuthority>,
    pub promises: Arc<Promises>,
    pub metrics: Arc<Metrics>,
    pub sweep_interval: Duration,
    pub swept: Instant,
}

impl LeaseWorker {
    /// # Errors
    /// When the ledger fails. Grants are asked for again under the same ids; returns that were lost cost idle budget until
    /// the lease is closed.
    pub fn step(&mut self) -> Result<Duration> {
        self.grant()?;
        self.give_back()?;
        if self.swept.elapsed() >= self.sweep_interval {
            self.swept = Instant::now();
            let swept = self.ledger.sweep()?;
            self.metrics.leases.add(LeaseStep::Closed, swept.closed.len() as u64);
            count_settled(&self.metrics, &swept.settled);
        }
        Ok(ROUND)
    }

    /// At the end: what was not held goes back now instead of when the lease is closed.
    ///
    /// # Errors
    /// When the ledger fails; then the leases close by themselves.
    pub fn give_back_all(&self) -> Result<()> {
        let all = self.promises.holds().returns(u64::MAX);
        self.ledger.give_back(&all)?;
        Ok(())
    }

    fn grant(&self) -> Result<()> {
        let mut random = Ok(());
        let wanted = self.promises.holds().wanted(self.promises.now(), || lease_id(&mut random));
        random?;
        for requests in wanted.chunks(GRANTS_MAX) {
            let answers = self.ledger.grant(requests)?;
            let granted = answers.iter().filter(|answer| answer.result.is_ok()).count();
            self.metrics.leases.add(LeaseStep::Granted, granted as u64);
            self.metrics.leases.add(LeaseStep::Refused, (answers.len() - granted) as u64);
            self.promises.holds().granted(&answers, self.promises.now());
        }
        Ok(())
    }

    fn give_back(&self) -> Result<()> {
        let returns = self.promises.holds().returns(self.promises.now());
        if returns.is_empty() {
            return Ok(());
        }
        count_settled(&self.metrics, &self.ledger.give_back(&returns)?);
        self.metrics.leases.add(LeaseStep::Returned, returns.len() as u64);
        Ok(())
    }
}

/// A random id. Without randomness it is 0 and nothing is asked for.
fn lease_id(result: &mut Result<(), getrandom::Error>) -> LeaseId {
    let mut bytes = [0; 16];
    if let Err(error) = getrandom::fill(&mut bytes) {
        *result = Err(error);
    }
    LeaseId(u128::from_be_bytes(bytes))
}
