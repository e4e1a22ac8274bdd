//! Domain values as columns and back, whatever the database. A value that cannot be one is reported as damaged, with its column.

use std::fmt::Display;

use litfass_ledger::{
    Amount, Billable, Chain, ControlId, Count, Country, Facet, LedgerAccount, Level, Outcome, PartitionKind,
    PostingKind, Quarter, Shortage, Slice,
};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, LineItemId, PlacementId, TenantId, Timestamp, Traffic,
};

/// A stored value that no ledger writes.
#[derive(Debug, thiserror::Error)]
#[error("the ledger is damaged: {0} cannot be stored here")]
pub(super) struct Damaged(pub String);

/// A row as a driver gives it. Numbers, times and flags are 64-bit integers in every database.
pub(super) trait Fields {
    type Error;
    fn number(&self, at: usize) -> Result<i64, Self::Error>;
    fn number_or_null(&self, at: usize) -> Result<Option<i64>, Self::Error>;
    /// Sixteen bytes, as a number of that order.
    fn wide(&self, at: usize) -> Result<u128, Self::Error>;
    fn wide_or_null(&self, at: usize) -> Result<Option<u128>, Self::Error>;
    fn text(&self, at: usize) -> Result<&str, Self::Error>;
    fn text_or_null(&self, at: usize) -> Result<Option<&str>, Self::Error>;
    /// The column `at` holds what cannot be.
    fn damaged(at: usize, what: impl Display) -> Self::Error;
}

/// A narrower number.
pub(super) fn narrow<T: TryFrom<i64>, R: Fields>(row: &R, at: usize) -> Result<T, R::Error> {
    let number = row.number(at)?;
    T::try_from(number).map_err(|_| R::damaged(at, format_args!("the number {number}")))
}

pub(super) fn flag<R: Fields>(row: &R, at: usize) -> Result<bool, R::Error> {
    Ok(row.number(at)? != 0)
}

pub(super) fn day<R: Fields>(row: &R, at: usize) -> Result<Day, R::Error> {
    narrow(row, at).map(Day)
}

/// Stable ids, offsets and holders: unsigned values whose bits fill a signed column.
pub(super) fn id<R: Fields>(row: &R, at: usize) -> Result<u64, R::Error> {
    row.number(at).map(i64::cast_unsigned)
}

pub(super) fn time<R: Fields>(row: &R, at: usize) -> Result<Timestamp, R::Error> {
    row.number(at).map(Timestamp)
}

pub(super) fn amount<R: Fields>(row: &R, at: usize) -> Result<Amount, R::Error> {
    let (hi, lo) = (row.number(at)?, row.number(at + 1)?);
    Amount::from_pair(hi, lo).map_err(|_| R::damaged(at, format_args!("the amount ({hi}, {lo})")))
}

pub(super) fn count<R: Fields>(row: &R, at: usize) -> Result<Count, R::Error> {
    Ok(Count { events: id(row, at)?, amount: amount(row, at + 1)? })
}

/// account, campaign, line item, day.
pub(super) fn chain<R: Fields>(row: &R, at: usize) -> Result<Chain, R::Error> {
    Ok(Chain {
        account: AdvertiserId(id(row, at)?),
        campaign: CampaignId(id(row, at + 1)?),
        line_item: LineItemId(id(row, at + 2)?),
        day: day(row, at + 3)?,
    })
}

pub(super) fn chain_columns(chain: &Chain) -> [i64; 4] {
    [
        chain.account.0.cast_signed(),
        chain.campaign.0.cast_signed(),
        chain.line_item.0.cast_signed(),
        i64::from(chain.day.0),
    ]
}

pub(super) fn decision<R: Fields>(row: &R, at: usize) -> Result<DecisionId, R::Error> {
    row.wide(at).map(DecisionId)
}

pub(super) const fn level_code(level: Level) -> i64 {
    level as i64
}

pub(super) fn level<R: Fields>(row: &R, at: usize) -> Result<Level, R::Error> {
    let code = row.number(at)?;
    Level::ALL
        .into_iter()
        .find(|l| level_code(*l) == code)
        .ok_or_else(|| R::damaged(at, format_args!("the level {code}")))
}

/// level, object, day.
pub(super) fn control_columns(control: ControlId) -> [i64; 3] {
    let (object, day) = match control {
        ControlId::Account(account) => (account.0, 0),
        ControlId::Campaign(campaign) => (campaign.0, 0),
        ControlId::CampaignDay(campaign, day) => (campaign.0, day.0),
        ControlId::LineItem(line_item) => (line_item.0, 0),
    };
    [level_code(control.level()), object.cast_signed(), i64::from(day)]
}

pub(super) fn control_id<R: Fields>(row: &R, at: usize) -> Result<ControlId, R::Error> {
    let object = id(row, at + 1)?;
    Ok(match level(row, at)? {
        Level::Account => ControlId::Account(AdvertiserId(object)),
        Level::Campaign => ControlId::Campaign(CampaignId(object)),
        Level::CampaignDay => ControlId::CampaignDay(CampaignId(object), day(row, at + 2)?),
        Level::LineItem => ControlId::LineItem(LineItemId(object)),
    })
}

