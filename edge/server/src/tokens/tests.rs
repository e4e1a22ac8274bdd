use std::sync::LazyLock;

use litfass_events::Billable;
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, Duration, LeaseId, LineItemId, PlacementId, Price,
    Probability, TenantId, Unit, UserHash,
};
use proptest::prelude::*;

use super::*;
use crate::secrets::Secrets;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn folder() -> (tempfile::TempDir, Secrets) {
    let dir = tempfile::tempdir().unwrap();
    let secrets = Secrets::open(dir.path()).unwrap();
    (dir, secrets)
}

fn tokens() -> Tokens {
    let (_dir, secrets) = folder();
    Tokens::new(&KeyRing::open(&secrets).unwrap())
}

fn token() -> Token {
    Token {
        decision: DecisionId::new(NOW, 3, 0x0123_4567_89ab_cdef),
        slot: 4,
        traffic: litfass_types::Traffic::Human,
        rank: 1,
        tenant: TenantId(1),
        advertiser: AdvertiserId(1_042),
        campaign: CampaignId(20_311),
        line_item: LineItemId(300_977),
        ad: AdId(1_000_123),
        creative: CreativeId(1_000_456),
        placement: PlacementId(7),
        geo: "US-CA/Fresno".to_owned(),
        price: Price { micros: 2_500_000, per: Unit::Mille },
        billable: Billable::Viewable,
        lease: LeaseId(u128::MAX / 3),
        budget_day: Day(20_717),
        hold_expires: NOW + Duration::minutes(5),
        expires: NOW + Duration::hours(24),
        user: Some(UserHash { key_version: 1, hash: u128::MAX / 7 }),
        item: Some(u64::MAX / 5),
        category: None,
        click: Probability::from_f64(0.03),
    }
}

fn any_token() -> impl Strategy<Value = Token> {
    let ids = prop::array::uniform7(0..1_u64 << 53);
    let price = (0..=Price::MAX_MICROS, prop::sample::select(vec![Unit::Mille, Unit::Click, Unit::Action]));
    let times = (0..1_i64 << 48, any::<i64>(), any::<i64>(), any::<i32>());
    let hashes = (any::<u128>(), any::<Option<u64>>(), any::<Option<u64>>(), prop::option::of(any::<(u8, u128)>()));
    let rest = (any::<(u8, u8, bool)>(), any::<u64>(), 1..=u32::MAX, "[A-Z]{2}(-[A-Z]{2}(/\\PC{0,14})?)?");
    (ids, price, times, hashes, rest).prop_map(|(ids, price, times, hashes, (place, random, click, geo))| Token {
        decision: DecisionId::new(Timestamp(times.0), place.0.into(), random),
        slot: place.0,
        traffic: litfass_types::Traffic::ALL[usize::from(place.0) % litfass_types::Traffic::ALL.len()],
        rank: place.1,
        tenant: TenantId(ids[0]),
        advertiser: AdvertiserId(ids[1]),
        campaign: CampaignId(ids[2]),
        line_item: LineItemId(ids[3]),
        ad: AdId(ids[4]),
        creative: CreativeId(ids[5]),
        placement: PlacementId(ids[6]),
        geo,
        price: Price { micros: price.0, per: price.1 },
        billable: if place.2 { Billable::Viewable } else { Billable::Impression },
        lease: LeaseId(hashes.0),
        budget_day: Day(times.3),
        hold_expires: Timestamp(times.1),
        expires: Timestamp(times.2),
        user: hashes.3.map(|(key_version, hash)| UserHash { key_version, hash }),
        item: hashes.1,
        category: hashes.2,
        click: Probability::from_bits(click),
    })
}

/// One ring for all cases: making one fsyncs.
static TOKENS: LazyLock<Tokens> = LazyLock::new(tokens);

proptest! {
    #[test]
    fn a_token_opens_as_what_was_sealed(token in any_token()) {
        let tokens = &*TOKENS;
        let text = tokens.seal(&token, EventKind::Click).unwrap();
        prop_assert!(text.len() <= TOKEN_CHARS_MAX, "{} characters", text.len());
        prop_assert_eq!(tokens.open(&text, EventKind::Click).unwrap().token, token);
    }

    #[test]
    fn what_was_never_sealed_does_not_open(text in "\\PC{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let tokens = &*TOKENS;
        prop_assert!(tokens.open(&text, EventKind::Click).is_err());
        prop_assert!(tokens.open(&base64url::encode(&bytes), EventKind::Click).is_err());
    }

    #[test]
    fn the_layout_reads_any_bytes_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
        if let Some(token) = layout::read(&bytes) {
            let mut again = Vec::new();
            layout::write(&token, &mut again);
            prop_assert_eq!(layout::read(&again).unwrap().decision, token.decision);
        }
    }
}

