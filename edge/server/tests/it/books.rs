//! A look into a data directory nobody serves: what its log holds, and what its ledger made of it.
//!
//! The log is folded here once more by other code than the server's, so that the two can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use litfass_decide::DecisionRecord;
use litfass_events::{Delivery, EventKind};
use litfass_ledger::{Amount, Chain, ControlId};
use litfass_server::config::Config;
use litfass_server::data_dir::DataDir;
use litfass_server::event_log;
use litfass_server::vault::Vault;
use litfass_store::ledger::{LedgerReader, SqliteLedgerReader, verify};
use litfass_store::log::{Clock, Entry, EventLog, ReadError};
use litfass_store::wire::{self, Body};
use litfass_types::{DecisionId, EventId, LineItemId, Position, Timestamp};

/// By what a tracking event counts once.
pub(crate) type Key = (DecisionId, u8, EventKind);

const READ_BYTES: usize = 4 << 20;

/// Everything in a log.
#[derive(Default)]
pub(crate) struct Logged {
    pub(crate) events: BTreeSet<EventId>,
    pub(crate) decisions: BTreeMap<DecisionId, DecisionRecord>,
    /// Each tracking event once, whatever the number of its copies.
    pub(crate) deliveries: BTreeMap<Key, Delivery>,
    /// Copies of billable events beyond the first.
    pub(crate) repeated: u64,
    /// Tracking events of any class of traffic, copies among them.
    pub(crate) gross: u64,
}

/// What a line item's claims came to, in nanos.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Sum {
    pub(crate) events: u64,
    pub(crate) nanos: i128,
}

impl Sum {
    const fn add(&mut self, events: u64, amount: Amount) {
        self.events += events;
        self.nanos += amount.nanos();
    }
}

/// How the claims of one line item ended.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Ended {
    pub(crate) billed: Sum,
    /// Waiting or never billed, for want of budget.
    pub(crate) unbilled: Sum,
}

/// Every reader of the log sees what is committed; `data` may be served meanwhile.
pub(crate) fn open_log(data: &Path) -> Arc<dyn EventLog> {
    let clock = Clock::new(|| Timestamp(0));
    event_log::open_to_read(&DataDir::existing(data).unwrap(), &clock).unwrap()
}

/// Wherever the configuration beside the directory says that it is; without one, in it.
pub(crate) fn open_ledger(data: &Path) -> Arc<dyn LedgerReader> {
    let file = data.with_file_name("litfass.toml");
    if !file.exists() {
        return Arc::new(SqliteLedgerReader::open(&data.join("litfass.db")).unwrap());
    }
    let config = Config::load(Some(&file), []).unwrap();
    Vault::open(&config, &DataDir::existing(data).unwrap()).unwrap().reader().unwrap()
}

/// Every committed entry, partition by partition.
pub(crate) fn each_entry(log: &dyn EventLog, mut take: impl FnMut(&Entry)) -> Result<(), ReadError> {
    for head in log.wait(&[], Duration::ZERO)? {
        let mut from = Position { partition: head.next.partition, offset: 0 };
        while from.offset < head.next.offset {
            let batch = log.read(from, READ_BYTES)?;
            batch.entries.iter().for_each(&mut take);
            from = batch.next;
        }
    }
    Ok(())
}

impl Logged {
    pub(crate) fn read(data: &Path) -> Self {
        let mut logged = Self::default();
        each_entry(&*open_log(data), |entry| logged.take(entry)).unwrap();
        logged
    }

