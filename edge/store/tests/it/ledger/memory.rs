//! The suite on rows in memory: a book behind a lock. Its reports are the plain reading of what a report is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use litfass_ledger::check::Audit;
use litfass_ledger::{
    Account, Applied, Apply, Balance, Batch, Bill, Billed, Book, CommandId, CommandOutcome, CommandRecord, Commands,
    Control, ControlId, Count, Effect, Failure, GiveBack, Grant, GrantAnswer, GrantRequest, LedgerAccount, Membership,
    Outcome, Partition, Promote, Promoted, Quarter, Return, Settled, Stand, Standing, Swept, Target, Timeline,
    UNLIMITED, UnbilledId, execute, sweep,
};
use litfass_store::ledger::report::{Bucket, Cell, Dimension, Report, ReportAsk, RowFigures, RowKey};
use litfass_store::ledger::{Accounted, BudgetAuthority, Delivery, Exported, LedgerAdmin, LedgerError, LedgerReader};
use litfass_types::{AdvertiserId, PlacementId, Position, TenantId, Traffic};

use super::conformance;
use super::ids::terms;
use super::ports::{Hand, Ports};

fn on_a_book(suite: impl FnOnce(conformance::Open<'_>)) {
    let book = Arc::new(Mutex::new(Book::default()));
    suite(&|| ports(&book));
}

/// A ledger that was driven without ports.
pub(super) fn book(book: Book) -> Ports {
    ports(&Arc::new(Mutex::new(book)))
}

fn ports(book: &Arc<Mutex<Book>>) -> Ports {
    let hand = Hand::new();
    let shared = || Box::new(Shared { book: Arc::clone(book), hand: hand.clone() });
    let book = Arc::clone(book);
    let fail_over = Box::new(move || book.lock().unwrap().state.runs.number += 1);
    Ports { authority: shared(), admin: shared(), reader: shared(), hand: hand.clone(), fail_over }
}

conformance::suite!(on_a_book);

#[derive(Debug)]
struct Shared {
    book: Arc<Mutex<Book>>,
    hand: Hand,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    fn run<O: litfass_ledger::Operation>(&self, operation: &O) -> Result<O::Receipt, LedgerError> {
        execute(&mut *self.book(), operation).map_err(refused)
    }
}

fn refused(failure: Failure<std::convert::Infallible>) -> LedgerError {
    match failure {
        Failure::Refused(refused) => LedgerError::Refused(refused),
        Failure::Store(never) => match never {},
    }
}

impl BudgetAuthority for Shared {
    fn grant(&self, requests: &[GrantRequest]) -> Result<Vec<GrantAnswer>, LedgerError> {
        self.run(&Grant { requests, now: self.hand.clock()(), terms: &terms() })
    }

    fn bill(&self, batch: &Batch) -> Result<Billed, LedgerError> {
        self.run(&Bill { batch, terms: &terms() })
    }

    fn give_back(&self, returns: &[Return]) -> Result<Settled, LedgerError> {
        self.run(&GiveBack { returns })
    }

    fn sweep(&self) -> Result<Swept, LedgerError> {
        let share = |after| sweep(&mut *self.book(), &terms(), after).map_err(refused);
        let mut swept = share(None)?;
        while swept.more {
            swept.extend(share(swept.next)?);
        }
        Ok(swept)
    }
}

impl LedgerAdmin for Shared {
    fn apply(&self, commands: &Commands) -> Result<Applied, LedgerError> {
        self.run(&Apply { commands })
    }

    fn partitions(&self, changes: &[Membership]) -> Result<(), LedgerError> {
        self.run(&changes)
    }

    fn standing(&self) -> Result<Standing, LedgerError> {
        self.run(&Stand)
    }

    fn promote(&self, timeline: Timeline, targets: &[Target]) -> Result<Promoted, LedgerError> {
        self.run(&Promote { timeline, targets })
    }

    fn outcome(&self, command: CommandId) -> Result<Option<CommandRecord>, LedgerError> {
        Ok(self.book().commands.get(&command).cloned())
    }
}

impl LedgerReader for Shared {
    fn positions(&self) -> Result<Vec<(u16, Partition)>, LedgerError> {
        Ok(self.book().partitions.iter().map(|(number, partition)| (*number, *partition)).collect())
    }

    fn balances(&self) -> Result<Vec<(LedgerAccount, Balance)>, LedgerError> {
        Ok(self.book().balances.iter().map(|(account, balance)| (*account, *balance)).collect())
    }

    fn controls(&self, ids: &[ControlId]) -> Result<Vec<Control>, LedgerError> {
        let book = self.book();
        let first = |id: &ControlId| match id {
            ControlId::Account(account) => book.funding.get(account).copied().unwrap_or_default().limit(),
            ControlId::CampaignDay(campaign, day) => book.daily.get(campaign).map_or(UNLIMITED, |steps| steps.on(*day)),
            ControlId::Campaign(_) | ControlId::LineItem(_) => UNLIMITED,
        };
        let state = |id| book.controls.get(id).copied().unwrap_or_else(|| Control::with_limit(first(id)));
        Ok(ids.iter().map(state).collect())
    }

    fn delivery(&self) -> Result<Vec<Delivery>, LedgerError> {
        let book = self.book();
        let pending = book.pending.values().map(|pending| pending.chain);
        let chains = book.tallies.keys().copied().chain(pending).chain(book.unbilled.keys().map(|id| id.chain));
        let of = |chain| {
            let waits = book.pending.values().filter(|pending| pending.chain == chain);
            let waiting = waits.fold(Count::default(), |sum, pending| Count {
                events: sum.events + 1,
                amount: sum.amount.plus(pending.amount).unwrap(),
            });
            let never = book.unbilled.iter().filter(|(id, _)| id.chain == chain);
            let unbilled: Vec<(UnbilledId, Count)> = never.map(|(id, count)| (*id, *count)).collect();
            let tally = book.tallies.get(&chain).copied().unwrap_or_default();
            Delivery { chain, tally, pending: waiting, unbilled }
        };
        Ok(chains.collect::<BTreeSet<_>>().into_iter().map(of).collect())
    }

    fn account(&self, account: AdvertiserId) -> Result<Account, LedgerError> {
        let control = self.controls(&[ControlId::Account(account)])?[0];
        let book = self.book();
        let moves = |record: &&CommandRecord| {
            let effect = &record.entry.command.effect;
            let moved = !matches!(effect, Effect::SetLimit(_)) && record.outcome == CommandOutcome::Applied;
            effect.account() == account && moved
        };
        let mut moved: Vec<CommandRecord> = book.commands.values().filter(moves).cloned().collect();
        moved.sort_by_key(|record| record.entry.position);
        let billed = book.tallies.iter().filter(|(chain, _)| chain.account == account);
        Ok(Account {
            id: account,
            funding: book.funding.get(&account).copied().unwrap_or_default(),
            control,
            moves: moved,
            billed: billed.map(|(chain, tally)| (*chain, tally.billed)).collect(),
        })
    }

    fn command(&self, command: CommandId) -> Result<Option<CommandRecord>, LedgerError> {
        LedgerAdmin::outcome(self, command)
    }

    fn outcome(&self, position: Position) -> Result<Option<Outcome>, LedgerError> {
        let book = self.book();
        let read = book.partitions.get(&position.partition).is_some_and(|p| position.offset < p.next);
        Ok(read.then(|| book.outcomes.get(&position).copied().unwrap_or(Outcome::Billed)))
    }

    fn report(&self, ask: &ReportAsk) -> Result<Option<Report>, LedgerError> {
        let report = report(&self.book(), ask);
        Ok((report.rows.len() <= ask.rows_max).then_some(report))
    }

    fn accounted(&self) -> Result<Accounted, LedgerError> {
        let book = self.book();
        let mut ranges: Vec<_> = book.batches.iter().flat_map(|batch| batch.consumed.clone()).collect();
        ranges.sort_by_key(|range| (range.partition, range.from, range.next));
        let mut billed = BTreeMap::new();
        for (chain, tally) in &book.tallies {
            let sum: &mut litfass_ledger::Amount = billed.entry(chain.account).or_default();
            *sum = sum.plus(tally.billed.amount).unwrap();
        }
        Ok(Accounted {
            partitions: book.partitions.iter().map(|(number, partition)| (*number, *partition)).collect(),
            ranges,
            claims: book.batches.iter().map(|batch| batch.claims).sum(),
            outcomes: book.outcomes.clone(),
            billed,
            commands: book.commands.clone(),
        })
    }

    fn audit(&self) -> Result<Audit, LedgerError> {
        Ok(Audit::of(&self.book()))
    }

    fn export(&self, take: &mut (dyn FnMut(Exported) -> bool + Send)) -> Result<(), LedgerError> {
        let deliveries = self.delivery()?.into_iter().map(Exported::Delivery);
        let book = self.book();
        let positions = book.partitions.iter().map(|(number, partition)| Exported::Position(*number, *partition));
        let balances = book.balances.iter().map(|(account, balance)| Exported::Balance(*account, *balance));
        let controls = book.controls.iter().map(|(id, control)| Exported::Control(*id, *control));
        let commands = book.commands.iter().map(|(id, record)| Exported::Command(*id, record.clone()));
        let postings = book.postings.iter().copied().map(Exported::Posting);
        let all = positions.chain(balances).chain(controls).chain(deliveries).chain(commands).chain(postings);
        for row in all {
            if !take(row) {
                break;
            }
        }
        Ok(())
    }
}

/// What a row of figures or requests can be told apart by.
struct Named {
    tenant: TenantId,
    quarter: Quarter,
    placement: PlacementId,
    country: String,
    traffic: Traffic,
    /// Advertiser, campaign, line item, ad, creative; none of a request.
    ad: Option<[u64; 5]>,
}

impl Named {
    fn cell(&self, dimension: Dimension) -> Cell {
        let [advertiser, campaign, line_item, ad, creative] = self.ad.unwrap_or_default();
        Cell::Id(match dimension {
            Dimension::Country => return Cell::Text(self.country.clone()),
            Dimension::Tenant => self.tenant.0,
            Dimension::Placement => self.placement.0,
            Dimension::Advertiser => advertiser,
            Dimension::Campaign => campaign,
            Dimension::LineItem => line_item,
            Dimension::Ad => ad,
            Dimension::Creative => creative,
        })
    }

    /// The rows it belongs to: one for each stretch that it lies in.
    fn rows(&self, ask: &ReportAsk) -> Vec<RowKey> {
        let passes = |(dimension, cells): (&Dimension, &Vec<Cell>)| cells.contains(&self.cell(*dimension));
        if (ask.net && !self.traffic.counts()) || !ask.filters.iter().all(passes) {
            return Vec::new();
        }
        let inside = ask.stretches.iter().filter(|s| s.from <= self.quarter && self.quarter < s.to);
        let row = |ahead: i64| RowKey {
            bucket: match ask.bucket {
                Bucket::Hour => (self.quarter.0 + ahead) / 4,
                Bucket::Day => (self.quarter.0 + ahead) / 96,
                Bucket::All => 0,
            },
            behind: if ask.bucket == Bucket::Hour { -ahead } else { 0 },
            cells: ask.dimensions.iter().map(|dimension| self.cell(*dimension)).collect(),
        };
        inside.map(|stretch| row(stretch.ahead)).collect()
    }
}

fn report(book: &Book, ask: &ReportAsk) -> Report {
    let mut rows: BTreeMap<RowKey, RowFigures> = BTreeMap::new();
    let none = ask.tells_requests().then(litfass_ledger::Asked::default);
    let mut add = |named: &Named, more: RowFigures| {
        for key in named.rows(ask) {
            let sum = rows.entry(key).or_default();
            *sum = sum.plus(&more).unwrap();
        }
    };
    for (slice, figures) in &book.rollup.delivered {
        let facet = slice.facet;
        let ad = [slice.account.0, slice.campaign.0, slice.line_item.0, facet.ad.0, facet.creative.0];
        let named = Named {
            tenant: slice.tenant,
            quarter: facet.quarter,
            placement: facet.placement,
            country: facet.country.name().to_owned(),
            traffic: facet.traffic,
            ad: Some(ad),
        };
        add(&named, RowFigures { delivered: *figures, asked: none });
    }
    for (spot, asked) in book.rollup.asked.iter().filter(|_| ask.tells_requests()) {
        let named = Named {
            tenant: spot.tenant,
            quarter: spot.quarter,
            placement: spot.placement,
            country: spot.country.name().to_owned(),
            traffic: spot.traffic,
            ad: None,
        };
        add(&named, RowFigures { asked: Some(*asked), ..RowFigures::default() });
    }
    let live = book.partitions.values().filter(|partition| partition.live());
    Report { rows, complete_until: live.map(|partition| partition.appended).min().flatten() }
}
