//! Commands as rows, whatever the database.

use litfass_ledger::{
    Amount, Chain, Command, CommandEntry, CommandId, CommandOutcome, CommandRecord, Effect, Limit, Note, Objection,
};
use litfass_types::{AdvertiserId, CampaignId, Day, LineItemId, Position, TenantId, Timestamp};

use super::fields::{Fields, day, id, narrow, time};

/// What [`numbers`] gives.
#[cfg(feature = "postgres")]
pub(super) const NUMBERS: &str =
    "partition, at, appended, tenant, effect, account, campaign, line_item, day, day_ends, outcome";
pub(super) const COLUMNS: &str = "id, partition, at, appended, tenant, effect, account, campaign, line_item, day, day_ends, outcome, nanos, by_whom, reason";

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

/// [`NUMBERS`].
pub(super) fn numbers(record: &CommandRecord) -> [Option<i64>; 11] {
    let entry = &record.entry;
    let parts = parts(&entry.command.effect);
    [
        Some(entry.position.partition.into()),
        Some(entry.position.offset.cast_signed()),
        Some(entry.appended.0),
        Some(entry.command.tenant.0.cast_signed()),
        Some(parts.effect),
        Some(parts.account.cast_signed()),
        parts.campaign.map(|c| c.0.cast_signed()),
        parts.line_item.map(|l| l.0.cast_signed()),
        parts.day.map(|d| d.0.into()),
        parts.day_ends.map(|t| t.0),
        Some(outcome_code(record.outcome)),
    ]
}

/// An amount as asked for, in decimals: it may be negative, and beyond what can be stored as a pair.
pub(super) fn nanos_text(record: &CommandRecord) -> Option<String> {
    parts(&record.entry.command.effect).nanos.map(|nanos| nanos.to_string())
}

pub(super) const fn outcome_code(outcome: CommandOutcome) -> i64 {
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

fn outcome<R: Fields>(row: &R, at: usize) -> Result<CommandOutcome, R::Error> {
    Ok(match row.number(at)? {
        0 => CommandOutcome::Applied,
        1 => CommandOutcome::Waiting,
        2 => CommandOutcome::Refused(Objection::NothingToMove),
        3 => CommandOutcome::Refused(Objection::BeyondAvailable),
        4 => CommandOutcome::Refused(Objection::BeyondSpent),
        5 => CommandOutcome::Refused(Objection::OutOfRange),
        other => return Err(R::damaged(at, format_args!("the command outcome {other}"))),
    })
}

/// [`COLUMNS`] from `at` on.
pub(super) fn read<R: Fields>(row: &R, at: usize) -> Result<(CommandId, CommandRecord), R::Error> {
    let note = Note { by: row.text(at + 13)?.to_owned(), reason: row.text(at + 14)?.to_owned() };
    let id_of = CommandId(row.wide(at)?);
    let command = Command { id: id_of, tenant: TenantId(id(row, at + 4)?), effect: effect(row, at)?, note };
    let position = Position { partition: narrow(row, at + 1)?, offset: id(row, at + 2)? };
    let entry = CommandEntry { position, appended: time(row, at + 3)?, command };
    Ok((id_of, CommandRecord { entry, outcome: outcome(row, at + 11)? }))
}

fn effect<R: Fields>(row: &R, at: usize) -> Result<Effect, R::Error> {
    let account = AdvertiserId(id(row, at + 6)?);
    let campaign = || id(row, at + 7).map(CampaignId);
    let line_item = || id(row, at + 8).map(LineItemId);
    let day = || day(row, at + 9);
    let (limit, amount) = (|| limit(row, at + 12), || amount(row, at + 12));
    Ok(match row.number(at + 5)? {
        0 => Effect::Deposit { account, amount: amount()? },
        1 => Effect::SetLimit(Limit::Credit { account, limit: amount()? }),
        2 => Effect::SetLimit(Limit::CampaignLifetime { account, campaign: campaign()?, limit: limit()? }),
        3 => Effect::SetLimit(Limit::CampaignDaily { account, campaign: campaign()?, from: day()?, limit: limit()? }),
        4 => Effect::SetLimit(Limit::LineItem { account, line_item: line_item()?, limit: limit()? }),
        5 => {
            let chain = Chain { account, campaign: campaign()?, line_item: line_item()?, day: day()? };
            Effect::Refund { chain, day_ends: time(row, at + 10)?, amount: amount()? }
        }
        6 => Effect::Adjust { account, nanos: some(row, at + 12)? },
        other => return Err(R::damaged(at + 5, format_args!("the effect {other}"))),
    })
}

fn nanos<R: Fields>(row: &R, at: usize) -> Result<Option<i128>, R::Error> {
    let Some(text) = row.text_or_null(at)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| R::damaged(at, format_args!("the amount {text:?}")))
}

fn some<R: Fields>(row: &R, at: usize) -> Result<i128, R::Error> {
    nanos(row, at)?.ok_or_else(|| R::damaged(at, "a missing amount"))
}

fn limit<R: Fields>(row: &R, at: usize) -> Result<Option<Amount>, R::Error> {
    let amount = |nanos| Amount::new(nanos).map_err(|_| R::damaged(at, format_args!("the amount {nanos}")));
    nanos(row, at)?.map(amount).transpose()
}

fn amount<R: Fields>(row: &R, at: usize) -> Result<Amount, R::Error> {
    limit(row, at)?.ok_or_else(|| R::damaged(at, "a missing amount"))
}