    pub(crate) fn take(&mut self, entry: &Entry) {
        self.events.insert(entry.id);
        match wire::decode(entry).unwrap().body {
            Body::Decision(record) => {
                let first = self.decisions.insert(record.id, *record).is_none();
                assert!(first, "entry {:?} is a decision that was recorded before", entry.position);
            }
            Body::Delivery(delivery) => self.deliver(*delivery),
            Body::Conversion(_)
            | Body::ItemView(_)
            | Body::Command(_)
            | Body::Pacing(_)
            | Body::Privacy(_)
            | Body::Heartbeat => {}
            Body::Outline(_) | Body::Unknown => panic!("entry {:?} says nothing", entry.position),
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        self.gross += 1;
        if !delivery.token.traffic.counts() {
            return;
        }
        let key = (delivery.token.decision, delivery.token.slot, delivery.kind);
        let bills = delivery.token.bills(delivery.kind);
        if self.deliveries.insert(key, delivery).is_some() && bills {
            self.repeated += 1;
        }
    }

    /// What the log says was to be billed, by line item.
    pub(crate) fn claims(&self) -> BTreeMap<LineItemId, Sum> {
        let mut claims: BTreeMap<LineItemId, Sum> = BTreeMap::new();
        for delivery in self.deliveries.values().filter(|delivery| delivery.token.bills(delivery.kind)) {
            claims.entry(delivery.token.line_item).or_default().add(1, Amount::of(delivery.token.price));
        }
        claims
    }

    /// The dearest claim of a line item: with as much left over, nothing of it could wait.
    pub(crate) fn dearest(&self, line_item: LineItemId) -> i128 {
        let own = self.deliveries.values().filter(|delivery| delivery.token.line_item == line_item);
        let prices = own.filter(|delivery| delivery.token.bills(delivery.kind)).map(|delivery| delivery.token.price);
        prices.map(|price| Amount::of(price).nanos()).max().unwrap_or(0)
    }

    pub(crate) fn count(&self, kind: EventKind) -> u64 {
        self.deliveries.keys().filter(|(_, _, of)| *of == kind).count() as u64
    }
}

/// How the ledger says the claims ended, by line item, and how many copies it met.
pub(crate) fn ended(data: &Path) -> (BTreeMap<LineItemId, Ended>, u64) {
    let mut ended: BTreeMap<LineItemId, Ended> = BTreeMap::new();
    let mut repeated = 0;
    for delivery in open_ledger(data).delivery().unwrap() {
        let line_item = ended.entry(delivery.chain.line_item).or_default();
        line_item.billed.add(delivery.tally.billed.events, delivery.tally.billed.amount);
        line_item.unbilled.add(delivery.pending.events, delivery.pending.amount);
        delivery.unbilled.iter().for_each(|(_, count)| line_item.unbilled.add(count.events, count.amount));
        repeated += delivery.tally.repeated.events;
        assert_eq!(delivery.tally.expired.events, 0, "{:?}: no token is old enough", delivery.chain);
    }
    (ended, repeated)
}

/// The invariants of the ledger itself, and that nothing is reserved any more.
pub(crate) fn at_rest(data: &Path) {
    let reader = open_ledger(data);
    let violations = verify(&*reader).unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
    assert!(!is_leased(&*reader), "every lease is closed");
}

/// Whether any budget is still reserved.
pub(crate) fn is_leased(reader: &dyn LedgerReader) -> bool {
    let audit = reader.audit().unwrap();
    audit.kept().controls.values().any(|control| !control.leased.is_zero())
}

/// Nanos that are reserved at the level of each line item.
pub(crate) fn leased(reader: &dyn LedgerReader) -> BTreeMap<LineItemId, i128> {
    let audit = reader.audit().unwrap();
    let controls = audit.kept().controls.iter();
    let of = |(id, control): (&ControlId, &litfass_ledger::Control)| match id {
        ControlId::LineItem(line_item) => Some((*line_item, control.leased.nanos())),
        ControlId::Account(_) | ControlId::Campaign(_) | ControlId::CampaignDay(..) => None,
    };
    controls.filter_map(of).collect()
}

/// What is still to be had for a line item on any of its days: the least that its levels have.
pub(crate) fn available(data: &Path, line_item: LineItemId) -> i128 {
    let reader = open_ledger(data);
    let deliveries = reader.delivery().unwrap();
    let chains: Vec<Chain> =
        deliveries.iter().map(|delivery| delivery.chain).filter(|chain| chain.line_item == line_item).collect();
    let funds = litfass_store::ledger::funds(&*reader, &chains).unwrap();
    funds.into_iter().map(Amount::nanos).min().unwrap_or(0)
}

/// Whether the ledger has consumed the log up to where it ends now.
pub(crate) fn has_caught_up(data: &Path, ends: &[Position]) -> bool {
    let positions: BTreeMap<u16, u64> =
        open_ledger(data).positions().unwrap().into_iter().map(|(partition, row)| (partition, row.next)).collect();
    ends.iter().all(|end| positions.get(&end.partition).is_some_and(|next| *next >= end.offset))
}

/// Where each partition of the log ends.
pub(crate) fn ends(data: &Path) -> Vec<Position> {
    open_log(data).wait(&[], Duration::ZERO).unwrap().into_iter().map(|head| head.next).collect()
}
