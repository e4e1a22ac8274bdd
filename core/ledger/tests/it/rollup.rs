//! Figures for reports against a naive count of the log: every event once, orders to the last click, money as billed.

use std::collections::{BTreeMap, BTreeSet};

use litfass_ledger::{
    Amount, Asked, Batch, Billable, Book, Buyer, ClaimId, Consumed, Country, Entry, Facet, Figures, Limit, Order,
    OrderId, Quarter, Sighting, Slice, Spot, Terms, Viewer, execute,
};
use litfass_ledger::{
    Bill, Claim, Command, CommandEntry, CommandId, Commands, Effect, Membership, Note, PartitionKind,
};
use litfass_types::{
    AdId, AdvertiserId, CreativeId, DecisionId, Duration, LeaseId, PlacementId, Position, Timestamp, Traffic, UserHash,
};
use proptest::prelude::*;

use crate::ids::{ADMIN_PARTITION, START, TENANT, chain, day_of, price};

/// One line of a small log, a second after the one before.
#[derive(Clone, Debug)]
enum Line {
    /// An event of one of a few shown slots.
    Event {
        slot: u8,
        kind: Billable,
    },
    /// An order of a viewer, sometimes with the token of a slot.
    Order {
        user: u8,
        token: Option<u8>,
        number: u8,
        value: i64,
    },
    Asked {
        placement: u8,
        slots: u64,
    },
}

const SLOTS: u8 = 12;

fn line() -> impl Strategy<Value = Line> {
    let kind = prop_oneof![Just(Billable::Impression), Just(Billable::Viewable), Just(Billable::Click)];
    prop_oneof![
        6 => (0..SLOTS, kind).prop_map(|(slot, kind)| Line::Event { slot, kind }),
        2 => (0..3_u8, proptest::option::weighted(0.3, 0..SLOTS), 0..6_u8, -5..50_i64)
            .prop_map(|(user, token, number, value)| Line::Order { user, token, number, value }),
        1 => (0..3_u8, 1..5_u64).prop_map(|(placement, slots)| Line::Asked { placement, slots }),
    ]
}

/// What is known of a slot: whose it is, who saw it, what it costs and for what.
fn user_of(slot: u8) -> Option<UserHash> {
    (slot % 4 != 3).then(|| UserHash { key_version: 1, hash: u128::from(slot % 4) })
}

fn line_item_of(slot: u8) -> u64 {
    1 + u64::from(slot % 2) // the first pays per mille, the second per click
}

fn bills(slot: u8) -> Billable {
    if line_item_of(slot) == 1 { Billable::Impression } else { Billable::Click }
}

fn facet(slot: u8, at: Timestamp) -> Facet {
    Facet {
        quarter: Quarter::of(at),
        ad: AdId(slot.into()),
        creative: CreativeId(7),
        placement: PlacementId(u64::from(slot % 3)),
        country: Country::of(["DE", "US-CA", ""][usize::from(slot % 3)]),
        traffic: if slot == 5 { Traffic::Crawler } else { Traffic::Human },
    }
}

fn slice(slot: u8, at: Timestamp) -> Slice {
    Slice::new(TENANT, &chain(line_item_of(slot), day_of(START)), facet(slot, at))
}

fn id(slot: u8, kind: Billable) -> ClaimId {
    ClaimId { decision: DecisionId::new(START, 0, slot.into()), slot, kind, order: String::new() }
}

fn terms() -> Terms {
    Terms { conversion_window: Duration::seconds(20), order_life: Duration::seconds(40), ..Terms::default() }
}

fn appended(offset: usize) -> Timestamp {
    START + Duration::seconds(i64::try_from(offset).unwrap()) + Duration::minutes(14)
}

const FUNDS: i128 = 20_000;
const PRICE: i64 = 1_000;

