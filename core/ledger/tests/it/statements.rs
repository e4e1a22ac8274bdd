//! Statements: a month closes where the next one opens, and all of them add up to what the account holds.

use litfass_ledger::{
    Account, Amount, Command, CommandEntry, CommandId, CommandOutcome, CommandRecord, Control, Count, Days, Effect,
    Funding, Note, carried,
};
use litfass_types::{AdvertiserId, Day, Position, Timestamp};
use proptest::prelude::*;

use crate::ids::{DAY, TENANT, chain, nanos};

const ACCOUNT: AdvertiserId = AdvertiserId(1);
const DAYS: i32 = 100;

fn day_of(at: Timestamp) -> Day {
    Day(i32::try_from(at.0.div_euclid(DAY)).unwrap())
}

fn moved(number: u64, day: i32, effect: Effect) -> CommandRecord {
    let command = Command { id: CommandId(number.into()), tenant: TENANT, effect, note: Note::default() };
    let position = Position { partition: 9, offset: number };
    let entry = CommandEntry { position, appended: Timestamp(i64::from(day) * DAY + 1), command };
    CommandRecord { entry, outcome: CommandOutcome::Applied }
}

fn account(charges: &[(i32, u64, i64)], moves: &[(i32, i64)]) -> Account {
    let charge = |(day, line_item, amount): &(i32, u64, i64)| {
        (chain(*line_item, Day(*day)), Count { events: 1, amount: nanos(*amount) })
    };
    let billed: Vec<_> = charges.iter().map(charge).collect();
    let spent: i128 = billed.iter().map(|(_, count)| count.amount.nanos()).sum();
    let record = |(number, (day, amount)): (u64, &(i32, i64))| {
        let effect = match number % 3 {
            0 if *amount > 0 => Effect::Deposit { account: ACCOUNT, amount: nanos(*amount) },
            1 if *amount > 0 => {
                Effect::Refund { chain: chain(1, Day(*day)), day_ends: Timestamp(0), amount: nanos(*amount) }
            }
            _ => Effect::Adjust { account: ACCOUNT, nanos: (*amount).into() },
        };
        moved(number, *day, effect)
    };
    let mut control = Control::with_limit(Amount::MAX);
    control.spent = Amount::new(spent).unwrap();
    let moves = (0..).zip(moves).map(record).collect();
    Account { id: ACCOUNT, funding: Funding::default(), control, moves, billed }
}

proptest! {
    #[test]
    fn months_follow_each_other_to_the_nano_and_add_up_to_the_balance(
        charges in proptest::collection::vec((0..DAYS, 1..4_u64, 1..5_000_i64), 0..60),
        moves in proptest::collection::vec((0..DAYS, -3_000..9_000_i64), 0..30),
        mut cuts in proptest::collection::vec(1..DAYS, 0..5),
    ) {
        cuts.sort_unstable();
        let account = account(&charges, &moves);
        let ends = cuts.iter().copied().chain([DAYS]);
        let mut from = 0;
        let mut closing = 0_i128;
        for to in ends {
            let statement = account.statement(Days { from: Day(from), to: Day(to) }, day_of);
            prop_assert_eq!(statement.opening, closing);
            let (micros, residue) = carried(statement.opening);
            prop_assert_eq!(micros * 1_000 + residue, statement.opening);
            prop_assert!((0..1_000).contains(&residue));
            prop_assert!(statement.charges.is_sorted());
            let charged: i128 = statement.charges.iter().map(|charge| charge.amount.nanos()).sum();
            let moved: i128 = statement.moves.iter().map(|m| m.nanos).sum();
            prop_assert_eq!(statement.opening + moved - charged, statement.closing);
            (closing, from) = (statement.closing, to);
        }
        prop_assert_eq!(closing, account.balance());
    }
}

#[test]
fn what_is_refundable_is_what_was_charged_and_not_given_back() {
    let charges = [(1, 1, 500), (2, 1, 300), (2, 2, 200)];
    let mut account = account(&charges, &[]);
    let effect = |amount| Effect::Refund { chain: chain(1, Day(1)), day_ends: Timestamp(0), amount: nanos(amount) };
    account.moves.push(moved(1, 5, effect(200)));
    let left = account.refundable(|of| of.line_item == chain(1, Day(0)).line_item);
    assert_eq!(left, [(chain(1, Day(1)), nanos(300)), (chain(1, Day(2)), nanos(300))]);
    account.moves.push(moved(2, 5, effect(300)));
    assert_eq!(account.refundable(|of| of.day == Day(1)), []);
    account.moves.push(moved(3, 5, effect(1)));
    assert_eq!(account.refundable(|of| of.day == Day(1)), [], "more was given back than charged: nothing is left");
}
