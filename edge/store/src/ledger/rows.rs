//! Rows of the ledger's tables, whatever the database: which columns are read, what they mean, and what is written.

use litfass_ledger::{
    Amount, Balance, Buyer, Cause, Chain, ClaimId, CommandId, Control, ControlId, Count, Funding, HolderId, LastClick,
    Lease, LedgerAccount, OrderId, Partition, Pending, Posting, State, Tally, Timeline, UnbilledId, Viewer,
};
use litfass_types::{AdvertiserId, LeaseId, Position, TenantId, Timestamp, UserHash};

use super::fields::{
    Fields, amount, billable, billable_code, chain, chain_columns, control_columns, count, day, decision, facet, flag,
    id, ledger_account, ledger_account_columns, level_code, narrow, partition_kind, partition_kind_code, posting_kind,
    posting_kind_code, shortage, slice, time,
};

pub(super) const STATE: &str = "keys_dropped, cluster, timeline";
pub(super) const PARTITION: &str = "partition, kind, next, appended, sealed, redo";
pub(super) const LEASE: &str = "id, holder, account, campaign, line_item, day, granted_hi, granted_lo, spent_hi, \
                                spent_lo, returned_hi, returned_lo, granted_at, expires, closed";
pub(super) const CONTROL_ID: &str = "level, object, day";
pub(super) const CONTROL: &str = "limit_hi, limit_lo, restored_hi, restored_lo, leased_hi, leased_lo, spent_hi, \
                                  spent_lo, ceiling_hi, ceiling_lo";
pub(super) const FUNDING: &str = "added_hi, added_lo, removed_hi, removed_lo, credit_hi, credit_lo";
pub(super) const PENDING: &str = "decision, slot, kind, order_id, partition, at, tenant, account, campaign, line_item, \
    day, amount_hi, amount_lo, lease, hold_expires, token_expires, short_level, late, quarter, ad, creative, placement, \
    country, traffic";
/// What [`pending_row`] gives.
pub(super) const PENDING_NUMBERS: &str = "slot, kind, partition, at, tenant, account, campaign, line_item, day, \
    amount_hi, amount_lo, hold_expires, token_expires, short_level, late, quarter, ad, creative, placement, traffic";
pub(super) const BALANCE: &str = "debits_hi, debits_lo, credits_hi, credits_lo";
pub(super) const CHAIN: &str = "account, campaign, line_item, day";
pub(super) const TALLY: &str = "billed_events, billed_hi, billed_lo, repeated_events, repeated_hi, repeated_lo, \
                                expired_events, expired_hi, expired_lo, refunded_events, refunded_hi, refunded_lo";
pub(super) const POSTING: &str = "kind, cause_partition, cause_next, tenant, debit_kind, debit_owner, credit_kind, \
    credit_owner, hi, lo, events, account, campaign, line_item, day, restores_day, cause_command";
pub(super) const SLICE: &str =
    "tenant, account, campaign, line_item, quarter, ad, creative, placement, country, traffic";
/// [`STATE`], then the timeline that the database is on: its server's data, and how often it was promoted or replaced.
pub(super) fn state<R: Fields>(row: &R) -> Result<State, R::Error> {
    let keys_dropped = row.number_or_null(0)?.map(|_| day(row, 0)).transpose()?;
    let timeline = |at: usize| Ok(Timeline { cluster: row.number(at)?.cast_unsigned(), number: id(row, at + 1)? });
    Ok(State { keys_dropped, promoted: timeline(1)?, runs: timeline(3)? })
}

/// [`PARTITION`].
pub(super) fn partition<R: Fields>(row: &R) -> Result<(u16, Partition), R::Error> {
    let partition = Partition {
        kind: partition_kind(row, 1)?,
        next: id(row, 2)?,
        appended: row.number_or_null(3)?.map(Timestamp),
        sealed: row.number_or_null(4)?.map(i64::cast_unsigned),
        redo: id(row, 5)?,
    };
    Ok((narrow(row, 0)?, partition))
}

/// [`PARTITION`].
pub(super) fn partition_row(number: u16, partition: &Partition) -> [Option<i64>; 6] {
    [
        Some(number.into()),
        Some(partition_kind_code(partition.kind)),
        Some(partition.next.cast_signed()),
        partition.appended.map(|t| t.0),
        partition.sealed.map(u64::cast_signed),
        Some(partition.redo.cast_signed()),
    ]
}

/// [`LEASE`] from `at` on.
pub(super) fn lease<R: Fields>(row: &R, at: usize) -> Result<(LeaseId, Lease), R::Error> {
    let lease = Lease {
        holder: HolderId(id(row, at + 1)?),
        chain: chain(row, at + 2)?,
        granted: amount(row, at + 6)?,
        spent: amount(row, at + 8)?,
        returned: amount(row, at + 10)?,
        granted_at: time(row, at + 12)?,
        expires: time(row, at + 13)?,
        closed: flag(row, at + 14)?,
    };
    Ok((LeaseId(row.wide(at)?), lease))
}

