//! Bodies of every kind, with every field taking every value that it may.

use litfass_catalog::CapScope;
use litfass_decide::{
    AdRequest, CandidateRecord, Context, DecisionRecord, Full, Gathered, Inputs, Market, PlacementRequest, ShownRecord,
    StageName, WorldVersion,
};
use litfass_events::{
    Billable, Conversion, Delivery, EventKind, Funds, ItemView, PacingTable, Privacy, Purchased, Token, Wish,
};
use litfass_features::{AdRows, AdSignal, Interaction, InteractionKind, Viewer, ViewerBlock, ViewerProfile};
use litfass_ledger::{Amount, Chain, Command, CommandId, Effect, Limit, Note};
use litfass_market::{AuctionPlacement, Entrant, PricedBy, Refusal};
use litfass_policy::{CapCounts, CapKey};
use litfass_store::wire::Body;
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CatalogVersion, CreativeId, Day, DecisionId, Device, Duration, Fate, Ineligible,
    LeaseId, LineItemId, Nanos, Os, PPM, PlacementId, Port, Position, Prediction, Price, Probability, Row, Seed,
    TenantId, Timestamp, Unit, UserHash, Value,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(super) fn body() -> impl Strategy<Value = Body> {
    let deliveries = select(vec![EventKind::Impression, EventKind::Viewable, EventKind::Click]);
    prop_oneof![
        decision().prop_map(|record| Body::Decision(Box::new(record))),
        (deliveries, token()).prop_map(|(kind, token)| Body::Delivery(Box::new(Delivery { kind, token }))),
        conversion().prop_map(|conversion| Body::Conversion(Box::new(conversion))),
        view().prop_map(Body::ItemView),
        command().prop_map(Body::Command),
        pacing().prop_map(Body::Pacing),
        privacy().prop_map(Body::Privacy),
    ]
}

fn privacy() -> impl Strategy<Value = Privacy> {
    (any::<u64>(), user(), select(Wish::ALL.to_vec())).prop_map(|(tenant, user, wish)| Privacy {
        tenant: TenantId(tenant),
        user,
        wish,
    })
}

pub(super) fn plain_view() -> Body {
    let user = UserHash { key_version: 1, hash: 2 };
    Body::ItemView(ItemView { tenant: TenantId(1), user, item: 3, category: None })
}

fn price() -> impl Strategy<Value = Price> {
    let unit = select(vec![Unit::Mille, Unit::Click, Unit::Action]);
    (0..=Price::MAX_MICROS, unit).prop_map(|(micros, per)| Price { micros, per })
}

fn probability() -> impl Strategy<Value = Probability> {
    any::<u32>().prop_map(Probability::from_bits)
}

fn user() -> impl Strategy<Value = UserHash> {
    any::<(u8, u128)>().prop_map(|(key_version, hash)| UserHash { key_version, hash })
}

fn fate() -> impl Strategy<Value = Fate> {
    select(Fate::ALL)
}

fn token() -> impl Strategy<Value = Token> {
    let billable = select(vec![Billable::Impression, Billable::Viewable]);
    let ids = any::<(u128, u8, u8, [u64; 7], u128)>();
    let money = (price(), billable, any::<i32>(), any::<i64>(), any::<i64>());
    let viewer = ("[A-Z]{2}(-[A-Z]{1,3}(/[a-z]{1,9})?)?", option::of(user()), any::<[Option<u64>; 2]>(), probability());
    (ids, money, viewer).prop_map(|(ids, money, viewer)| {
        let (decision, slot, rank, [tenant, advertiser, campaign, line_item, ad, creative, placement], lease) = ids;
        let (price, billable, day, hold_expires, expires) = money;
        let (geo, user, [item, category], click) = viewer;
        Token {
            decision: DecisionId(decision),
            traffic: litfass_types::Traffic::ALL[usize::from(slot) % 5],
            slot,
            rank,
            tenant: TenantId(tenant),
            advertiser: AdvertiserId(advertiser),
            campaign: CampaignId(campaign),
            line_item: LineItemId(line_item),
            ad: AdId(ad),
            creative: CreativeId(creative),
            placement: PlacementId(placement),
            geo,
            price,
            billable,
            lease: LeaseId(lease),
            budget_day: Day(day),
            hold_expires: Timestamp(hold_expires),
            expires: Timestamp(expires),
            user,
            item,
            category,
            click,
        }
    })
}