/// kind, owner.
pub(super) const fn ledger_account_columns(account: LedgerAccount) -> [i64; 2] {
    match account {
        LedgerAccount::Funds(advertiser) => [0, advertiser.0.cast_signed()],
        LedgerAccount::Revenue(tenant) => [1, tenant.0.cast_signed()],
        LedgerAccount::Refunds(tenant) => [2, tenant.0.cast_signed()],
        LedgerAccount::House(tenant) => [3, tenant.0.cast_signed()],
        LedgerAccount::Residue(tenant) => [4, tenant.0.cast_signed()],
    }
}

pub(super) fn ledger_account<R: Fields>(row: &R, at: usize) -> Result<LedgerAccount, R::Error> {
    let owner = id(row, at + 1)?;
    match row.number(at)? {
        0 => Ok(LedgerAccount::Funds(AdvertiserId(owner))),
        1 => Ok(LedgerAccount::Revenue(TenantId(owner))),
        2 => Ok(LedgerAccount::Refunds(TenantId(owner))),
        3 => Ok(LedgerAccount::House(TenantId(owner))),
        4 => Ok(LedgerAccount::Residue(TenantId(owner))),
        other => Err(R::damaged(at, format_args!("the account kind {other}"))),
    }
}

pub(super) const fn posting_kind_code(kind: PostingKind) -> i64 {
    kind as i64
}

pub(super) fn posting_kind<R: Fields>(row: &R, at: usize) -> Result<PostingKind, R::Error> {
    match row.number(at)? {
        0 => Ok(PostingKind::Bill),
        1 => Ok(PostingKind::Deposit),
        2 => Ok(PostingKind::Refund),
        3 => Ok(PostingKind::Adjustment),
        other => Err(R::damaged(at, format_args!("the posting kind {other}"))),
    }
}

pub(super) const fn partition_kind_code(kind: PartitionKind) -> i64 {
    kind as i64
}

pub(super) fn partition_kind<R: Fields>(row: &R, at: usize) -> Result<PartitionKind, R::Error> {
    match row.number(at)? {
        0 => Ok(PartitionKind::Events),
        1 => Ok(PartitionKind::Admin),
        other => Err(R::damaged(at, format_args!("the partition kind {other}"))),
    }
}

pub(super) const fn billable_code(kind: Billable) -> i64 {
    kind as i64
}

pub(super) fn billable<R: Fields>(row: &R, at: usize) -> Result<Billable, R::Error> {
    match row.number(at)? {
        0 => Ok(Billable::Impression),
        1 => Ok(Billable::Viewable),
        2 => Ok(Billable::Click),
        3 => Ok(Billable::Conversion),
        other => Err(R::damaged(at, format_args!("the billable kind {other}"))),
    }
}

/// level, late.
pub(super) fn shortage<R: Fields>(row: &R, at: usize) -> Result<Shortage, R::Error> {
    Ok(Shortage { level: level(row, at)?, late: flag(row, at + 1)? })
}

/// outcome, level, late.
pub(super) fn outcome_columns(outcome: Outcome) -> [Option<i64>; 3] {
    let (code, shortage) = match outcome {
        Outcome::Billed => (0, None),
        Outcome::Repeated => (1, None),
        Outcome::Expired => (2, None),
        Outcome::Pending(shortage) => (3, Some(shortage)),
        Outcome::Unbilled(shortage) => (4, Some(shortage)),
    };
    [Some(code), shortage.map(|s| level_code(s.level)), shortage.map(|s| i64::from(s.late))]
}

pub(super) fn outcome<R: Fields>(row: &R, at: usize) -> Result<Outcome, R::Error> {
    match row.number(at)? {
        0 => Ok(Outcome::Billed),
        1 => Ok(Outcome::Repeated),
        2 => Ok(Outcome::Expired),
        3 => shortage(row, at + 1).map(Outcome::Pending),
        4 => shortage(row, at + 1).map(Outcome::Unbilled),
        other => Err(R::damaged(at, format_args!("the outcome {other}"))),
    }
}

/// quarter, ad, creative, placement, country, traffic.
pub(super) fn facet<R: Fields>(row: &R, at: usize) -> Result<Facet, R::Error> {
    let traffic = narrow(row, at + 5)?;
    Ok(Facet {
        quarter: Quarter(row.number(at)?),
        ad: AdId(id(row, at + 1)?),
        creative: CreativeId(id(row, at + 2)?),
        placement: PlacementId(id(row, at + 3)?),
        country: Country::of(row.text(at + 4)?),
        traffic: Traffic::from_number(traffic)
            .ok_or_else(|| R::damaged(at + 5, format_args!("the class of traffic {traffic}")))?,
    })
}

/// tenant, account, campaign, line item, facet.
pub(super) fn slice<R: Fields>(row: &R, at: usize) -> Result<Slice, R::Error> {
    Ok(Slice {
        tenant: TenantId(id(row, at)?),
        account: AdvertiserId(id(row, at + 1)?),
        campaign: CampaignId(id(row, at + 2)?),
        line_item: LineItemId(id(row, at + 3)?),
        facet: facet(row, at + 4)?,
    })
}