/// [`LEASE`] without the id.
pub(super) fn lease_row(lease: &Lease) -> [i64; 14] {
    let [account, campaign, line_item, day] = chain_columns(&lease.chain);
    let [granted, spent, returned] = [lease.granted, lease.spent, lease.returned].map(Amount::to_pair);
    [
        lease.holder.0.cast_signed(),
        account,
        campaign,
        line_item,
        day,
        granted.0,
        granted.1,
        spent.0,
        spent.1,
        returned.0,
        returned.1,
        lease.granted_at.0,
        lease.expires.0,
        lease.closed.into(),
    ]
}

/// [`CONTROL`] from `at` on.
pub(super) fn control<R: Fields>(row: &R, at: usize) -> Result<Control, R::Error> {
    Ok(Control {
        limit: amount(row, at)?,
        restored: amount(row, at + 2)?,
        leased: amount(row, at + 4)?,
        spent: amount(row, at + 6)?,
        ceiling: amount(row, at + 8)?,
    })
}

/// [`CONTROL_ID`], then [`CONTROL`].
pub(super) fn control_row(id: ControlId, control: &Control) -> [i64; 13] {
    let [level, object, day] = control_columns(id);
    let Control { limit, restored, leased, spent, ceiling } = *control;
    let [limit, restored, leased, spent, ceiling] = [limit, restored, leased, spent, ceiling].map(Amount::to_pair);
    [
        level, object, day, limit.0, limit.1, restored.0, restored.1, leased.0, leased.1, spent.0, spent.1, ceiling.0,
        ceiling.1,
    ]
}

/// [`FUNDING`] from `at` on.
pub(super) fn funding<R: Fields>(row: &R, at: usize) -> Result<Funding, R::Error> {
    Ok(Funding { added: amount(row, at)?, removed: amount(row, at + 2)?, credit: amount(row, at + 4)? })
}

/// The account, then [`FUNDING`].
pub(super) fn funding_row(account: AdvertiserId, funding: &Funding) -> [i64; 7] {
    let [added, removed, credit] = [funding.added, funding.removed, funding.credit].map(Amount::to_pair);
    [account.0.cast_signed(), added.0, added.1, removed.0, removed.1, credit.0, credit.1]
}

/// [`PENDING`] from `at` on.
pub(super) fn pending<R: Fields>(row: &R, at: usize) -> Result<(ClaimId, Pending), R::Error> {
    let claim = ClaimId {
        decision: decision(row, at)?,
        slot: narrow(row, at + 1)?,
        kind: billable(row, at + 2)?,
        order: row.text(at + 3)?.to_owned(),
    };
    let pending = Pending {
        position: Position { partition: narrow(row, at + 4)?, offset: id(row, at + 5)? },
        tenant: TenantId(id(row, at + 6)?),
        chain: chain(row, at + 7)?,
        amount: amount(row, at + 11)?,
        lease: LeaseId(row.wide(at + 13)?),
        hold_expires: time(row, at + 14)?,
        token_expires: time(row, at + 15)?,
        shortage: shortage(row, at + 16)?,
        facet: facet(row, at + 18)?,
    };
    Ok((claim, pending))
}

/// [`PENDING_NUMBERS`].
pub(super) fn pending_row(id: &ClaimId, row: &Pending) -> [i64; 20] {
    let [account, campaign, line_item, day] = chain_columns(&row.chain);
    let (hi, lo) = row.amount.to_pair();
    [
        id.slot.into(),
        billable_code(id.kind),
        row.position.partition.into(),
        row.position.offset.cast_signed(),
        row.tenant.0.cast_signed(),
        account,
        campaign,
        line_item,
        day,
        hi,
        lo,
        row.hold_expires.0,
        row.token_expires.0,
        level_code(row.shortage.level),
        row.shortage.late.into(),
        row.facet.quarter.0,
        row.facet.ad.0.cast_signed(),
        row.facet.creative.0.cast_signed(),
        row.facet.placement.0.cast_signed(),
        row.facet.traffic.number().into(),
    ]
}

/// [`BALANCE`] from `at` on.
pub(super) fn balance<R: Fields>(row: &R, at: usize) -> Result<Balance, R::Error> {
    Ok(Balance { debits: amount(row, at)?, credits: amount(row, at + 2)? })
}

/// kind, owner, then [`BALANCE`].
pub(super) fn balance_row(account: LedgerAccount, balance: &Balance) -> [i64; 6] {
    let [kind, owner] = ledger_account_columns(account);
    let (debits, credits) = (balance.debits.to_pair(), balance.credits.to_pair());
    [kind, owner, debits.0, debits.1, credits.0, credits.1]
}

/// [`TALLY`] from `at` on.
pub(super) fn tally<R: Fields>(row: &R, at: usize) -> Result<Tally, R::Error> {
    Ok(Tally {
        billed: count(row, at)?,
        repeated: count(row, at + 3)?,
        expired: count(row, at + 6)?,
        refunded: count(row, at + 9)?,
    })
}

