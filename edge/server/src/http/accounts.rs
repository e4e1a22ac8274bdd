//! Accounts: money in and out as commands, balances and statements as the ledger has them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use litfass_ledger::{Account, Amount, Command, CommandId, CommandOutcome, CommandRecord, Effect, Limit, Note};
use litfass_types::{AdvertiserId, Calendar, Timestamp};
use serde::Deserialize;

use super::{blocking, is_csv, ledger};
use crate::access::{Action, Caller, absent};
use crate::accounts::{Wish, account};
use crate::api::accounts::{
    AccountView, AdjustAsk, CommandAnswer, CreditAsk, DepositAsk, Holder, RefundAnswer, RefundAsk, StatementView, month,
};
use crate::api::instant::instant;
use crate::api::invalid::{bounded, one_of};
use crate::node::Node;
use crate::problem::{Body, Code, Params, Problem};

const KEY_MAX: usize = 128;

/// The `{id}` of an address; what is no number names no account.
pub(super) struct AccountPath(pub(super) u64);

impl std::str::FromStr for AccountPath {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let absent = |_| Problem::new(Code::NotFound, format!("there is no account {text:?}")).at("id");
        text.parse().map(Self).map_err(absent)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AccountPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|e| Problem::new(Code::NotFound, e.body_text()))?;
        text.parse()
    }
}

/// Whose account that is, where the caller reaches it and may do that.
pub(super) async fn holder(node: &Arc<Node>, caller: &Caller, id: u64, action: Action) -> Result<Holder, Problem> {
    let (read, account) = (Arc::clone(node), AdvertiserId(id));
    let holder = blocking(move || read.holder(account)).await?.ok_or_else(absent)?;
    caller.advertiser(holder.tenant, account)?;
    caller.may(action)?;
    Ok(holder)
}

/// The account in the path, and who wishes what of it.
async fn wish(
    node: &Arc<Node>,
    caller: &Caller,
    id: u64,
    headers: &HeaderMap,
    reason: Option<String>,
) -> Result<Wish, Problem> {
    let tenant = holder(node, caller, id, Action::MoveMoney).await?.tenant;
    let key = headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default().to_owned());
    bounded("Idempotency-Key", key.as_deref(), KEY_MAX)?;
    let note = Note { by: caller.who(), reason: reason.unwrap_or_default() };
    Ok(Wish { tenant, account: AdvertiserId(id), note, key })
}

pub(super) async fn deposit(
    State(node): State<Arc<Node>>,
    caller: Caller,
    AccountPath(id): AccountPath,
    headers: HeaderMap,
    Body(ask): Body<DepositAsk>,
) -> Result<Response, Problem> {
    let amount = ask.check()?;
    let wish = wish(&node, &caller, id, &headers, ask.reason).await?;
    one(&node, &wish, Effect::Deposit { account: wish.account, amount }).await
}

pub(super) async fn credit_limit(
    State(node): State<Arc<Node>>,
    caller: Caller,
    AccountPath(id): AccountPath,
    headers: HeaderMap,
    Body(ask): Body<CreditAsk>,
) -> Result<Response, Problem> {
    let limit = ask.check()?;
    let wish = wish(&node, &caller, id, &headers, ask.reason).await?;
    let (read, account) = (Arc::clone(&node), wish.account);
    if blocking(move || read.states_credit(account)).await? {
        let detail = format!("the catalog states this limit: change credit_limit_micros of advertiser {id}");
        return Err(Problem::new(Code::StatedByCatalog, detail).at("limit_micros"));
    }
    one(&node, &wish, Effect::SetLimit(Limit::Credit { account: wish.account, limit })).await
}

pub(super) async fn adjust(
    State(node): State<Arc<Node>>,
    caller: Caller,
    AccountPath(id): AccountPath,
    headers: HeaderMap,
    Body(ask): Body<AdjustAsk>,
) -> Result<Response, Problem> {
    let nanos = ask.check()?;
    let wish = wish(&node, &caller, id, &headers, Some(ask.reason)).await?;
    one(&node, &wish, Effect::Adjust { account: wish.account, nanos }).await
}

async fn one(node: &Arc<Node>, wish: &Wish, effect: Effect) -> Result<Response, Problem> {
    let command = wish.of(effect).map_err(Problem::internal)?;
    let records = node.carry_out(vec![command.clone()]).await?;
    let answer = answer(&command, records.into_iter().next().flatten().as_ref());
    if let Some(because) = answer.refused_because {
        return Err(Problem::new(Code::RefusedByLedger, because));
    }
    Ok((status(&[&answer]), Json(answer)).into_response())
}

fn answer(command: &Command, record: Option<&CommandRecord>) -> CommandAnswer {
    CommandAnswer::of(command.id, record)
}

