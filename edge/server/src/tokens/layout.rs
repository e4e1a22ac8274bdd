//! A token as bytes, format 1: fields in fixed order, ids and times as LEB128 varints (times relative to the decision's),
//! hashes and 128-bit ids big endian, and one byte of flags that says which optional fields follow. About 100 bytes.

use litfass_events::{Billable, MAX_GEO_BYTES, Token};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, LeaseId, LineItemId, PlacementId, Price, Probability,
    TenantId, Timestamp, Traffic, Unit, UserHash,
};

/// The version of this layout.
pub(super) const FORMAT: u8 = 1;

const PER_CLICK: u8 = 1;
const PER_ACTION: u8 = 2;
const ON_VIEWABLE: u8 = 4;
const HAS_USER: u8 = 8;
const HAS_ITEM: u8 = 16;
const HAS_CATEGORY: u8 = 32;
const HAS_TRAFFIC: u8 = 64;

pub(super) fn write(token: &Token, out: &mut Vec<u8>) {
    out.extend(token.decision.0.to_be_bytes());
    out.extend([flags(token), token.slot, token.rank]);
    for id in ids(token) {
        varint(id, out);
    }
    varint(zigzag(token.price.micros), out);
    out.extend(token.lease.0.to_be_bytes());
    varint(zigzag(i64::from(token.budget_day.0)), out);
    for at in [token.hold_expires, token.expires] {
        varint(zigzag(at.0.wrapping_sub(token.decision.time().0)), out);
    }
    out.extend(token.click.bits().to_be_bytes());
    if let Some(user) = token.user {
        out.push(user.key_version);
        out.extend(user.hash.to_be_bytes());
    }
    for hash in [token.item, token.category].into_iter().flatten() {
        out.extend(hash.to_be_bytes());
    }
    if !token.traffic.counts() {
        out.push(token.traffic.number());
    }
    out.extend(geo(&token.geo).as_bytes());
}

/// `None` where the bytes are of another layout; sealed bytes of format 1 always read.
pub(super) fn read(bytes: &[u8]) -> Option<Token> {
    let mut rest = Reader(bytes);
    let decision = DecisionId(u128::from_be_bytes(rest.take()?));
    let [flags, slot, rank] = rest.take()?;
    let [tenant, advertiser, campaign, line_item, ad, creative, placement] = rest.varints()?;
    Some(Token {
        decision,
        slot,
        rank,
        tenant: TenantId(tenant),
        advertiser: AdvertiserId(advertiser),
        campaign: CampaignId(campaign),
        line_item: LineItemId(line_item),
        ad: AdId(ad),
        creative: CreativeId(creative),
        placement: PlacementId(placement),
        price: Price { micros: rest.signed()?, per: unit(flags) },
        billable: if flags & ON_VIEWABLE == 0 { Billable::Impression } else { Billable::Viewable },
        lease: LeaseId(u128::from_be_bytes(rest.take()?)),
        budget_day: Day(i32::try_from(rest.signed()?).ok()?),
        hold_expires: rest.time(decision)?,
        expires: rest.time(decision)?,
        click: Probability::from_bits(u32::from_be_bytes(rest.take()?)),
        user: rest.where_set(flags & HAS_USER, Reader::user)?,
        item: rest.where_set(flags & HAS_ITEM, Reader::hash)?,
        category: rest.where_set(flags & HAS_CATEGORY, Reader::hash)?,
        traffic: rest.where_set(flags & HAS_TRAFFIC, Reader::traffic)?.unwrap_or_default(),
        geo: str::from_utf8(rest.0).ok()?.to_owned(),
    })
}

fn flags(token: &Token) -> u8 {
    let unit = match token.price.per {
        Unit::Mille => 0,
        Unit::Click => PER_CLICK,
        Unit::Action => PER_ACTION,
    };
    let billable = if token.billable == Billable::Viewable { ON_VIEWABLE } else { 0 };
    let user = if token.user.is_some() { HAS_USER } else { 0 };
    let item = if token.item.is_some() { HAS_ITEM } else { 0 };
    let category = if token.category.is_some() { HAS_CATEGORY } else { 0 };
    let traffic = if token.traffic.counts() { 0 } else { HAS_TRAFFIC };
    unit | billable | user | item | category | traffic
}

const fn unit(flags: u8) -> Unit {
    match flags & (PER_CLICK | PER_ACTION) {
        0 => Unit::Mille,
        PER_CLICK => Unit::Click,
        _ => Unit::Action,
    }
}

const fn ids(token: &Token) -> [u64; 7] {
    [
        token.tenant.0,
        token.advertiser.0,
        token.campaign.0,
        token.line_item.0,
        token.ad.0,
        token.creative.0,
        token.placement.0,
    ]
}

/// What is too long is cut to its country: `US-CA/Llanfair…` to `US`.
fn geo(term: &str) -> &str {
    if term.len() <= MAX_GEO_BYTES {
        return term;
    }
    term.split(['/', '-']).next().filter(|country| country.len() <= MAX_GEO_BYTES).unwrap_or("")
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = (value & 0x7f).to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn varints<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut values = [0; N];
        for value in &mut values {
            *value = self.varint()?;
        }
        Some(values)
    }

    fn signed(&mut self) -> Option<i64> {
        let coded = self.varint()?;
        Some((coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())
    }

    fn time(&mut self, decision: DecisionId) -> Option<Timestamp> {
        Some(Timestamp(decision.time().0.wrapping_add(self.signed()?)))
    }

    fn user(&mut self) -> Option<UserHash> {
        let [key_version] = self.take()?;
        Some(UserHash { key_version, hash: u128::from_be_bytes(self.take()?) })
    }

    fn traffic(&mut self) -> Option<Traffic> {
        let [number] = self.take()?;
        Traffic::from_number(number)
    }

    fn hash(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// The outer `None` is a broken layout, the inner one a field that is not there.
    #[expect(clippy::option_option, reason = "absent and broken are two things here")]
    fn where_set<T>(&mut self, flag: u8, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if flag == 0 { Some(None) } else { read(self).map(Some) }
    }
}