/// [`CHAIN`], then [`TALLY`].
pub(super) fn tally_row(chain: &Chain, tally: &Tally) -> [i64; 16] {
    let [account, campaign, line_item, day] = chain_columns(chain);
    let counts = [tally.billed, tally.repeated, tally.expired, tally.refunded];
    let [billed, repeated, expired, refunded] = counts.map(count_columns);
    [
        account,
        campaign,
        line_item,
        day,
        billed[0],
        billed[1],
        billed[2],
        repeated[0],
        repeated[1],
        repeated[2],
        expired[0],
        expired[1],
        expired[2],
        refunded[0],
        refunded[1],
        refunded[2],
    ]
}

/// [`CHAIN`], short_level, late, then the count.
pub(super) fn unbilled_row(id: &UnbilledId, count: Count) -> [i64; 9] {
    let [account, campaign, line_item, day] = chain_columns(&id.chain);
    let [events, hi, lo] = count_columns(count);
    [account, campaign, line_item, day, level_code(id.shortage.level), id.shortage.late.into(), events, hi, lo]
}

fn count_columns(count: Count) -> [i64; 3] {
    let (hi, lo) = count.amount.to_pair();
    [count.events.cast_signed(), hi, lo]
}

/// [`POSTING`].
pub(super) fn posting<R: Fields>(row: &R) -> Result<Posting, R::Error> {
    let concerns_a_day = row.number_or_null(11)?.is_some();
    Ok(Posting {
        kind: posting_kind(row, 0)?,
        cause: cause(row)?,
        tenant: TenantId(id(row, 3)?),
        debit: ledger_account(row, 4)?,
        credit: ledger_account(row, 6)?,
        amount: amount(row, 8)?,
        events: id(row, 10)?,
        chain: if concerns_a_day { Some(chain(row, 11)?) } else { None },
        restores_day: flag(row, 15)?,
    })
}

fn cause<R: Fields>(row: &R) -> Result<Cause, R::Error> {
    if row.number_or_null(1)?.is_some() {
        return Ok(Cause::Batch { partition: narrow(row, 1)?, next: id(row, 2)? });
    }
    let command = row.wide_or_null(16)?;
    Ok(command.map_or(Cause::Retry, |id| Cause::Command(CommandId(id))))
}

/// [`POSTING`] without the command.
pub(super) fn posting_row(posting: &Posting) -> [Option<i64>; 16] {
    let (partition, next) = match posting.cause {
        Cause::Batch { partition, next } => (Some(partition.into()), Some(next.cast_signed())),
        Cause::Command(_) | Cause::Retry => (None, None),
    };
    let [debit, credit] = [posting.debit, posting.credit].map(ledger_account_columns);
    let (hi, lo) = posting.amount.to_pair();
    let chain = posting.chain.as_ref().map(chain_columns);
    let [account, campaign, line_item, day] = [0, 1, 2, 3].map(|at| chain.map(|columns| columns[at]));
    [
        Some(posting_kind_code(posting.kind)),
        partition,
        next,
        Some(posting.tenant.0.cast_signed()),
        Some(debit[0]),
        Some(debit[1]),
        Some(credit[0]),
        Some(credit[1]),
        Some(hi),
        Some(lo),
        Some(posting.events.cast_signed()),
        account,
        campaign,
        line_item,
        day,
        Some(posting.restores_day.into()),
    ]
}

pub(super) const fn posting_command(posting: &Posting) -> Option<u128> {
    match posting.cause {
        Cause::Command(id) => Some(id.0),
        Cause::Batch { .. } | Cause::Retry => None,
    }
}

/// [`SLICE`] from `at` on, then appended.
pub(super) fn last_click<R: Fields>(row: &R, at: usize) -> Result<LastClick, R::Error> {
    Ok(LastClick { slice: slice(row, at)?, appended: time(row, at + 10)? })
}

/// A user as bytes: the version of its key, then its hash.
pub(super) fn user_column(user: UserHash) -> Vec<u8> {
    [&[user.key_version][..], &user.hash.to_be_bytes()].concat()
}

/// tenant, user.
pub(super) fn viewer_columns(viewer: &Viewer) -> (i64, Vec<u8>) {
    (viewer.tenant.0.cast_signed(), user_column(viewer.user))
}

/// buyer, order.
pub(super) fn order_columns(order: &OrderId) -> (Vec<u8>, &str) {
    let buyer = match order.buyer {
        Buyer::Viewer(Viewer { tenant, user }) => [&[0][..], &tenant.0.to_be_bytes(), &user_column(user)].concat(),
        Buyer::Slot(tenant, decision, slot) => {
            [&[1][..], &tenant.0.to_be_bytes(), &decision.0.to_be_bytes(), &[slot]].concat()
        }
    };
    (buyer, &order.order)
}
