//! Single clauses of the money protocol, each with the smallest world that shows it.

use litfass_ledger::{
    Amount, Billable, Claim, CommandId, CommandOutcome, ControlId, Effect, GrantRefusal, HolderId, Level, Limit,
    Membership, Objection, Outcome, PartitionKind, Refused, Remaining, SWEEP_SHARE, Shortage, grant_amount, key_day,
};
use litfass_types::{AdvertiserId, CampaignId, Day, Duration, LeaseId, LineItemId, Timestamp};

use super::desk::{Desk, batch};
use super::driven::Driven;
use super::ids::{DAY, FIRST_DAY, FUNDS_1, START, chain, claim, nanos, terms, window};

const LINE_ITEM: ControlId = ControlId::LineItem(LineItemId(1));
const ACCOUNT: ControlId = ControlId::Account(AdvertiserId(1));

/// A claim of line item 1 that costs 1,000 and draws on that lease.
fn shown(lease: u128, number: u64) -> Claim {
    Claim { lease: LeaseId(lease), ..claim(1, START, number, 0, 1_000) }
}

fn pending(level: Level, late: bool) -> Outcome {
    Outcome::Pending(Shortage { level, late })
}

#[test]
fn a_grant_takes_every_level_or_none() {
    let mut desk = Desk::with_credit(100_000);
    desk.limit_line_item(1, 500);
    let answer = desk.ask(desk.request(1, 1, 5_000));
    assert_eq!(answer.result, Err(GrantRefusal::NoFunds(Level::LineItem)));
    assert_eq!(desk.control(ACCOUNT).leased, Amount::ZERO);
    desk.limit_line_item(1, 8_000);
    assert_eq!(desk.grant(2, 1, 3_000), nanos(6_000));
    assert!(chain(1, FIRST_DAY).controls().iter().all(|id| desk.control(*id).leased == nanos(6_000)));
}

#[test]
fn asking_again_under_the_same_id_changes_nothing() {
    let mut desk = Desk::with_credit(100_000);
    let first = desk.ask(desk.request(1, 1, 2_000));
    desk.now = desk.now + Duration::seconds(5);
    let request = desk.request(1, 1, 9_000);
    assert_eq!(desk.ask(request), first);
    assert_eq!(desk.control(ACCOUNT).leased, nanos(4_000));
    let other = litfass_ledger::GrantRequest { holder: HolderId(2), ..request };
    assert_eq!(desk.ask(other).result, Err(GrantRefusal::IdTaken));
}

#[test]
fn a_day_leases_from_shortly_before_it_begins_until_it_ends() {
    let mut desk = Desk::with_credit(100_000);
    let request = desk.request(1, 1, 1_000);
    let at = |desk: &mut Desk, at: Timestamp| {
        desk.now = at;
        desk.ask(request).result
    };
    assert_eq!(at(&mut desk, window(FIRST_DAY).starts - Duration::minutes(2)), Err(GrantRefusal::DayClosed));
    assert_eq!(at(&mut desk, window(FIRST_DAY).ends), Err(GrantRefusal::DayClosed));
    assert!(at(&mut desk, window(FIRST_DAY).starts - Duration::seconds(30)).is_ok());
}

#[test]
fn the_amount_of_a_grant_follows_demand_and_what_is_scarce() {
    let level =
        |available, total| Remaining { level: Level::LineItem, available: nanos(available), total: nanos(total) };
    let amount = |available, total, demand, holders| {
        grant_amount(&[level(available, total)], nanos(10), nanos(demand), holders).map(Amount::nanos)
    };
    assert_eq!(amount(1_000_000, 1_000_000, 500, 3), Ok(1_000), "twice the demand");
    assert_eq!(amount(90_000, 1_000_000, 500_000, 3), Ok(3_000), "below a tenth: remaining / (holders × 10)");
    assert_eq!(amount(1_000_000, 1_000_000, 0, 3), Ok(10), "at least one unit");
    assert_eq!(amount(29, 1_000_000, 0, 3), Ok(29), "fewer units than holders: all to one");
    assert_eq!(amount(600, 1_000, 5_000, 3), Ok(600), "never more than there is");
    assert_eq!(amount(9, 1_000, 5_000, 3), Err(Level::LineItem), "less than one unit");
}

