//! The lease table of a deciding process.

use std::collections::BTreeMap;

use litfass_ledger::{
    Amount, Entrant, GrantAnswer, GrantRefusal, GrantRequest, Granted, Held, HoldRefused, HolderId, Holds, Return,
    hold_amount,
};
use litfass_types::{Duration, LeaseId, LineItemId, Price, Probability, Timestamp, Unit};
use proptest::prelude::*;

use super::ids::{FIRST_DAY, START, chain, nanos, price, terms, window};

const CERTAIN: Probability = Probability::from_bits(u32::MAX);
const LEASE_MS: u64 = 10_000;

fn entrant(line_item: u64) -> Entrant {
    let mut chain = chain(line_item, FIRST_DAY);
    chain.line_item = LineItemId(line_item);
    Entrant { chain, window: window(FIRST_DAY), bid: price(1, 1_000) }
}

/// A table that numbers its leases from 1.
struct Table {
    holds: Holds,
    ids: u128,
}

impl Table {
    fn new() -> Self {
        Self { holds: Holds::new(HolderId(1), terms()), ids: 0 }
    }

    fn wanted(&mut self, now: u64) -> Vec<GrantRequest> {
        let ids = &mut self.ids;
        self.holds.wanted(now, || {
            *ids += 1;
            LeaseId(*ids)
        })
    }

    fn grant(&mut self, lease: u128, amount: i64, now: u64) {
        let granted = Granted { amount: nanos(amount), at: START };
        self.holds.granted(&[GrantAnswer { lease: LeaseId(lease), result: Ok(granted) }], now);
    }

    /// A lease of line item 1 whose id was first sent at 0.
    fn with_lease(amount: i64) -> Self {
        let mut table = Self::new();
        table.holds.want(&entrant(1), 0);
        assert_eq!(table.wanted(0).len(), 1);
        table.grant(1, amount, 5);
        table
    }

    fn hold(&mut self, cost: i64, now: u64) -> Result<LeaseId, HoldRefused> {
        let held = self.holds.try_hold(LineItemId(1), FIRST_DAY, price(1, cost), CERTAIN, now)?;
        Ok(held.lease)
    }
}

fn returned(lease: u128, total: i64) -> Return {
    Return { lease: LeaseId(lease), total: nanos(total) }
}

#[test]
fn a_hold_is_the_price_per_impression_or_price_times_chance_times_safety_per_click_rounded_up() {
    let click = |micros, p| hold_amount(Price { micros, per: Unit::Click }, p).nanos();
    assert_eq!(hold_amount(Price { micros: 7, per: Unit::Mille }, CERTAIN), nanos(7));
    assert_eq!(
        click(1_000, Probability::from_f64(0.01)),
        15_001,
        "a hundredth rounds to a little more than one in 2³²"
    );
    assert_eq!(click(1_000, Probability::from_bits(1 << 31)), 750_000);
    assert_eq!(click(1, Probability::from_bits(1)), 1, "never nothing");
    assert_eq!(click(1_000, CERTAIN), 1_500_000, "more than the price, as the formula says");
    assert_eq!(hold_amount(Price { micros: 7, per: Unit::Action }, CERTAIN), Amount::ZERO);
}

#[test]
fn a_lease_is_held_once_and_no_hold_is_made_where_less_than_the_price_is_free() {
    let mut table = Table::with_lease(2_500);
    assert_eq!(table.hold(1_000, 10), Ok(LeaseId(1)));
    assert_eq!(table.hold(1_000, 20), Ok(LeaseId(1)));
    assert_eq!(table.hold(1_000, 30), Err(HoldRefused::Spent));
    assert_eq!(table.hold(500, 40), Ok(LeaseId(1)));
    assert_eq!(table.holds.free(LineItemId(1), FIRST_DAY, 50), Amount::ZERO);
}

