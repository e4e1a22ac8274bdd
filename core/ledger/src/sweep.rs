//! The sweep: closes leases that are due, tries pending claims again, ends those past their token's life, refuses overdue
//! refunds, drops key tables. One transaction does a bounded share of it; `more` says that another has work to do.

use std::collections::BTreeSet;

use litfass_types::{AdvertiserId, Day, LeaseId, Timestamp};

use crate::books::Cause;
use crate::claim::key_day_end;
use crate::gather::{self, Scope};
use crate::moves::Till;
use crate::rows::{Refused, Rows};
use crate::settle::{Settled, end_past, refuse_overdue, settle};
use crate::store::{Failure, Operation, Source, StateUse, Store, execute};
use crate::terms::Terms;
use crate::timeline::CatchUp;

/// Leases closed, claims ended and accounts retried by one transaction, each at most.
pub const SWEEP_SHARE: usize = 256;

const DAY_MS: i64 = 86_400_000;

/// One share of a sweep, in one transaction; a whole sweep begins with `after` = none and goes on with `Swept::next` while
/// there is `more`.
pub fn sweep<S: Store>(store: &mut S, terms: &Terms, after: Option<AdvertiserId>) -> Result<Swept, Failure<S::Error>> {
    let accounts = store.pending_accounts(after, SWEEP_SHARE).map_err(Failure::Store)?;
    let mut swept = execute(store, &Sweep { terms, accounts: &accounts })?;
    let full = accounts.len() == SWEEP_SHARE;
    swept.next = if full { accounts.last().copied() } else { None };
    swept.more |= full;
    Ok(swept)
}

/// One transaction of the sweep, over these accounts with pending claims.
#[derive(Debug)]
pub struct Sweep<'a> {
    pub terms: &'a Terms,
    pub accounts: &'a [AdvertiserId],
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    pub closed: Vec<LeaseId>,
    pub settled: Settled,
    /// Key tables up to this UTC day are gone.
    pub keys_dropped: Option<Day>,
    pub more: bool,
    pub next: Option<AdvertiserId>,
}

impl Swept {
    /// Appends what the next share did.
    pub fn extend(&mut self, next: Self) {
        self.closed.extend(next.closed);
        self.settled.extend(next.settled);
        self.keys_dropped = next.keys_dropped.max(self.keys_dropped);
        (self.more, self.next) = (next.more, next.next);
    }
}

impl Operation for Sweep<'_> {
    type Receipt = Swept;

    fn read<S: Source + ?Sized>(&self, source: &mut S) -> Result<Rows, S::Error> {
        let mut rows = gather::begin(source, [], StateUse::Changes)?;
        let mut scope = Scope::default();
        if let Some(watermark) = rows.watermark() {
            rows.leases.add(source.leases_due(watermark, SWEEP_SHARE)?);
            scope.candidates(source.pending_past(watermark, SWEEP_SHARE)?);
        }
        for (_, lease) in rows.leases.iter() {
            scope.chain(None, lease.chain);
        }
        scope.refunds(source, None)?;
        scope.accounts.extend(self.accounts);
        let accounts: BTreeSet<_> = scope.accounts.clone();
        scope.pending_of(source, &accounts)?;
        scope.read(&mut rows, source)?;
        gather::unbilled(&mut rows, source)?;
        Ok(rows)
    }

    fn plan(&self, rows: &mut Rows) -> Result<Swept, Refused> {
        rows.passed(CatchUp::Events)?;
        let mut swept = Swept { keys_dropped: rows.keys_dropped, ..Swept::default() };
        let mut till = Till::new(Cause::Retry);
        let watermark = rows.watermark();
        if let Some(watermark) = watermark {
            swept.closed = close_due(rows, watermark)?;
        }
        settle(rows, &mut till, true, &mut swept.settled)?;
        till.close(rows)?;
        if let Some(watermark) = watermark {
            self.end(rows, watermark, &mut swept)?;
        }
        Ok(swept)
    }
}

impl Sweep<'_> {
    fn end(&self, rows: &mut Rows, watermark: Timestamp, swept: &mut Swept) -> Result<(), Refused> {
        let past = rows.pending.iter().filter(|(_, p)| p.token_expires < watermark).count();
        end_past(rows, watermark, &mut swept.settled)?;
        refuse_overdue(rows, watermark, &mut swept.settled)?;
        swept.more = swept.closed.len() >= SWEEP_SHARE || past >= SWEEP_SHARE;
        if !swept.more {
            self.drop_keys(rows, watermark);
            swept.keys_dropped = rows.keys_dropped;
        }
        Ok(())
    }

    /// Days whose tokens are all dead, and whose pending claims have all ended.
    fn drop_keys(&self, rows: &mut Rows, watermark: Timestamp) {
        let dead = watermark - self.terms.key_life;
        let days = (dead.0 - 1).div_euclid(DAY_MS) - 1; // the last day with key_day_end(day) < dead
        let day = i32::try_from(days).ok().map(Day);
        if day > rows.keys_dropped {
            rows.keys_dropped = day;
            rows.leases_forgotten = day.map(key_day_end);
            rows.journeys_forgotten = Some(watermark - self.terms.conversion_window.max(self.terms.order_life));
        }
    }
}

fn close_due(rows: &mut Rows, watermark: Timestamp) -> Result<Vec<LeaseId>, Refused> {
    let due = rows.leases.iter().filter(|(_, lease)| !lease.closed && lease.expires < watermark);
    let due: Vec<LeaseId> = due.map(|(id, _)| *id).collect();
    due.iter().try_for_each(|id| rows.close(*id))?;
    Ok(due)
}