#[test]
fn an_event_is_billed_from_its_lease_then_from_what_is_available_all_or_nothing() {
    let mut desk = Desk::with_credit(2_500);
    assert_eq!(desk.grant(1, 1, 700), nanos(1_400));
    assert_eq!(desk.outcome(&shown(1, 1)), Outcome::Billed);
    assert_eq!(desk.control(LINE_ITEM).leased, nanos(400));
    assert_eq!(desk.outcome(&shown(1, 2)), Outcome::Billed, "400 of the lease, 600 of what is available");
    assert_eq!(desk.control(LINE_ITEM).leased, Amount::ZERO);
    assert_eq!(desk.outcome(&shown(1, 3)), pending(Level::Account, false));
    assert_eq!(desk.control(ACCOUNT).spent, nanos(2_000), "the 500 left are not taken");
    assert_eq!(desk.broken(), [""; 0]);
}

#[test]
fn a_late_event_draws_on_what_is_available_and_not_on_its_lease() {
    let mut desk = Desk::with_credit(1_000);
    desk.grant(1, 1, 500);
    desk.now = START + Duration::minutes(5);
    assert_eq!(desk.outcome(&shown(1, 1)), pending(Level::Account, true));
}

#[test]
fn a_copy_within_its_hold_lets_the_waiting_original_draw_on_the_lease() {
    let mut desk = Desk::with_credit(1_000);
    desk.ledger.partitions(&[Membership::Open { partition: 1, kind: PartitionKind::Events }]);
    desk.grant(1, 1, 500);
    let late = START + Duration::minutes(5);
    assert_eq!(desk.bill_at(1, late, &[shown(1, 1)]).outcomes, [pending(Level::Account, true)]);
    let copy = desk.bill_at(0, START + Duration::seconds(1), &[shown(1, 1)]);
    assert_eq!(copy.outcomes, [Outcome::Repeated]);
    assert_eq!(copy.settled.claims[0].outcome, Outcome::Billed);
    assert_eq!((desk.control(LINE_ITEM).leased, desk.control(LINE_ITEM).spent), (Amount::ZERO, nanos(1_000)));
    assert_eq!(desk.broken(), [""; 0]);
}

#[test]
fn every_slot_kind_and_order_of_a_decision_bills_once() {
    let mut desk = Desk::with_credit(10_000_000);
    let mut claims = Vec::new();
    for slot in 0..=u8::MAX {
        claims.extend([Billable::Impression, Billable::Viewable, Billable::Click].map(|kind| with(slot, kind, "")));
        claims.extend(["", "A-1", "A-2"].map(|order| with(slot, Billable::Conversion, order)));
    }
    let first = desk.bill(&claims);
    assert!(first.outcomes.iter().all(|outcome| *outcome == Outcome::Billed));
    let again = desk.bill(&claims);
    assert!(again.outcomes.iter().all(|outcome| *outcome == Outcome::Repeated));
    assert_eq!(desk.control(ACCOUNT).spent, nanos(1_000 * 6 * 256));
}

fn with(slot: u8, kind: Billable, order: &str) -> Claim {
    let mut claim = claim(1, START, 7, slot, 1_000);
    (claim.id.kind, claim.id.order) = (kind, order.to_owned());
    claim
}

#[test]
fn an_expired_copy_takes_no_key() {
    let mut desk = Desk::with_credit(10_000);
    let expired = START + Duration::hours(2);
    assert_eq!(desk.bill_at(0, expired, &[shown(1, 1)]).outcomes, [Outcome::Expired]);
    assert_eq!(desk.outcome(&shown(1, 1)), Outcome::Billed, "a copy that was appended in time");
}

#[test]
fn a_day_whose_keys_were_dropped_never_bills_again() {
    let mut desk = Desk::with_credit(10_000);
    assert_eq!(desk.outcome(&shown(1, 1)), Outcome::Billed);
    desk.pass(Timestamp((i64::from(FIRST_DAY.0) + 1) * DAY) + terms().key_life + Duration(1));
    assert_eq!(desk.ledger.sweep().keys_dropped, Some(FIRST_DAY));
    assert!(desk.ledger.book.keys.is_empty());
    let immortal = |number| Claim { token_expires: Timestamp(i64::MAX), ..shown(1, number) };
    assert_eq!(desk.bill_at(0, START, &[immortal(1), immortal(2)]).outcomes, [Outcome::Expired; 2]);
    assert!(desk.ledger.book.keys.is_empty());
}