/// 202 while the ledger has not ended one of them.
fn status(answers: &[&CommandAnswer]) -> StatusCode {
    let ended = answers.iter().all(|answer| matches!(answer.outcome, "applied" | "refused"));
    if ended { StatusCode::OK } else { StatusCode::ACCEPTED }
}

pub(super) async fn refund(
    State(node): State<Arc<Node>>,
    caller: Caller,
    AccountPath(id): AccountPath,
    headers: HeaderMap,
    Body(ask): Body<RefundAsk>,
) -> Result<Response, Problem> {
    let what = ask.check()?;
    let wish = wish(&node, &caller, id, &headers, Some(ask.reason)).await?;
    let found = {
        let node = Arc::clone(&node);
        blocking(move || Ok(node.refunds(&wish, what))).await??
    };
    if found.is_empty() {
        return Err(
            Problem::new(Code::NothingToRefund, "nothing charged in that period is left to refund").at("period")
        );
    }
    let records = node.carry_out(found.clone()).await?;
    let commands: Vec<_> =
        found.iter().zip(&records).map(|(command, record)| answer(command, record.as_ref())).collect();
    let total: i128 = found.iter().zip(&records).map(|(command, record)| refunded(command, record.as_ref())).sum();
    let status = status(&commands.iter().collect::<Vec<_>>());
    Ok((status, Json(RefundAnswer { refund_nanos: total.to_string(), commands })).into_response())
}

/// What the first of the commands with this id gives back.
fn refunded(command: &Command, record: Option<&CommandRecord>) -> i128 {
    if record.is_some_and(|record| matches!(record.outcome, CommandOutcome::Refused(_))) {
        return 0;
    }
    let effect = record.map_or(command.effect, |record| record.entry.command.effect);
    if let Effect::Refund { amount, .. } = effect { Amount::nanos(amount) } else { 0 }
}

pub(super) async fn command(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path((id, command)): Path<(String, String)>,
) -> Result<Json<CommandAnswer>, Problem> {
    let AccountPath(id) = id.parse()?;
    holder(&node, &caller, id, Action::ReadMoney).await?;
    let absent = || Problem::new(Code::NotFound, "the ledger has not applied a command of that id to this account");
    let wanted = u128::from_str_radix(&command, 16).map(CommandId).map_err(|_| absent())?;
    let found = blocking(move || Ok(node.ledger.command(wanted)?)).await?;
    let found = found.filter(|record| record.entry.command.effect.account() == AdvertiserId(id)).ok_or_else(absent)?;
    Ok(Json(CommandAnswer::of(wanted, Some(&found))))
}

pub(super) async fn balance(
    State(node): State<Arc<Node>>,
    caller: Caller,
    AccountPath(id): AccountPath,
) -> Result<Json<AccountView>, Problem> {
    Ok(Json(balance_of(&node, &caller, id).await?))
}

pub(super) async fn balance_of(node: &Arc<Node>, caller: &Caller, id: u64) -> Result<AccountView, Problem> {
    let holder = holder(node, caller, id, Action::ReadMoney).await?;
    let (account, until) = looked_up(node, id).await?;
    Ok(AccountView::of(&account, &holder, until.map(instant)))
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementAsk {
    month: String,
    format: Option<String>,
}

pub(super) async fn statement(
    State(node): State<Arc<Node>>,
    caller: Caller,
    AccountPath(id): AccountPath,
    Params(ask): Params<StatementAsk>,
) -> Result<Response, Problem> {
    let csv = one_of("format", ask.format.as_deref(), is_csv, ["json", "csv"].into_iter())?.unwrap_or(false);
    let view = statement_of(&node, &caller, id, &ask.month).await?;
    if csv {
        let name = format!("attachment; filename=\"statement-{id}-{}.csv\"", ask.month);
        let headers =
            [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
        return Ok((headers, view.csv()).into_response());
    }
    Ok(Json(view).into_response())
}

pub(super) async fn statement_of(
    node: &Arc<Node>,
    caller: &Caller,
    id: u64,
    of: &str,
) -> Result<StatementView, Problem> {
    let days = month(of)?;
    let holder = holder(node, caller, id, Action::ReadMoney).await?;
    let (account, until) = looked_up(node, id).await?;
    let statement = account.statement(days, |at| holder.calendar.day(at));
    let ends = last_charge(node, &holder.calendar, days.to);
    let complete = (until.map(instant), until.is_some_and(|until| until > ends));
    Ok(StatementView::of(&account, &holder, (of, &statement), complete))
}

async fn looked_up(node: &Arc<Node>, id: u64) -> Result<(Account, Option<Timestamp>), Problem> {
    let place = node.lanes.accounts.enter_soon().await?;
    ledger::asked(node, place, move |_, ledger| account(ledger, AdvertiserId(id))).await
}

/// After that no event can charge a day before `to` any more.
fn last_charge(node: &Node, calendar: &Calendar, to: litfass_types::Day) -> Timestamp {
    calendar.start(to) + node.config.ledger.token_ttl
}
