//! Domain values as columns and back. A value that cannot be one is reported as damaged, with its column.

use litfass_ledger::{
    Amount, Billable, Chain, ControlId, Count, LedgerAccount, Level, Outcome, PartitionKind, PostingKind, Shortage,
};
use litfass_types::{AdvertiserId, CampaignId, Day, DecisionId, LineItemId, TenantId, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};

/// A stored value that no ledger writes.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's file is damaged: {0} cannot be stored here")]
struct Damaged(String);

pub(super) fn damaged(column: usize, what: impl std::fmt::Display) -> Error {
    Error::FromSqlConversionFailure(column, Type::Integer, Box::new(Damaged(what.to_string())))
}

/// Stable ids, offsets and holders: unsigned values whose bits fill a signed column.
pub(super) fn id(row: &Row<'_>, at: usize) -> Result<u64> {
    Ok(row.get::<_, i64>(at)?.cast_unsigned())
}

pub(super) fn amount(row: &Row<'_>, at: usize) -> Result<Amount> {
    let (hi, lo) = (row.get(at)?, row.get(at + 1)?);
    Amount::from_pair(hi, lo).map_err(|_| damaged(at, format_args!("the amount ({hi}, {lo})")))
}

pub(super) fn count(row: &Row<'_>, at: usize) -> Result<Count> {
    Ok(Count { events: id(row, at)?, amount: amount(row, at + 1)? })
}

/// account, campaign, line item, day.
pub(super) fn chain(row: &Row<'_>, at: usize) -> Result<Chain> {
    Ok(Chain {
        account: AdvertiserId(id(row, at)?),
        campaign: CampaignId(id(row, at + 1)?),
        line_item: LineItemId(id(row, at + 2)?),
        day: Day(row.get(at + 3)?),
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

pub(super) fn wide(row: &Row<'_>, at: usize) -> Result<u128> {
    row.get::<_, [u8; 16]>(at).map(u128::from_be_bytes)
}

pub(super) fn decision(row: &Row<'_>, at: usize) -> Result<DecisionId> {
    wide(row, at).map(DecisionId)
}

pub(super) fn time(row: &Row<'_>, at: usize) -> Result<Timestamp> {
    row.get(at).map(Timestamp)
}

pub(super) const fn level_code(level: Level) -> i64 {
    level as i64
}

pub(super) fn level(row: &Row<'_>, at: usize) -> Result<Level> {
    let code: i64 = row.get(at)?;
    Level::ALL.into_iter().find(|l| level_code(*l) == code).ok_or_else(|| damaged(at, format_args!("the level {code}")))
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

pub(super) fn control_id(row: &Row<'_>, at: usize) -> Result<ControlId> {
    let object = id(row, at + 1)?;
    Ok(match level(row, at)? {
        Level::Account => ControlId::Account(AdvertiserId(object)),
        Level::Campaign => ControlId::Campaign(CampaignId(object)),
        Level::CampaignDay => ControlId::CampaignDay(CampaignId(object), Day(row.get(at + 2)?)),
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

pub(super) fn ledger_account(row: &Row<'_>, at: usize) -> Result<LedgerAccount> {
    let owner = id(row, at + 1)?;
    match row.get::<_, i64>(at)? {
        0 => Ok(LedgerAccount::Funds(AdvertiserId(owner))),
        1 => Ok(LedgerAccount::Revenue(TenantId(owner))),
        2 => Ok(LedgerAccount::Refunds(TenantId(owner))),
        3 => Ok(LedgerAccount::House(TenantId(owner))),
        4 => Ok(LedgerAccount::Residue(TenantId(owner))),
        other => Err(damaged(at, format_args!("the account kind {other}"))),
    }
}

pub(super) const fn posting_kind_code(kind: PostingKind) -> i64 {
    kind as i64
}

pub(super) fn posting_kind(row: &Row<'_>, at: usize) -> Result<PostingKind> {
    match row.get::<_, i64>(at)? {
        0 => Ok(PostingKind::Bill),
        1 => Ok(PostingKind::Deposit),
        2 => Ok(PostingKind::Refund),
        3 => Ok(PostingKind::Adjustment),
        other => Err(damaged(at, format_args!("the posting kind {other}"))),
    }
}

pub(super) const fn partition_kind_code(kind: PartitionKind) -> i64 {
    kind as i64
}

pub(super) fn partition_kind(row: &Row<'_>, at: usize) -> Result<PartitionKind> {
    match row.get::<_, i64>(at)? {
        0 => Ok(PartitionKind::Events),
        1 => Ok(PartitionKind::Admin),
        other => Err(damaged(at, format_args!("the partition kind {other}"))),
    }
}

pub(super) const fn billable_code(kind: Billable) -> i64 {
    kind as i64
}

pub(super) fn billable(row: &Row<'_>, at: usize) -> Result<Billable> {
    match row.get::<_, i64>(at)? {
        0 => Ok(Billable::Impression),
        1 => Ok(Billable::Viewable),
        2 => Ok(Billable::Click),
        3 => Ok(Billable::Conversion),
        other => Err(damaged(at, format_args!("the billable kind {other}"))),
    }
}

/// level, late.
pub(super) fn shortage(row: &Row<'_>, at: usize) -> Result<Shortage> {
    Ok(Shortage { level: level(row, at)?, late: row.get(at + 1)? })
}

/// outcome, level, late.
pub(super) fn outcome_columns(outcome: Outcome) -> (i64, Option<i64>, Option<bool>) {
    let (code, shortage) = match outcome {
        Outcome::Billed => (0, None),
        Outcome::Repeated => (1, None),
        Outcome::Expired => (2, None),
        Outcome::Pending(shortage) => (3, Some(shortage)),
        Outcome::Unbilled(shortage) => (4, Some(shortage)),
    };
    (code, shortage.map(|s| level_code(s.level)), shortage.map(|s| s.late))
}

pub(super) fn outcome(row: &Row<'_>, at: usize) -> Result<Outcome> {
    match row.get::<_, i64>(at)? {
        0 => Ok(Outcome::Billed),
        1 => Ok(Outcome::Repeated),
        2 => Ok(Outcome::Expired),
        3 => shortage(row, at + 1).map(Outcome::Pending),
        4 => shortage(row, at + 1).map(Outcome::Unbilled),
        other => Err(damaged(at, format_args!("the outcome {other}"))),
    }
}
