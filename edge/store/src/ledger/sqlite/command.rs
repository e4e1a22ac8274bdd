//! Commands as rows.

use litfass_ledger::{
    Amount, Chain, Command, CommandEntry, CommandId, CommandOutcome, CommandRecord, Effect, Limit, Note, Objection,
};
use litfass_types::{AdvertiserId, CampaignId, Day, LineItemId, Position, TenantId, Timestamp};
use rusqlite::{Connection, Result, Row, params};

use super::columns::{damaged, id, time, wide};

pub(super) const COLUMNS: &str = "id, partition, at, appended, tenant, effect, account, campaign, line_item, day, day_ends, nanos, outcome, by_whom, reason";

/// The columns that differ from effect to effect.
#[derive(Default)]
struct Parts {
    effect: i64,
    account: u64,
    campaign: Option<CampaignId>,
    line_item: Option<LineItemId>,
    day: Option<Day>,
    day_ends: Option<Timestamp>,
    nanos: Option<i128>,
}

fn parts(effect: &Effect) -> Parts {
    let account = effect.account().0;
    let of = |effect, nanos| Parts { effect, account, nanos, ..Parts::default() };
    match *effect {
        Effect::Deposit { amount, .. } => of(0, Some(amount.nanos())),
        Effect::SetLimit(Limit::Credit { limit, .. }) => of(1, Some(limit.nanos())),
        Effect::SetLimit(Limit::CampaignLifetime { campaign, limit, .. }) => {
            Parts { campaign: Some(campaign), ..of(2, limit.map(Amount::nanos)) }
        }
        Effect::SetLimit(Limit::CampaignDaily { campaign, from, limit, .. }) => {
            Parts { campaign: Some(campaign), day: Some(from), ..of(3, limit.map(Amount::nanos)) }
        }
        Effect::SetLimit(Limit::LineItem { line_item, limit, .. }) => {
            Parts { line_item: Some(line_item), ..of(4, limit.map(Amount::nanos)) }
        }
        Effect::Refund { chain, day_ends, amount } => Parts {
            campaign: Some(chain.campaign),
            line_item: Some(chain.line_item),
            day: Some(chain.day),
            day_ends: Some(day_ends),
            ..of(5, Some(amount.nanos()))
        },
        Effect::Adjust { nanos, .. } => of(6, Some(nanos)),
    }
}

pub(super) fn write(tx: &Connection, record: &CommandRecord) -> Result<()> {
    let entry = &record.entry;
    let parts = parts(&entry.command.effect);
    let sql = "INSERT INTO ledger_command VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
               ON CONFLICT DO UPDATE SET outcome = excluded.outcome";
    tx.prepare_cached(sql)?.execute(params![
        entry.command.id.0.to_be_bytes(),
        entry.position.partition,
        entry.position.offset.cast_signed(),
        entry.appended.0,
        entry.command.tenant.0.cast_signed(),
        parts.effect,
        parts.account.cast_signed(),
        parts.campaign.map(|c| c.0.cast_signed()),
        parts.line_item.map(|l| l.0.cast_signed()),
        parts.day.map(|d| d.0),
        parts.day_ends.map(|t| t.0),
        parts.nanos.map(|n| n.to_string()),
        outcome_code(record.outcome),
        entry.command.note.by,
        entry.command.note.reason,
    ])?;
    Ok(())
}

const fn outcome_code(outcome: CommandOutcome) -> i64 {
    match outcome {
        // A copy has no row of its own: the row keeps what became of the first.
        CommandOutcome::Applied | CommandOutcome::Repeated => 0,
        CommandOutcome::Waiting => 1,
        CommandOutcome::Refused(Objection::NothingToMove) => 2,
        CommandOutcome::Refused(Objection::BeyondAvailable) => 3,
        CommandOutcome::Refused(Objection::BeyondSpent) => 4,
        CommandOutcome::Refused(Objection::OutOfRange) => 5,
    }
}

fn outcome(row: &Row<'_>, at: usize) -> Result<CommandOutcome> {
    Ok(match row.get::<_, i64>(at)? {
        0 => CommandOutcome::Applied,
        1 => CommandOutcome::Waiting,
        2 => CommandOutcome::Refused(Objection::NothingToMove),
        3 => CommandOutcome::Refused(Objection::BeyondAvailable),
        4 => CommandOutcome::Refused(Objection::BeyondSpent),
        5 => CommandOutcome::Refused(Objection::OutOfRange),
        other => return Err(damaged(at, format_args!("the command outcome {other}"))),
    })
}

pub(super) fn read(row: &Row<'_>) -> Result<(CommandId, CommandRecord)> {
    let note = Note { by: row.get(13)?, reason: row.get(14)? };
    let command = Command { id: CommandId(wide(row, 0)?), tenant: TenantId(id(row, 4)?), effect: effect(row)?, note };
    let position = Position { partition: row.get(1)?, offset: id(row, 2)? };
    let (id, outcome) = (command.id, outcome(row, 12)?);
    Ok((id, CommandRecord { entry: CommandEntry { position, appended: time(row, 3)?, command }, outcome }))
}

fn effect(row: &Row<'_>) -> Result<Effect> {
    let account = AdvertiserId(id(row, 6)?);
    let campaign = || id(row, 7).map(CampaignId);
    let line_item = || id(row, 8).map(LineItemId);
    let day = || row.get(9).map(Day);
    Ok(match row.get::<_, i64>(5)? {
        0 => Effect::Deposit { account, amount: amount(row)? },
        1 => Effect::SetLimit(Limit::Credit { account, limit: amount(row)? }),
        2 => Effect::SetLimit(Limit::CampaignLifetime { account, campaign: campaign()?, limit: limit(row)? }),
        3 => {
            Effect::SetLimit(Limit::CampaignDaily { account, campaign: campaign()?, from: day()?, limit: limit(row)? })
        }
        4 => Effect::SetLimit(Limit::LineItem { account, line_item: line_item()?, limit: limit(row)? }),
        5 => {
            let chain = Chain { account, campaign: campaign()?, line_item: line_item()?, day: day()? };
            Effect::Refund { chain, day_ends: time(row, 10)?, amount: amount(row)? }
        }
        6 => Effect::Adjust { account, nanos: nanos(row)?.ok_or_else(|| damaged(11, "an adjustment by nothing"))? },
        other => return Err(damaged(5, format_args!("the effect {other}"))),
    })
}

fn nanos(row: &Row<'_>) -> Result<Option<i128>> {
    let Some(text) = row.get::<_, Option<String>>(11)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| damaged(11, format_args!("the amount {text:?}")))
}

fn limit(row: &Row<'_>) -> Result<Option<Amount>> {
    let amount = |nanos| Amount::new(nanos).map_err(|_| damaged(11, format_args!("the amount {nanos}")));
    nanos(row)?.map(amount).transpose()
}

fn amount(row: &Row<'_>) -> Result<Amount> {
    limit(row)?.ok_or_else(|| damaged(11, "a missing amount"))
}