fn conversion() -> impl Strategy<Value = Conversion> {
    let item = any::<(u64, Option<u64>, u32)>();
    let items = vec(item.prop_map(|(item, category, quantity)| Purchased { item, category, quantity }), 0..5);
    let parts = (any::<u64>(), option::of(user()), option::of(token()), "\\PC{1,16}", any::<i64>(), items);
    parts.prop_map(|(tenant, user, click, order_id, value_micros, items)| {
        let tenant = TenantId(tenant);
        Conversion { tenant, user, click, order_id, value_micros, items }
    })
}

fn view() -> impl Strategy<Value = ItemView> {
    let parts = (any::<u64>(), user(), any::<u64>(), any::<Option<u64>>());
    parts.prop_map(|(tenant, user, item, category)| ItemView { tenant: TenantId(tenant), user, item, category })
}

fn amount() -> impl Strategy<Value = Amount> {
    (0..=Amount::MAX.nanos()).prop_map(|nanos| Amount::new(nanos).unwrap())
}

fn effect() -> impl Strategy<Value = Effect> {
    let chain = any::<(u64, u64, u64, i32)>().prop_map(|(account, campaign, line_item, day)| Chain {
        account: AdvertiserId(account),
        campaign: CampaignId(campaign),
        line_item: LineItemId(line_item),
        day: Day(day),
    });
    let account = || any::<u64>().prop_map(AdvertiserId);
    let campaign = || any::<u64>().prop_map(CampaignId);
    let limit = || option::of(amount());
    prop_oneof![
        (account(), amount()).prop_map(|(account, amount)| Effect::Deposit { account, amount }),
        (account(), any::<i128>()).prop_map(|(account, nanos)| Effect::Adjust { account, nanos }),
        (chain, any::<i64>(), amount()).prop_map(|(chain, ends, amount)| Effect::Refund {
            chain,
            day_ends: Timestamp(ends),
            amount
        }),
        (account(), amount()).prop_map(|(account, limit)| Effect::SetLimit(Limit::Credit { account, limit })),
        (account(), campaign(), limit()).prop_map(|(account, campaign, limit)| {
            Effect::SetLimit(Limit::CampaignLifetime { account, campaign, limit })
        }),
        (account(), campaign(), any::<i32>(), limit()).prop_map(|(account, campaign, from, limit)| {
            Effect::SetLimit(Limit::CampaignDaily { account, campaign, from: Day(from), limit })
        }),
        (account(), any::<u64>(), limit()).prop_map(|(account, line_item, limit)| {
            Effect::SetLimit(Limit::LineItem { account, line_item: LineItemId(line_item), limit })
        }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let note = ("[a-z ü]{0,40}", "[a-z ü]{0,40}").prop_map(|(by, reason)| Note { by, reason });
    let parts = (any::<u128>(), any::<u64>(), effect(), note);
    parts.prop_map(|(id, tenant, effect, note)| Command { id: CommandId(id), tenant: TenantId(tenant), effect, note })
}

fn pacing() -> impl Strategy<Value = PacingTable> {
    let row = (any::<u64>().prop_map(LineItemId), 0..=PPM);
    let ids = || vec(any::<u64>().prop_map(LineItemId), 0..9);
    let funds = option::of((ids(), ids()).prop_map(|(gained, lost)| Funds { gained, lost }));
    let parts = (any::<u64>(), any::<bool>(), vec(row, 0..20), funds);
    parts.prop_map(|(number, full, multipliers_ppm, funds)| {
        let by_requests = multipliers_ppm.iter().step_by(2).map(|(line_item, _)| *line_item).collect();
        PacingTable { number, full, multipliers_ppm, by_requests, funds }
    })
}

fn decision() -> impl Strategy<Value = DecisionRecord> {
    let head = (any::<u128>(), inputs(), market(), vec(refusal(), 0..3));
    let shown = (block(), vec(shown(), 0..4), rows());
    let counts = vec(vec((fate(), any::<u32>()), 0..5), 0..3);
    let timings = vec((select(StageName::ALL.to_vec()), any::<u32>()), 0..5);
    (head, shown, counts, option::of(full()), timings).prop_map(|(head, shown, counts, full, timings)| {
        let (id, inputs, market, refused) = head;
        let (viewer, shown, rows) = shown;
        DecisionRecord { id: DecisionId(id), inputs, market, refused, viewer, shown, rows, counts, full, timings }
    })
}

fn inputs() -> impl Strategy<Value = Inputs> {
    let degraded = vec(select(Port::ALL.to_vec()), 0..3);
    let head = (request(), any::<i64>(), any::<u64>(), world());
    (head, degraded, option::of(position()), option::of(position())).prop_map(|(head, degraded, viewer, caps)| {
        let (request, now, seed, world) = head;
        let (now, seed) = (Timestamp(now), Seed(seed));
        Inputs { request, now, seed, world, degraded, viewer_as_of: viewer, caps_as_of: caps }
    })
}

fn position() -> impl Strategy<Value = Position> {
    any::<(u16, u64)>().prop_map(|(partition, offset)| Position { partition, offset })
}

fn request() -> impl Strategy<Value = AdRequest> {
    let placement = any::<(u64, u8, i64)>();
    let placements =
        placement.prop_map(|(id, slots, floor)| PlacementRequest { id: PlacementId(id), slots, floor: Nanos(floor) });
    let parts =
        (option::of("\\PC{0,20}"), any::<u64>(), option::of(user()), any::<bool>(), vec(placements, 0..4), context());
    parts.prop_map(|(request_id, tenant, user, personalise, placements, context)| {
        let tenant = TenantId(tenant);
        AdRequest { request_id, tenant, user, personalise, traffic: litfass_types::Traffic::Staff, placements, context }
    })
}

fn context() -> impl Strategy<Value = Context> {
    let text = || option::of("\\PC{0,12}");
    let texts = || vec("\\PC{0,12}", 0..4);
    let fixed = (option::of(select(Device::ALL)), option::of(select(Os::ALL)), text(), text(), text(), text());
    let lists = (texts(), texts(), texts(), vec(("[a-z]{1,5}", "\\PC{0,5}"), 0..4));
    (fixed, lists).prop_map(|(fixed, lists)| {
        let (device, os, country, region, city, url) = fixed;
        let (categories, keywords, segments, key_values) = lists;
        Context { device, os, country, region, city, url, categories, keywords, segments, key_values }
    })
}

fn world() -> impl Strategy<Value = WorldVersion> {
    let parts = (any::<(u32, u64)>(), any::<[u8; 32]>(), any::<[u8; 32]>(), any::<(u64, u64)>(), "[0-9]{4}[a-z]");
    parts.prop_map(|((timeline, sequence), profile, rules, (pacing, signals), time_zones)| WorldVersion {
        catalog: CatalogVersion { timeline, sequence },
        profile,
        rules,
        pacing,
        signals,
        time_zones,
    })
}

fn market() -> impl Strategy<Value = Market> {
    let placement = any::<(u8, i64, u8)>().prop_map(|(slots, floor, max_per_advertiser)| AuctionPlacement {
        slots,
        floor: Nanos(floor),
        max_per_advertiser,
    });
    let prediction = (probability(), probability()).prop_map(|(click, conversion)| Prediction { click, conversion });
    let rows = vec((entrant(), prediction), 0..6);
    (any::<u32>(), vec(placement, 0..3), rows).prop_map(|(exploration_ppm, placements, rows)| {
        let (entrants, predictions): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        Market { exploration_ppm, placements, entrants: entrants.into_iter().collect(), predictions }
    })
}

fn entrant() -> impl Strategy<Value = Entrant> {
    (any::<(u16, u64, u64, u64)>(), price(), any::<(u32, u32, u64, u64)>()).prop_map(|(ids, bid, rest)| {
        let (row, ad, line_item, advertiser) = ids;
        let (pacing_ppm, quality_ppm, exclusions, admitted) = rest;
        Entrant {
            row: Row(row),
            ad: AdId(ad),
            line_item: LineItemId(line_item),
            advertiser: AdvertiserId(advertiser),
            bid,
            pacing_ppm,
            quality_ppm,
            exclusions,
            admitted,
        }
    })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    (any::<u16>(), fate()).prop_map(|(row, fate)| Refusal { row: Row(row), fate })
}

/// Numbers that equal themselves: a feature is never NaN.
fn numbers() -> impl Strategy<Value = Vec<f32>> {
    vec(any::<i32>().prop_map(|n| f32::from_bits(n.unsigned_abs() % 0x7f80_0000)), 0..6)
}

fn block() -> impl Strategy<Value = ViewerBlock> {
    let ids = || vec(any::<u64>(), 0..6);
    let parts = (numbers(), ids(), ids(), ids());
    parts.prop_map(|(numbers, ids, items, categories)| ViewerBlock { numbers, ids, items, categories })
}

fn rows() -> impl Strategy<Value = AdRows> {
    (numbers(), vec(any::<u64>(), 0..6)).prop_map(|(numbers, ids)| AdRows { numbers, ids })
}

fn shown() -> impl Strategy<Value = ShownRecord> {
    let place = any::<(u16, u8, u64, u8, [u64; 5])>();
    let money = (any::<i128>(), price(), any::<Option<u16>>(), any::<bool>(), probability(), probability());
    (place, money, any::<(u128, i64)>()).prop_map(|(place, money, (lease, hold_expires))| {
        let (row, placement, placement_id, slot, [ad, creative, line_item, campaign, advertiser]) = place;
        let (value, price, rival, explored, propensity, click_in_slot) = money;
        ShownRecord {
            row: Row(row),
            placement,
            placement_id: PlacementId(placement_id),
            slot,
            ad: AdId(ad),
            creative: CreativeId(creative),
            line_item: LineItemId(line_item),
            campaign: CampaignId(campaign),
            advertiser: AdvertiserId(advertiser),
            value: Value(value),
            price,
            priced_by: rival.map_or(PricedBy::Floor, |row| PricedBy::Rival(Row(row))),
            explored,
            propensity,
            click_in_slot,
            lease: LeaseId(lease),
            hold_expires: Timestamp(hold_expires),
        }
    })
}

fn full() -> impl Strategy<Value = Full> {
    let ids = any::<(u64, u64, u16, i128)>();
    let candidate = (ids, probability(), vec(fate(), 0..3), signal()).prop_map(
        |((ad, line_item, sources, value), click, fates, signal)| {
            let (ad, line_item, value) = (AdId(ad), LineItemId(line_item), Value(value));
            CandidateRecord { ad, line_item, sources, signal, click, value, fates }
        },
    );
    let ineligible = vec((select(Ineligible::ALL), any::<u32>()), 0..4);
    let parts = (vec(candidate, 0..5), ineligible, option::of(gathered()));
    parts.prop_map(|(candidates, ineligible, gathered)| Full { gathered, candidates, ineligible })
}

/// Often the same.
fn signal() -> impl Strategy<Value = AdSignal> {
    (0_u8..2, -9.0_f32..9.0).prop_map(|(kind, rate)| match kind {
        0 => AdSignal::default(),
        _ => AdSignal { click_rate: rate, ..AdSignal::default() },
    })
}

fn gathered() -> impl Strategy<Value = Gathered> {
    let scope = any::<u64>().prop_flat_map(|id| {
        let (line_item, campaign) = (CapScope::LineItem(LineItemId(id)), CapScope::Campaign(CampaignId(id)));
        select(vec![CapScope::Ad(AdId(id)), line_item, campaign, CapScope::Advertiser(AdvertiserId(id))])
    });
    let count = (scope, any::<i64>(), 1_u32..100)
        .prop_map(|(scope, window, count)| (CapKey { scope, window: Duration(window) }, count));
    let caps = vec(count, 0..5).prop_map(|counts| counts.into_iter().collect::<CapCounts>());
    let caps = prop_oneof![8 => caps, 1 => Just(CapCounts::unknown())];
    (option::of(viewer()), option::of(caps)).prop_map(|(viewer, caps)| Gathered { viewer, caps })
}

/// What some interactions in the order of time leave behind.
fn viewer() -> impl Strategy<Value = Viewer> {
    let kinds = vec![InteractionKind::View, InteractionKind::Click, InteractionKind::Purchase];
    let interaction = (0_i64..1_000, select(kinds), 0_u64..9, 0_u64..4);
    vec(interaction, 0..20).prop_map(|mut interactions| {
        let mut profile = ViewerProfile::default();
        interactions.sort_unstable_by_key(|(time, ..)| *time);
        for (time, kind, item, category) in interactions {
            profile.apply(Interaction { time: Timestamp(time), kind, item, category });
        }
        profile.as_of(Timestamp(i64::MAX))
    })
}