#[test]
fn a_token_lives_no_longer_than_the_keys_of_its_day() {
    let mut desk = Desk::with_credit(10_000);
    let immortal = Claim { token_expires: Timestamp(i64::MAX), ..shown(1, 1) };
    let end_of_keys = litfass_ledger::key_day_end(key_day(immortal.id.decision)) + terms().key_life;
    desk.now = end_of_keys + Duration(1);
    assert_eq!(desk.outcome(&immortal), Outcome::Expired);
    desk.now = end_of_keys;
    assert_eq!(desk.outcome(&immortal), Outcome::Billed);
}

#[test]
fn a_batch_read_from_elsewhere_than_the_ledger_stands_is_refused_whole() {
    let mut desk = Desk::with_credit(10_000);
    desk.outcome(&shown(1, 1));
    let before = desk.ledger.book.clone();
    let stale = batch(0, 0, START, &[shown(1, 2)]);
    assert_eq!(desk.ledger.bill(&stale), Err(Refused::Position { partition: 0, from: 0, stored: 1 }));
    let ahead = batch(0, 5, START, &[shown(1, 2)]);
    assert_eq!(desk.ledger.bill(&ahead), Err(Refused::Position { partition: 0, from: 5, stored: 1 }));
    let unknown = batch(7, 0, START, &[shown(1, 2)]);
    assert_eq!(desk.ledger.bill(&unknown), Err(Refused::Partition(7)));
    let mut outside = batch(0, 1, START, &[shown(1, 2)]);
    outside.entries[0].position.offset = 9;
    assert!(matches!(desk.ledger.bill(&outside), Err(Refused::Outside(_))));
    assert_eq!(desk.ledger.book, before);
}

#[test]
fn what_waits_is_billed_by_whatever_raises_what_is_available() {
    let raises: [fn(&mut Desk); 5] = [
        |desk| desk.give_back(1, 1_000),
        |desk| desk.limit(Limit::Credit { account: AdvertiserId(1), limit: nanos(9_000) }),
        |desk| {
            desk.command(Effect::Deposit { account: AdvertiserId(1), amount: nanos(1_000) });
        },
        |desk| {
            desk.command(Effect::Adjust { account: AdvertiserId(1), nanos: 1_000 });
        },
        |desk| {
            desk.pass(START + Duration::minutes(2));
            desk.ledger.sweep();
        },
    ];
    for raise in raises {
        let mut desk = Desk::with_credit(1_500);
        desk.grant(1, 1, 500);
        assert_eq!(desk.outcome(&shown(0, 1)), pending(Level::Account, false));
        raise(&mut desk);
        assert!(desk.ledger.book.pending.is_empty());
        assert_eq!(desk.control(LINE_ITEM).spent, nanos(1_000));
        assert_eq!(desk.broken(), [""; 0]);
    }
}

#[test]
fn what_never_fits_ends_unbilled_with_its_reason_at_the_end_of_its_tokens_life() {
    let mut desk = Desk::with_credit(10_000);
    desk.limit_line_item(1, 300);
    assert_eq!(desk.outcome(&shown(1, 1)), pending(Level::LineItem, false));
    desk.pass(START + Duration::hours(1));
    assert!(desk.ledger.sweep().settled.claims.is_empty(), "not before the watermark is past it");
    desk.pass(START + Duration::hours(1) + Duration(1));
    let swept = desk.ledger.sweep();
    let shortage = Shortage { level: Level::LineItem, late: false };
    assert_eq!(swept.settled.claims[0].outcome, Outcome::Unbilled(shortage));
    assert_eq!(desk.broken(), [""; 0]);
}