#[test]
fn a_lease_makes_holds_for_its_time_after_the_first_send_and_then_returns_what_it_did_not_hold() {
    let mut table = Table::with_lease(2_500);
    assert_eq!(table.hold(1_000, LEASE_MS - 1), Ok(LeaseId(1)));
    assert_eq!(table.hold(1_000, LEASE_MS), Err(HoldRefused::NoLease));
    assert_eq!(table.holds.returns(LEASE_MS), [returned(1, 1_500)]);
    assert_eq!(table.holds.returns(LEASE_MS), [], "once");
}

#[test]
fn a_hold_expires_by_the_databases_time_and_the_time_since_the_first_send() {
    let mut table = Table::with_lease(2_500);
    let held = table.holds.try_hold(LineItemId(1), FIRST_DAY, price(1, 1_000), CERTAIN, 4_000).unwrap();
    assert_eq!(held.hold_expires, START + Duration::seconds(4) + terms().hold_ttl_mille);
    assert_eq!(held.amount, nanos(1_000));
}

#[test]
fn an_unanswered_grant_is_sent_again_under_its_id_until_its_time_is_over() {
    let mut table = Table::new();
    table.holds.want(&entrant(1), 0);
    let first = table.wanted(0);
    assert_eq!(first[0].lease, LeaseId(1));
    assert_eq!(table.wanted(500), [], "not yet");
    assert_eq!(table.wanted(1_000), first);
    table.holds.want(&entrant(1), LEASE_MS);
    assert_eq!(table.wanted(LEASE_MS)[0].lease, LeaseId(2));
    table.grant(1, 700, LEASE_MS);
    assert_eq!(table.holds.returns(LEASE_MS), [returned(1, 700)], "what was granted after all goes back whole");
}

/// A grant that was sent twice is answered twice.
#[test]
fn a_lease_that_is_granted_once_more_is_not_given_back_while_it_is_held() {
    let mut table = Table::with_lease(2_500);
    assert_eq!(table.hold(1_000, 10), Ok(LeaseId(1)));
    table.grant(1, 2_500, 20);
    assert_eq!(table.holds.returns(30), []);
    assert_eq!(table.holds.returns(LEASE_MS), [returned(1, 1_500)]);
    table.grant(1, 2_500, LEASE_MS + 1);
    assert_eq!(table.holds.returns(LEASE_MS + 2), [], "nor afterwards");
}

#[test]
fn a_lease_that_is_granted_after_it_was_refused_goes_back_whole_and_once() {
    let mut table = Table::new();
    table.holds.want(&entrant(1), 0);
    table.wanted(0);
    table.holds.granted(&[GrantAnswer { lease: LeaseId(1), result: Err(GrantRefusal::DayClosed) }], 10);
    table.grant(1, 700, 20);
    table.grant(1, 700, 30);
    assert_eq!(table.holds.returns(40), [returned(1, 700)]);
}

#[test]
fn a_grant_counts_from_its_first_send_however_late_the_answer() {
    let mut table = Table::new();
    table.holds.want(&entrant(1), 0);
    table.wanted(0);
    table.wanted(9_000);
    table.grant(1, 5_000, 9_500);
    assert_eq!(table.hold(1_000, 9_900), Ok(LeaseId(1)));
    assert_eq!(table.hold(1_000, LEASE_MS), Err(HoldRefused::NoLease));
}

#[test]
fn the_next_lease_is_asked_for_before_the_current_one_is_used_up() {
    let mut table = Table::with_lease(4_000);
    assert_eq!(table.wanted(100), [], "nothing held yet");
    for now in 100..104 {
        table.hold(1_000, now).unwrap();
    }
    let next = table.wanted(200);
    assert_eq!(next.len(), 1);
    assert!(next[0].demand > nanos(100_000), "4,000 in a tenth of a second, for ten seconds");
    table.grant(2, 9_000, 250);
    assert_eq!(table.hold(1_000, 260), Ok(LeaseId(2)));
    assert_eq!(table.holds.returns(260), [], "the first was held whole");
}

