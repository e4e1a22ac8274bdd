//! Rows of the ledger as `litfass ledger export` writes them: one JSON object a line, which says in its only member what it is.
//! docs/specs/accounts.md describes them. Amounts are decimal texts of nanos, because they pass what JSON's readers count to.

use litfass_ledger::{
    Amount, Balance, Cause, Chain, CommandRecord, Control, ControlId, Count, LedgerAccount, Partition, PartitionKind,
    Posting, PostingKind, UNLIMITED,
};
use litfass_store::ledger::{Delivery, Exported};
use serde_json::{Map, Value, json};

use crate::workers::audited::{outcome_name, wish};

/// A row as a line says it.
#[must_use]
pub fn line(row: &Exported) -> Value {
    match row {
        Exported::Position(number, partition) => json!({ "position": position(*number, *partition) }),
        Exported::Balance(account, balance) => json!({ "balance": of_account(*account, *balance) }),
        Exported::Control(id, control) => json!({ "control": limited(*id, *control) }),
        Exported::Delivery(delivery) => json!({ "delivery": delivered(delivery) }),
        Exported::Command(_, record) => json!({ "command": command(record) }),
        Exported::Posting(posting) => json!({ "posting": posted(posting) }),
    }
}

/// The last line: without it an export was broken off.
#[must_use]
pub fn end(rows: u64) -> Value {
    json!({ "end": { "rows": rows } })
}

fn nanos(amount: Amount) -> String {
    amount.nanos().to_string()
}

fn position(number: u16, partition: Partition) -> Value {
    let kind = match partition.kind {
        PartitionKind::Events => "events",
        PartitionKind::Admin => "admin",
    };
    let (next, appended, sealed) = (partition.next, partition.appended.map(|time| time.0), partition.sealed);
    json!({ "partition": number, "kind": kind, "next": next, "appended_ms": appended, "sealed": sealed })
}

fn account(account: LedgerAccount) -> Value {
    let (kind, owner) = match account {
        LedgerAccount::Funds(advertiser) => ("funds", advertiser.0),
        LedgerAccount::Revenue(tenant) => ("revenue", tenant.0),
        LedgerAccount::Refunds(tenant) => ("refunds", tenant.0),
        LedgerAccount::House(tenant) => ("house", tenant.0),
        LedgerAccount::Residue(tenant) => ("residue", tenant.0),
    };
    json!({ "kind": kind, "owner": owner })
}

fn of_account(of: LedgerAccount, balance: Balance) -> Value {
    let (debits, credits) = (nanos(balance.debits), nanos(balance.credits));
    json!({ "account": account(of), "debits_nanos": debits, "credits_nanos": credits })
}

fn limited(id: ControlId, control: Control) -> Value {
    let (object, day) = match id {
        ControlId::Account(account) => (account.0, None),
        ControlId::Campaign(campaign) => (campaign.0, None),
        ControlId::CampaignDay(campaign, day) => (campaign.0, Some(day.to_string())),
        ControlId::LineItem(line_item) => (line_item.0, None),
    };
    let limit = (control.limit != UNLIMITED).then(|| nanos(control.limit));
    let [restored, leased, spent] = [control.restored, control.leased, control.spent].map(nanos);
    json!({ "level": id.level().name(), "id": object, "day": day, "limit_nanos": limit, "restored_nanos": restored,
            "leased_nanos": leased, "spent_nanos": spent })
}

fn counted(count: Count) -> Value {
    json!({ "events": count.events, "nanos": nanos(count.amount) })
}

fn delivered(delivery: &Delivery) -> Value {
    let tally = &delivery.tally;
    let unbilled = delivery.unbilled.iter().map(|(id, count)| {
        let (level, late) = (id.shortage.level.name(), id.shortage.late);
        json!({ "level": level, "late": late, "events": count.events, "nanos": nanos(count.amount) })
    });
    let figures = json!({
        "billed": counted(tally.billed), "repeated": counted(tally.repeated), "expired": counted(tally.expired),
        "refunded": counted(tally.refunded), "waiting": counted(delivery.pending), "unbilled": unbilled.collect::<Vec<_>>(),
    });
    with(chain(delivery.chain), figures)
}

fn chain(chain: Chain) -> Value {
    let Chain { account, campaign, line_item, day } = chain;
    json!({ "advertiser": account.0, "campaign": campaign.0, "line_item": line_item.0, "day": day.to_string() })
}

fn command(record: &CommandRecord) -> Value {
    let (entry, command) = (&record.entry, &record.entry.command);
    let (action, asked) = wish(&command.effect);
    let known = json!({
        "id": command.id.to_string(), "partition": entry.position.partition, "offset": entry.position.offset,
        "appended_ms": entry.appended.0, "tenant": command.tenant.0, "advertiser": command.effect.account().0,
        "action": action, "by": command.note.by, "reason": command.note.reason, "outcome": outcome_name(record.outcome),
    });
    with(known, asked)
}

fn posted(posting: &Posting) -> Value {
    let kind = match posting.kind {
        PostingKind::Bill => "bill",
        PostingKind::Deposit => "deposit",
        PostingKind::Refund => "refund",
        PostingKind::Adjustment => "adjustment",
    };
    let cause = match posting.cause {
        Cause::Batch { partition, next } => json!({ "partition": partition, "next": next }),
        Cause::Command(id) => json!({ "command": id.to_string() }),
        Cause::Retry => Value::Null,
    };
    let posted = json!({
        "kind": kind, "cause": cause, "tenant": posting.tenant.0, "debit": account(posting.debit),
        "credit": account(posting.credit), "nanos": nanos(posting.amount), "events": posting.events,
    });
    with(posted, posting.chain.map_or_else(|| json!({}), chain))
}

/// The members of both.
fn with(one: Value, other: Value) -> Value {
    let members =
        [one, other].into_iter().filter_map(|value| if let Value::Object(of) = value { Some(of) } else { None });
    Value::Object(members.flatten().collect::<Map<_, _>>())
}