#[test]
fn a_sweep_takes_as_many_shares_as_there_is_work() {
    let mut desk = Desk::with_credit(10_000_000);
    desk.limit_line_item(1, 300);
    let many = SWEEP_SHARE as u64 * 2 + 5;
    let claims: Vec<Claim> = (0..many).map(|number| shown(1, number)).collect();
    desk.bill(&claims);
    assert_eq!(desk.ledger.book.pending.len() as u64, many);
    desk.pass(START + Duration::hours(20));
    let swept = desk.ledger.sweep();
    assert_eq!(swept.settled.claims.len() as u64, many);
    assert_eq!(swept.keys_dropped, Some(FIRST_DAY), "keys go only after the last of them has ended");
}

#[test]
fn lowering_a_limit_takes_nothing_back_and_lets_nothing_more_out() {
    let mut desk = Desk::with_credit(100_000);
    desk.limit_line_item(1, 5_000);
    desk.grant(1, 1, 1_000);
    desk.outcome(&shown(1, 1));
    desk.limit_line_item(1, 0);
    let control = desk.control(LINE_ITEM);
    assert_eq!((control.ceiling, control.available()), (nanos(2_000), Amount::ZERO));
    assert_eq!(desk.outcome(&shown(1, 2)), Outcome::Billed, "what was leased may still be billed");
    assert_eq!(desk.outcome(&shown(1, 3)), pending(Level::LineItem, false));
}

#[test]
fn a_daily_limit_holds_from_its_day_until_the_next_step() {
    let mut desk = Desk::with_credit(100_000);
    let (account, campaign) = (AdvertiserId(1), CampaignId(1));
    let daily = |from: i32, limit| Limit::CampaignDaily { account, campaign, from: Day(from), limit };
    desk.limit(daily(FIRST_DAY.0, Some(nanos(1_000))));
    assert_eq!(desk.outcome(&shown(1, 1)), Outcome::Billed);
    assert_eq!(desk.outcome(&shown(1, 2)), pending(Level::CampaignDay, false));
    desk.limit(daily(FIRST_DAY.0 + 1, Some(nanos(5_000))));
    assert_eq!(desk.ledger.book.pending.len(), 1, "today is not concerned");
    desk.limit(daily(FIRST_DAY.0, None));
    assert!(desk.ledger.book.pending.is_empty());
    let tomorrow = desk.ledger.book.daily[&campaign].on(Day(FIRST_DAY.0 + 1));
    assert_eq!(tomorrow, litfass_ledger::UNLIMITED, "an earlier step replaces the later ones");
}

#[test]
fn a_command_takes_effect_once() {
    let mut desk = Desk::with_credit(0);
    let deposit = Effect::Deposit { account: AdvertiserId(1), amount: nanos(700) };
    assert_eq!(desk.named(CommandId(77), deposit), Ok(CommandOutcome::Applied));
    assert_eq!(desk.named(CommandId(77), deposit), Ok(CommandOutcome::Repeated));
    assert_eq!(desk.control(ACCOUNT).limit, nanos(700));
    assert_eq!(desk.ledger.book.balances[&FUNDS_1].net(), 700);
}

#[test]
fn a_downward_adjustment_is_refused_beyond_what_is_available() {
    let mut desk = Desk::with_credit(10_000);
    let adjust = |nanos| Effect::Adjust { account: AdvertiserId(1), nanos };
    assert_eq!(desk.grant(1, 1, 1_000), nanos(2_000));
    assert_eq!(desk.command(adjust(-8_001)), CommandOutcome::Refused(Objection::BeyondAvailable));
    assert_eq!(desk.command(adjust(-8_000)), CommandOutcome::Applied);
    assert_eq!(desk.ledger.book.balances[&FUNDS_1].net(), -8_000);
    assert_eq!(desk.command(adjust(i128::MIN)), CommandOutcome::Refused(Objection::OutOfRange));
    assert_eq!(desk.command(adjust(0)), CommandOutcome::Refused(Objection::NothingToMove));
    assert_eq!(desk.broken(), [""; 0]);
}

#[test]
fn a_refund_restores_its_day_only_if_it_was_appended_before_midnight() {
    for (appended, day_restored) in [(START, 400), (window(FIRST_DAY).ends, 0)] {
        let mut desk = Desk::with_credit(10_000);
        desk.outcome(&shown(1, 1));
        desk.now = appended;
        assert_eq!(desk.refund(1, FIRST_DAY, 400), CommandOutcome::Applied);
        let restored = |id: ControlId| desk.control(id).restored;
        assert_eq!((restored(ACCOUNT), restored(LINE_ITEM)), (nanos(400), nanos(400)));
        assert_eq!(restored(ControlId::CampaignDay(CampaignId(1), FIRST_DAY)), nanos(day_restored));
        assert_eq!(desk.ledger.book.balances[&FUNDS_1].net(), -600);
        assert_eq!(desk.broken(), [""; 0]);
    }
}