fn order_id(user: u8, token: Option<u8>, number: u8) -> OrderId {
    let known = token.map_or(Some(UserHash { key_version: 1, hash: user.into() }), user_of);
    let buyer = match (known, token) {
        (Some(user), _) => Buyer::Viewer(Viewer { tenant: TENANT, user }),
        (None, token) => Buyer::Slot(TENANT, DecisionId::new(START, 0, token.unwrap_or(0).into()), token.unwrap_or(0)),
    };
    OrderId { buyer, order: number.to_string() }
}

fn take(batch: &mut Batch, offset: usize, line: &Line) {
    let (position, at) = (Position { partition: 0, offset: offset as u64 }, appended(offset));
    match *line {
        Line::Event { slot, kind } if kind == bills(slot) && slot != 5 => batch.entries.push(Entry {
            position,
            appended: at,
            claim: Claim {
                id: id(slot, kind),
                tenant: TENANT,
                chain: chain(line_item_of(slot), day_of(START)),
                facet: facet(slot, at),
                viewer: user_of(slot),
                price: price(line_item_of(slot), PRICE),
                lease: LeaseId(0),
                hold_expires: START,
                token_expires: START + Duration::hours(1),
            },
        }),
        Line::Event { slot, kind } => batch.sightings.push(Sighting {
            position,
            appended: at,
            id: id(slot, kind),
            slice: slice(slot, at),
            viewer: user_of(slot),
            token_expires: START + Duration::hours(1),
        }),
        Line::Order { user, token, number, value } => batch.orders.push(Order {
            position,
            appended: at,
            id: order_id(user, token, number),
            click: token.map(|slot| slice(slot, at)),
            at,
            value_micros: value,
        }),
        Line::Asked { placement, slots } => {
            let sum = batch.asked.entry(spot(placement, at)).or_default();
            *sum = sum.plus(&Asked { requests: 1, eligible: 1, slots, filled: 1 }).unwrap();
        }
    }
}

fn spot(placement: u8, at: Timestamp) -> Spot {
    let country = Country::of("DE");
    Spot {
        tenant: TENANT,
        quarter: Quarter::of(at),
        placement: PlacementId(placement.into()),
        country,
        traffic: Traffic::Human,
    }
}

/// Counts with nothing but sets and loops; spend is compared with the ledger instead.
fn naive(lines: &[Line]) -> (BTreeMap<Slice, Figures>, BTreeMap<Spot, Asked>) {
    let (mut delivered, mut asked) = (BTreeMap::<Slice, Figures>::new(), BTreeMap::<Spot, Asked>::new());
    let mut seen = BTreeSet::new();
    let mut clicks: BTreeMap<UserHash, (Timestamp, u8)> = BTreeMap::new();
    let mut orders: BTreeMap<OrderId, Timestamp> = BTreeMap::new();
    for (offset, line) in lines.iter().enumerate() {
        let at = appended(offset);
        match *line {
            Line::Event { slot, kind } => {
                if !seen.insert((slot, kind)) {
                    continue;
                }
                let figures = delivered.entry(slice(slot, at)).or_default();
                match kind {
                    Billable::Impression => figures.impressions += 1,
                    Billable::Viewable => figures.viewables += 1,
                    Billable::Click => figures.clicks += 1,
                    Billable::Conversion => {}
                }
                if let (Billable::Click, Some(user), true) = (kind, user_of(slot), slot != 5) {
                    clicks.insert(user, (at, slot));
                }
            }
            Line::Order { user, token, number, value } => {
                let id = order_id(user, token, number);
                if orders.get(&id).is_some_and(|first| at - *first <= Duration::seconds(40)) {
                    continue;
                }
                orders.insert(id, at);
                let user = UserHash { key_version: 1, hash: user.into() };
                let last = clicks.get(&user).filter(|(clicked, _)| at - *clicked <= Duration::seconds(20));
                let Some(slot) = token.or(last.map(|(_, slot)| *slot)) else { continue };
                let figures = delivered.entry(slice(slot, at)).or_default();
                figures.conversions += 1;
                figures.value_micros += i128::from(value);
            }
            Line::Asked { placement, slots } => {
                let sum = asked.entry(spot(placement, at)).or_default();
                *sum = Asked {
                    requests: sum.requests + 1,
                    eligible: sum.eligible + 1,
                    slots: sum.slots + slots,
                    filled: sum.filled + 1,
                };
            }
        }
    }
    (delivered, asked)
}