#[test]
fn a_refused_line_item_rests_before_it_is_asked_for_again() {
    let mut table = Table::new();
    table.holds.want(&entrant(1), 0);
    table.wanted(0);
    let refusal = Err(GrantRefusal::NoFunds(litfass_ledger::Level::LineItem));
    table.holds.granted(&[GrantAnswer { lease: LeaseId(1), result: refusal }], 10);
    table.holds.want(&entrant(1), 20);
    assert_eq!(table.wanted(20), []);
    assert_eq!(table.wanted(1_010).len(), 1);
}

#[test]
fn nobody_asks_for_line_items_that_nobody_wants() {
    let mut table = Table::with_lease(2_500);
    assert_eq!(table.wanted(LEASE_MS - 1), []);
    assert_eq!(table.holds.returns(LEASE_MS), [returned(1, 2_500)]);
    assert_eq!(table.wanted(LEASE_MS), []);
}

#[derive(Clone, Debug)]
enum Act {
    Want(u64),
    Hold(u64, i64),
    /// The last hold is taken back.
    Cancel,
    Answer(usize, Option<i64>),
    Ask,
    Return,
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (1..200_u64).prop_map(Act::Want),
        8 => ((1..200_u64), 1..1_000_i64).prop_map(|(line_item, cost)| Act::Hold(line_item, cost)),
        4 => (0..64_usize, prop::option::weighted(0.8, 1_000..9_000_i64)).prop_map(|(at, n)| Act::Answer(at, n)),
        3 => Just(Act::Ask),
        1 => Just(Act::Return),
        1 => Just(Act::Cancel),
        2 => prop_oneof![9 => 0..2_000_u64, 1 => Just(2_000_000_u64)].prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 50..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is asked, answered, lost and forgotten: of no lease is more held and returned than was granted, and none is
    /// held past its time.
    #[test]
    fn no_lease_gives_more_than_it_has(acts in acts()) {
        let mut table = Table::new();
        let (mut now, mut sent, mut last) = (0, BTreeMap::new(), None);
        let mut granted: BTreeMap<LeaseId, i128> = BTreeMap::new();
        let mut used: BTreeMap<LeaseId, i128> = BTreeMap::new();
        for act in acts {
            match act {
                Act::Want(line_item) => table.holds.want(&entrant(line_item), now),
                Act::Wait(ms) => now += ms,
                Act::Ask => {
                    for request in table.wanted(now) {
                        sent.entry(request.lease).or_insert((now, request.chain.line_item));
                    }
                }
                Act::Answer(at, amount) => {
                    let Some(lease) = sent.keys().nth(at % sent.len().max(1)).copied() else { continue };
                    // What was granted once is granted for good, however often it is said.
                    let amount = granted.get(&lease).map(|n| i64::try_from(*n).unwrap()).or(amount);
                    let result = amount.map(|n| Granted { amount: nanos(n), at: Timestamp(0) });
                    granted.extend(amount.map(|n| (lease, i128::from(n))));
                    let result = result.ok_or(GrantRefusal::DayClosed);
                    table.holds.granted(&[GrantAnswer { lease, result }], now);
                }
                Act::Cancel => {
                    if let Some((line_item, held)) = last.take() {
                        let held: Held = held;
                        table.holds.cancel(line_item, FIRST_DAY, &held);
                        *used.entry(held.lease).or_default() -= held.amount.nanos();
                    }
                }
                Act::Return => {
                    for r in table.holds.returns(now) {
                        *used.entry(r.lease).or_default() += r.total.nanos();
                    }
                }
                Act::Hold(line_item, cost) => {
                    let line_item = LineItemId(line_item);
                    if let Ok(held) = table.holds.try_hold(line_item, FIRST_DAY, price(1, cost), CERTAIN, now) {
                        let (first_sent, of) = sent[&held.lease];
                        prop_assert!(now < first_sent + LEASE_MS && of == line_item);
                        *used.entry(held.lease).or_default() += i128::from(cost);
                        last = Some((line_item, held));
                    }
                }
            }
            for (lease, used) in &used {
                prop_assert!(*used <= granted[lease], "{lease:?}");
            }
        }
    }
}