#[test]
fn a_day_gives_back_no_more_than_was_billed_of_it_though_its_levels_spent_more() {
    let mut desk = Desk::with_credit(10_000);
    desk.bill(&[shown(1, 1), shown(2, 1)]);
    // As if the advertiser's calendar had moved: the same line item was billed on the day after, too.
    let later = Claim { chain: chain(1, Day(FIRST_DAY.0 + 1)), ..shown(1, 2) };
    assert_eq!(desk.outcome(&later), Outcome::Billed);
    assert_eq!(desk.refund(1, FIRST_DAY, 600), CommandOutcome::Applied);
    assert_eq!(desk.refund(1, FIRST_DAY, 600), CommandOutcome::Waiting, "400 are left of that day");
    assert_eq!(desk.refund(1, FIRST_DAY, 400), CommandOutcome::Applied);
    assert_eq!(desk.refund(1, Day(FIRST_DAY.0 + 2), 1), CommandOutcome::Waiting, "nothing was billed on that one");
    assert_eq!(desk.control(LINE_ITEM).restored, nanos(1_000));
    assert_eq!(desk.broken(), [""; 0]);
}

#[test]
fn a_refund_of_more_than_was_spent_waits_for_billing_and_is_refused_once_the_watermark_is_past_it() {
    let mut desk = Desk::with_credit(10_000);
    assert_eq!(desk.refund(1, FIRST_DAY, 1_000), CommandOutcome::Waiting);
    assert_eq!(desk.refund(1, FIRST_DAY, 900), CommandOutcome::Waiting);
    let billed = desk.bill(&[shown(1, 1)]);
    assert_eq!(billed.settled.refunds.len(), 1, "the first fits now, the second does not");
    assert_eq!(desk.control(ACCOUNT).restored, nanos(1_000));
    desk.pass(START + Duration(1));
    let refused = CommandOutcome::Refused(Objection::BeyondSpent);
    assert_eq!(desk.ledger.sweep().settled.refunds.iter().map(|(_, outcome)| *outcome).collect::<Vec<_>>(), [refused]);
}

#[test]
fn a_lease_closes_only_when_every_live_partition_was_read_past_its_expiry() {
    let mut desk = Desk::with_credit(10_000);
    desk.ledger.partitions(&[Membership::Open { partition: 1, kind: PartitionKind::Events }]);
    desk.grant(1, 1, 1_000);
    let expires = START + terms().lease_ttl + terms().hold_ttl_mille;
    desk.pass(expires + Duration(1));
    assert!(desk.ledger.sweep().closed.is_empty(), "partition 1 was not read at all");
    desk.bill_at(1, expires, &[shown(1, 1)]);
    assert!(desk.ledger.sweep().closed.is_empty(), "an event appended within its hold may still follow");
    desk.ledger.partitions(&[Membership::Seal { partition: 1, end: 2 }]);
    assert!(desk.ledger.sweep().closed.is_empty(), "sealed, but not read to its end");
    desk.bill_at(1, expires, &[shown(1, 2)]);
    assert_eq!(desk.ledger.sweep().closed, [LeaseId(1)]);
    assert_eq!((desk.control(ACCOUNT).leased, desk.control(ACCOUNT).spent), (Amount::ZERO, nanos(2_000)));
}

#[test]
fn returns_are_totals_that_never_fall_and_never_exceed_what_is_left() {
    let mut desk = Desk::with_credit(10_000);
    desk.grant(1, 1, 2_000);
    for (total, leased) in [(1_000, 3_000), (400, 3_000), (1_000, 3_000), (9_000, 0)] {
        desk.give_back(1, total);
        assert_eq!(desk.control(LINE_ITEM).leased, nanos(leased));
    }
    desk.give_back(2, 500);
    assert_eq!(desk.broken(), [""; 0], "an unknown lease has nothing left");
}