fn funded() -> Book {
    let mut book = Book::default();
    let open = |partition, kind| Membership::Open { partition, kind };
    let changes = [open(0, PartitionKind::Events), open(ADMIN_PARTITION, PartitionKind::Admin)];
    execute(&mut book, &&changes[..]).unwrap();
    let credit = |account: u64| {
        let limit = Amount::new(FUNDS).unwrap();
        let effect = Effect::SetLimit(Limit::Credit { account: AdvertiserId(account), limit });
        Command { id: CommandId(account.into()), tenant: TENANT, effect, note: Note::default() }
    };
    let entries = (0..2_u64).map(|offset| CommandEntry {
        position: Position { partition: ADMIN_PARTITION, offset },
        appended: START,
        command: credit(offset + 1),
    });
    let consumed = Consumed { partition: ADMIN_PARTITION, from: 0, next: 2, appended: START };
    let commands = Commands { consumed, entries: entries.collect() };
    execute(&mut book, &litfass_ledger::Apply { commands: &commands }).unwrap();
    book
}

fn billed(lines: &[Line], cuts: &[usize]) -> Book {
    let (mut book, mut from) = (funded(), 0);
    for next in cuts.iter().copied().chain([lines.len()]).filter(|cut| *cut <= lines.len()) {
        if next <= from {
            continue;
        }
        let mut batch = Batch::default();
        lines[from..next].iter().enumerate().for_each(|(n, line)| take(&mut batch, from + n, line));
        batch.consumed =
            vec![Consumed { partition: 0, from: from as u64, next: next as u64, appended: appended(next - 1) }];
        execute(&mut book, &Bill { batch: &batch, terms: &terms() }).unwrap();
        from = next;
    }
    book
}

proptest! {
    #[test]
    fn figures_are_a_naive_count_of_the_log_however_it_is_cut(
        lines in proptest::collection::vec(line(), 1..120),
        mut cuts in proptest::collection::vec(0..120_usize, 0..6),
    ) {
        cuts.sort_unstable();
        let book = billed(&lines, &cuts);
        let (delivered, asked) = naive(&lines);
        let counted: BTreeMap<Slice, Figures> = book.rollup.delivered.iter()
            .map(|(slice, figures)| (*slice, Figures { spent: Amount::ZERO, ..*figures }))
            .filter(|(_, figures)| *figures != Figures::default())
            .collect();
        let expected: BTreeMap<_, _> = delivered.into_iter().filter(|(_, figures)| *figures != Figures::default()).collect();
        prop_assert_eq!(counted, expected);
        prop_assert_eq!(&book.rollup.asked, &asked);
        let spent: i128 = book.rollup.delivered.values().map(|figures| figures.spent.nanos()).sum();
        let posted: i128 = book.tallies.values().map(|tally| tally.billed.amount.nanos()).sum();
        prop_assert_eq!(spent, posted);
        let violations = litfass_ledger::check::violations(&litfass_ledger::check::Audit::of(&book));
        prop_assert!(violations.is_empty(), "{violations:?}");
    }
}

#[test]
fn a_country_is_read_from_any_place_and_from_nothing_else() {
    let name = |place: &str| Country::of(place).name().to_owned();
    assert_eq!((name("US-CA/Fresno"), name("DE")), ("US".to_owned(), "DE".to_owned()));
    for place in ["", "U", "USA", "de", "ÄÖ", "12-X"] {
        assert_eq!(name(place), "", "{place}");
    }
}
