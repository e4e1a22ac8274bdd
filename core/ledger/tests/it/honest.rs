//! Processes that keep to the protocol: they hold before they show, and crash without a word.
//!
//! A CPM event appended within its hold is billed at once, whatever else is asked of the budget meanwhile; and when all is over
//! nothing stays leased.

use litfass_ledger::check::{Audit, violations};
use litfass_ledger::{
    Amount, Claim, Entrant, Grant, HolderId, Holds, Limit, Membership, Outcome, PartitionKind, Return,
};
use litfass_types::{AdvertiserId, Duration, LeaseId, LineItemId, Probability, Timestamp};
use proptest::prelude::*;

use super::desk::Desk;
use super::driven::Driven;
use super::ids::{FIRST_DAY, START, chain, claim, nanos, price, terms, window};

#[derive(Clone, Debug)]
enum Act {
    /// One of two processes shows the line item and sends the event so many seconds later, if at all.
    Show {
        holder: usize,
        cost: i64,
        after: Option<i64>,
    },
    /// Both ask for leases; the answers may be lost.
    Lease {
        lost: bool,
    },
    Return,
    Crash {
        holder: usize,
    },
    Wait {
        ms: i64,
    },
    /// The events role reads everything appended by now in a partition.
    Read {
        partition: u16,
    },
    Sweep,
    Limit(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => (0..2_usize, 1..1_000_i64, prop::option::weighted(0.8, 0..40_i64))
            .prop_map(|(holder, cost, after)| Act::Show { holder, cost, after }),
        4 => prop::bool::weighted(0.2).prop_map(|lost| Act::Lease { lost }),
        1 => Just(Act::Return),
        1 => (0..2_usize).prop_map(|holder| Act::Crash { holder }),
        6 => (0..4_000_i64).prop_map(|ms| Act::Wait { ms }),
        4 => (0..2_u16).prop_map(|partition| Act::Read { partition }),
        3 => Just(Act::Sweep),
        2 => (0..30_000_i64).prop_map(Act::Limit),
    ];
    prop::collection::vec(act, 40..250)
}

/// A shown slot's event on its way: appended at `at` to a partition.
struct Sent {
    at: Timestamp,
    claim: Claim,
}

struct Town {
    desk: Desk,
    holders: [Holds; 2],
    sent: [Vec<Sent>; 2],
    ids: u128,
    shown: u64,
}

impl Town {
    fn new() -> Self {
        let mut desk = Desk::with_credit(1_000_000);
        desk.limit_line_item(1, 20_000);
        desk.ledger.partitions(&[Membership::Open { partition: 1, kind: PartitionKind::Events }]);
        let holders = [1, 2].map(|id| Holds::new(HolderId(id), terms()));
        Self { desk, holders, sent: [Vec::new(), Vec::new()], ids: 0, shown: 0 }
    }

    fn monotonic(&self) -> u64 {
        u64::try_from((self.desk.now - START).0).unwrap()
    }

    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match act {
            Act::Show { holder, cost, after } => self.show(*holder, *cost, *after),
            Act::Lease { lost } => self.lease(*lost),
            Act::Return => self.give_back(),
            Act::Crash { holder } => self.holders[*holder] = Holds::new(HolderId(10 + *holder as u64), terms()),
            Act::Wait { ms } => self.desk.now = self.desk.now + Duration(*ms),
            Act::Read { partition } => return self.read(*partition),
            Act::Sweep => drop(self.desk.ledger.sweep()),
            Act::Limit(limit) => self.desk.limit_line_item(1, *limit),
        }
        Ok(())
    }

    fn show(&mut self, holder: usize, cost: i64, after: Option<i64>) {
        let now = self.monotonic();
        let entrant = Entrant { chain: chain(1, FIRST_DAY), window: window(FIRST_DAY), bid: price(1, 1_000) };
        self.holders[holder].want(&entrant, now);
        let certain = Probability::from_bits(u32::MAX);
        let Ok(held) = self.holders[holder].try_hold(LineItemId(1), FIRST_DAY, price(1, cost), certain, now) else {
            return;
        };
        self.shown += 1;
        let mut claim = claim(1, self.desk.now, self.shown, 0, cost);
        (claim.lease, claim.hold_expires) = (held.lease, held.hold_expires);
        if let Some(after) = after {
            let at = (self.desk.now + Duration::seconds(after)).min(held.hold_expires);
            self.sent[usize::from(self.shown.is_multiple_of(2))].push(Sent { at, claim });
        }
    }

    fn lease(&mut self, lost: bool) {
        let (now, database) = (self.monotonic(), self.desk.now);
        for holder in &mut self.holders {
            let ids = &mut self.ids;
            let requests = holder.wanted(now, || {
                *ids += 1;
                LeaseId(*ids)
            });
            let answers = self.desk.ledger.run(&Grant { requests: &requests, now: database, terms: &terms() }).unwrap();
            if !lost {
                holder.granted(&answers, now);
            }
        }
    }

    fn give_back(&mut self) {
        let now = self.monotonic();
        let returns: Vec<Return> = self.holders.iter_mut().flat_map(|holder| holder.returns(now)).collect();
        self.desk.ledger.give_back(&returns);
    }

    /// Everything appended to a partition by now, and a heartbeat.
    fn read(&mut self, partition: u16) -> Result<(), TestCaseError> {
        let (now, log) = (self.desk.now, &mut self.sent[usize::from(partition)]);
        let mut due: Vec<Sent> = log.extract_if(.., |sent| sent.at <= now).collect();
        due.sort_by_key(|sent| sent.at);
        for sent in due {
            let billed = self.desk.bill_at(partition, sent.at, std::slice::from_ref(&sent.claim));
            prop_assert_eq!(&billed.outcomes, &[Outcome::Billed], "a CPM event within its hold");
        }
        self.desk.heartbeat(partition, now);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn an_event_within_its_hold_is_billed_at_once_and_no_budget_stays_stuck(acts in acts()) {
        let mut town = Town::new();
        for act in &acts {
            town.act(act)?;
            prop_assert_eq!(violations(&Audit::of(&town.desk.ledger.book)), []);
        }
        let longest = terms().lease_ttl.0 + terms().hold_ttl_mille.0 + 1;
        town.desk.now = town.desk.now + Duration(longest);
        town.read(0)?;
        town.read(1)?;
        town.desk.ledger.sweep();
        let controls = &town.desk.ledger.book.controls;
        prop_assert!(controls.values().all(|control| control.leased == Amount::ZERO));
        let limit = Limit::Credit { account: AdvertiserId(1), limit: nanos(0) };
        town.desk.limit(limit);
        prop_assert_eq!(violations(&Audit::of(&town.desk.ledger.book)), []);
    }
}