#[test]
fn one_altered_bit_or_character_anywhere_is_noticed() {
    let tokens = tokens();
    let text = tokens.seal(&token(), EventKind::Impression).unwrap();
    let bytes = base64url::decode(&text).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(tokens.open(&base64url::encode(&altered), EventKind::Impression), Err(UnknownToken), "bit {bit}");
    }
    for at in 0..text.len() {
        let replacement = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        let altered = format!("{}{replacement}{}", &text[..at], &text[at + 1..]);
        assert_eq!(tokens.open(&altered, EventKind::Impression), Err(UnknownToken), "character {at}");
        assert_eq!(tokens.open(&text[..at], EventKind::Impression), Err(UnknownToken), "cut at {at}");
    }
}

#[test]
fn a_token_opens_only_as_the_kind_it_was_sealed_for() {
    let tokens = tokens();
    for sealed in EventKind::ALL {
        let text = tokens.seal(&token(), sealed).unwrap();
        for opened in EventKind::ALL {
            assert_eq!(tokens.open(&text, opened).is_ok(), sealed == opened);
        }
    }
}

#[test]
fn the_same_slot_is_never_sealed_to_the_same_text_twice() {
    let tokens = tokens();
    let seal = || tokens.seal(&token(), EventKind::Click).unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn a_usual_token_stays_short_enough_for_a_url() {
    let text = tokens().seal(&token(), EventKind::Click).unwrap();
    assert!(text.len() <= 220, "{} characters", text.len());
}

#[test]
fn a_geo_term_that_is_too_long_is_cut_to_its_country() {
    let tokens = tokens();
    let long = Token { geo: format!("US-CA/{}", "x".repeat(80)), ..token() };
    let text = tokens.seal(&long, EventKind::Click).unwrap();
    assert_eq!(tokens.open(&text, EventKind::Click).unwrap().token.geo, "US");
}

#[test]
fn a_key_issues_then_bills_then_only_redirects() {
    let (_dir, secrets) = folder();
    let ring = KeyRing::open(&secrets).unwrap();
    let text = Tokens::new(&ring).seal(&token(), EventKind::Click).unwrap();
    let open = |ring: &KeyRing| Tokens::new(ring).open(&text, EventKind::Click).unwrap();
    assert!(open(&ring).may_bill(NOW));

    let rotated = ring.rotated(&secrets, NOW).unwrap();
    assert!(open(&rotated).may_bill(NOW));
    assert_ne!(Tokens::new(&rotated).seal(&token(), EventKind::Click).unwrap()[..4], text[..4]);

    let life = Duration::hours(24);
    assert_eq!(rotated.retired(&secrets, NOW + life, life).unwrap(), rotated, "not before its last token has died");
    let retired = rotated.retired(&secrets, NOW + life + Duration(1), life).unwrap();
    assert!(!open(&retired).may_bill(NOW));
    assert_eq!(open(&retired).token, token());
    assert_eq!(KeyRing::open(&secrets).unwrap(), retired);
}

#[test]
fn an_expired_token_redirects_but_does_not_bill() {
    let tokens = tokens();
    let opened = tokens.open(&tokens.seal(&token(), EventKind::Click).unwrap(), EventKind::Click).unwrap();
    assert!(opened.may_bill(token().expires));
    assert!(!opened.may_bill(token().expires + Duration(1)));
    assert_eq!(opened.token.creative, token().creative);
}

#[test]
fn another_installation_cannot_open_it() {
    let text = tokens().seal(&token(), EventKind::Click).unwrap();
    assert_eq!(tokens().open(&text, EventKind::Click), Err(UnknownToken));
}

#[test]
fn a_damaged_ring_is_named_and_not_replaced() {
    let (_dir, secrets) = folder();
    let ring = KeyRing::open(&secrets).unwrap().rotated(&secrets, NOW).unwrap();
    let path = secrets.path("tokens");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for damaged in [
        text[..40].to_owned(),
        text.replace("issuing", "billing"),
        format!("{}\n{}\n", lines[1], lines[0]),
        String::new(),
    ] {
        secrets.replace("tokens", &damaged).unwrap();
        assert!(KeyRing::open(&secrets).unwrap_err().to_string().contains("secrets/tokens"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
    }
    assert_eq!(ring.keys().len(), 2);
}
