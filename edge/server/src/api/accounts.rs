//! `/v1/accounts`: what is asked of an account and what it answers. Amounts come in micros and go out in nanos, as decimal
//! texts, because they may pass what a JSON number holds exactly.

use litfass_ledger::{
    Account, Amount, Charge, CommandId, CommandOutcome, CommandRecord, Days, Effect, Move, MoveKind, Statement, carried,
};
use litfass_types::{Calendar, Day, DecisionId, TenantId};
use serde::{Deserialize, Serialize};

use super::csv::Csv;
use super::instant::instant;
use super::invalid::{Invalid, bounded};

/// The longest reason, in bytes.
pub const REASON_MAX: usize = 1_024;
const NANOS_PER_MICRO: i128 = 1_000;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct DepositAsk {
    pub amount_micros: i64,
    pub reason: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct CreditAsk {
    pub limit_micros: i64,
    pub reason: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AdjustAsk {
    /// Negative takes away.
    pub amount_micros: i64,
    pub reason: String,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct RefundAsk {
    pub event: Option<EventAsk>,
    pub period: Option<PeriodAsk>,
    pub reason: String,
}

/// The billed event of one shown slot.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct EventAsk {
    pub decision_id: String,
    /// Over all ads shown in the decision, from 0.
    pub slot: u8,
}

/// Everything that was charged in these budget days and is not refunded yet.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct PeriodAsk {
    pub campaign_id: Option<u64>,
    pub line_item_id: Option<u64>,
    /// The first budget day.
    pub from: String,
    /// The first one after it.
    pub to: String,
}

/// What a refund is for, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refunded {
    Event { decision: DecisionId, slot: u8 },
    Period { campaign: Option<u64>, line_item: Option<u64>, days: Days },
}

fn positive(field: &str, micros: i64) -> Result<Amount, Invalid> {
    let refused = || Invalid::new(field, "must be above zero");
    if micros <= 0 { Err(refused()) } else { Amount::new(i128::from(micros) * NANOS_PER_MICRO).map_err(|_| refused()) }
}

impl DepositAsk {
    /// # Errors
    /// Names the field that is out of range.
    pub fn check(&self) -> Result<Amount, Invalid> {
        bounded("reason", self.reason.as_deref(), REASON_MAX)?;
        positive("amount_micros", self.amount_micros)
    }
}

impl CreditAsk {
    /// # Errors
    /// Names the field that is out of range.
    pub fn check(&self) -> Result<Amount, Invalid> {
        bounded("reason", self.reason.as_deref(), REASON_MAX)?;
        Amount::new(i128::from(self.limit_micros) * NANOS_PER_MICRO)
            .map_err(|_| Invalid::new("limit_micros", "must not be negative"))
    }
}

impl AdjustAsk {
    /// In nanos.
    ///
    /// # Errors
    /// Names the field that is out of range.
    pub fn check(&self) -> Result<i128, Invalid> {
        bounded("reason", Some(&self.reason), REASON_MAX)?;
        if self.amount_micros == 0 {
            return Err(Invalid::new("amount_micros", "must not be zero"));
        }
        Ok(i128::from(self.amount_micros) * NANOS_PER_MICRO)
    }
}

impl RefundAsk {
    /// # Errors
    /// Names the field that is missing or out of range.
    pub fn check(&self) -> Result<Refunded, Invalid> {
        bounded("reason", Some(&self.reason), REASON_MAX)?;
        match (&self.event, &self.period) {
            (Some(event), None) => event.check().map_err(|e| e.below("event")),
            (None, Some(period)) => period.check().map_err(|e| e.below("period")),
            _ => Err(Invalid::new("event", "give either an event or a period")),
        }
    }
}

impl EventAsk {
    fn check(&self) -> Result<Refunded, Invalid> {
        let parsed = self.decision_id.parse();
        let decision = parsed.map_err(|e: litfass_types::MalformedId| Invalid::new("decision_id", e.to_string()))?;
        Ok(Refunded::Event { decision, slot: self.slot })
    }
}

impl PeriodAsk {
    fn check(&self) -> Result<Refunded, Invalid> {
        let day = |field: &str, text: &str| text.parse::<Day>().map_err(|e| Invalid::new(field, e.to_string()));
        let days = Days { from: day("from", &self.from)?, to: day("to", &self.to)? };
        if days.from >= days.to {
            return Err(Invalid::new("to", "must be after `from`: it is the first day that is not refunded"));
        }
        Ok(Refunded::Period { campaign: self.campaign_id, line_item: self.line_item_id, days })
    }
}

/// The days of a month such as `2026-11`.
///
/// # Errors
/// When it is not written so.
pub fn month(text: &str) -> Result<Days, Invalid> {
    let invalid = || Invalid::new("month", "is written like 2026-11");
    let first: jiff::civil::Date = format!("{text}-01").parse().map_err(|_| invalid())?;
    let next = first.checked_add(jiff::Span::new().months(1)).map_err(|_| invalid())?;
    let day = |date: jiff::civil::Date| date.to_string().parse::<Day>().map_err(|_| invalid());
    if text.len() == 7 { Ok(Days { from: day(first)?, to: day(next)? }) } else { Err(invalid()) }
}

/// What became of a command.
#[derive(Serialize, Debug)]
pub struct CommandAnswer {
    pub command_id: String,
    /// `accepted` until the ledger has applied it.
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

#[derive(Serialize, Debug)]
pub struct EffectView {
    pub kind: &'static str,
    /// The change, or the new limit; none for no limit.
    pub nanos: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_item_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
}

impl EffectView {
    fn of(effect: &Effect) -> Self {
        use litfass_ledger::Limit;
        let plain = |kind, nanos: Option<i128>| Self {
            kind,
            nanos: nanos.map(|n| n.to_string()),
            campaign_id: None,
            line_item_id: None,
            day: None,
        };
        match *effect {
            Effect::Deposit { amount, .. } => plain("deposit", Some(amount.nanos())),
            Effect::Adjust { nanos, .. } => plain("adjustment", Some(nanos)),
            Effect::Refund { chain, amount, .. } => Self {
                campaign_id: Some(chain.campaign.0),
                line_item_id: Some(chain.line_item.0),
                day: Some(chain.day.to_string()),
                ..plain("refund", Some(amount.nanos()))
            },
            Effect::SetLimit(Limit::Credit { limit, .. }) => plain("credit_limit", Some(limit.nanos())),
            Effect::SetLimit(Limit::CampaignLifetime { campaign, limit, .. }) => {
                Self { campaign_id: Some(campaign.0), ..plain("lifetime_budget", limit.map(Amount::nanos)) }
            }
            Effect::SetLimit(Limit::CampaignDaily { campaign, from, limit, .. }) => Self {
                campaign_id: Some(campaign.0),
                day: Some(from.to_string()),
                ..plain("daily_budget", limit.map(Amount::nanos))
            },
            Effect::SetLimit(Limit::LineItem { line_item, limit, .. }) => {
                Self { line_item_id: Some(line_item.0), ..plain("line_item_budget", limit.map(Amount::nanos)) }
            }
        }
    }
}

impl CommandAnswer {
    #[must_use]
    pub fn of(id: CommandId, record: Option<&CommandRecord>) -> Self {
        let command_id = id.to_string();
        let Some(record) = record else {
            let (refused_because, effect, by, reason, time) = (None, None, None, None, None);
            return Self { command_id, outcome: "accepted", refused_because, effect, by, reason, time };
        };
        let (outcome, refused_because) = match record.outcome {
            CommandOutcome::Applied | CommandOutcome::Repeated => ("applied", None),
            CommandOutcome::Waiting => ("waiting", None),
            CommandOutcome::Refused(objection) => ("refused", Some(objection.to_string())),
        };
        let command = &record.entry.command;
        let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Self {
            command_id,
            outcome,
            refused_because,
            effect: Some(EffectView::of(&command.effect)),
            by: said(&command.note.by),
            reason: said(&command.note.reason),
            time: Some(instant(record.entry.appended)),
        }
    }
}

#[derive(Serialize, Debug)]
pub struct RefundAnswer {
    /// What the commands below give back when all are applied.
    pub refund_nanos: String,
    pub commands: Vec<CommandAnswer>,
}

#[derive(Serialize, Debug)]
pub struct AccountView {
    pub account_id: u64,
    pub tenant_id: u64,
    pub name: String,
    pub time_zone: String,
    pub deposits_nanos: String,
    /// May be negative.
    pub adjustments_nanos: String,
    pub refunds_nanos: String,
    pub spent_nanos: String,
    /// deposits + adjustments + refunds − spent; negative where credit is used.
    pub balance_nanos: String,
    pub credit_limit_nanos: String,
    /// Promised to ads that were shown or may be within the next minute, and not charged yet.
    pub reserved_nanos: String,
    /// What new ads can still be shown for.
    pub available_nanos: String,
    /// Everything recorded before is in these figures; none before anything was.
    pub complete_until: Option<String>,
}

/// Whose account it is.
#[derive(Clone, Debug)]
pub struct Holder {
    pub tenant: TenantId,
    pub name: String,
    pub calendar: Calendar,
}

impl AccountView {
    #[must_use]
    pub fn of(account: &Account, holder: &Holder, complete_until: Option<String>) -> Self {
        let control = &account.control;
        Self {
            account_id: account.id.0,
            tenant_id: holder.tenant.0,
            name: holder.name.clone(),
            time_zone: holder.calendar.name().to_owned(),
            deposits_nanos: account.moved(MoveKind::Deposit).to_string(),
            adjustments_nanos: account.moved(MoveKind::Adjustment).to_string(),
            refunds_nanos: account.moved(MoveKind::Refund).to_string(),
            spent_nanos: control.spent.nanos().to_string(),
            balance_nanos: account.balance().to_string(),
            credit_limit_nanos: account.funding.credit.nanos().to_string(),
            reserved_nanos: control.leased.nanos().to_string(),
            available_nanos: control.available().nanos().to_string(),
            complete_until,
        }
    }
}

#[derive(Serialize, Debug)]
pub struct StatementView {
    pub account_id: u64,
    pub tenant_id: u64,
    pub name: String,
    pub month: String,
    pub time_zone: String,
    pub opening: BalanceView,
    pub charges: Vec<ChargeView>,
    pub movements: Vec<MoveView>,
    pub charged_nanos: String,
    pub moved_nanos: String,
    pub closing: BalanceView,
    /// Everything recorded before is in the statement.
    pub complete_until: Option<String>,
    /// No event can change it any more.
    pub is_final: bool,
}

/// The same balance to the nano, and as whole micros with what is carried over.
#[derive(Serialize, Debug)]
pub struct BalanceView {
    pub nanos: String,
    /// Rounded down.
    pub micros: String,
    /// 0 … 999: not in `micros`, carried into the next month.
    pub residue_nanos: String,
}

impl BalanceView {
    fn of(nanos: i128) -> Self {
        let (micros, residue) = carried(nanos);
        Self { nanos: nanos.to_string(), micros: micros.to_string(), residue_nanos: residue.to_string() }
    }
}

#[derive(Serialize, Debug)]
pub struct ChargeView {
    pub day: String,
    pub campaign_id: u64,
    pub line_item_id: u64,
    pub events: u64,
    pub nanos: String,
}

#[derive(Serialize, Debug)]
pub struct MoveView {
    pub kind: &'static str,
    pub time: String,
    /// What the account gained.
    pub nanos: String,
    pub command_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_item_id: Option<u64>,
    /// The budget day that was refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    pub by: String,
    pub reason: String,
}

impl From<&Charge> for ChargeView {
    fn from(charge: &Charge) -> Self {
        Self {
            day: charge.day.to_string(),
            campaign_id: charge.campaign.0,
            line_item_id: charge.line_item.0,
            events: charge.events,
            nanos: charge.amount.nanos().to_string(),
        }
    }
}

impl From<&Move> for MoveView {
    fn from(m: &Move) -> Self {
        Self {
            kind: m.kind.name(),
            time: instant(m.at),
            nanos: m.nanos.to_string(),
            command_id: m.command.to_string(),
            campaign_id: m.chain.map(|chain| chain.campaign.0),
            line_item_id: m.chain.map(|chain| chain.line_item.0),
            day: m.chain.map(|chain| chain.day.to_string()),
            by: m.note.by.clone(),
            reason: m.note.reason.clone(),
        }
    }
}

impl StatementView {
    #[must_use]
    pub fn of(
        account: &Account,
        holder: &Holder,
        (month, statement): (&str, &Statement),
        (complete_until, is_final): (Option<String>, bool),
    ) -> Self {
        let charged: i128 = statement.charges.iter().map(|charge| charge.amount.nanos()).sum();
        let moved: i128 = statement.moves.iter().map(|m| m.nanos).sum();
        Self {
            account_id: account.id.0,
            tenant_id: holder.tenant.0,
            name: holder.name.clone(),
            month: month.to_owned(),
            time_zone: holder.calendar.name().to_owned(),
            opening: BalanceView::of(statement.opening),
            charges: statement.charges.iter().map(ChargeView::from).collect(),
            movements: statement.moves.iter().map(MoveView::from).collect(),
            charged_nanos: charged.to_string(),
            moved_nanos: moved.to_string(),
            closing: BalanceView::of(statement.closing),
            complete_until,
            is_final,
        }
    }

    /// One line per entry, from the opening balance to the closing one; their nanos add up to the closing balance.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut csv = Csv::new(&[
            "entry",
            "time",
            "campaign_id",
            "line_item_id",
            "events",
            "nanos",
            "command_id",
            "by",
            "reason",
        ]);
        csv.row([&"opening", &self.month, &"", &"", &"", &self.opening.nanos, &"", &"", &""]);
        for charge in &self.charges {
            let nanos = format!("-{}", charge.nanos);
            let (campaign, line_item) = (charge.campaign_id, charge.line_item_id);
            csv.row([&"charge", &charge.day, &campaign, &line_item, &charge.events, &nanos, &"", &"", &""]);
        }
        for m in &self.movements {
            let id = |id: Option<u64>| id.map_or_else(String::new, |id| id.to_string());
            let (campaign, line_item) = (id(m.campaign_id), id(m.line_item_id));
            csv.row([&m.kind, &m.time, &campaign, &line_item, &"", &m.nanos, &m.command_id, &m.by, &m.reason]);
        }
        csv.row([&"closing", &self.month, &"", &"", &"", &self.closing.nanos, &"", &"", &""]);
        csv.finish()
    }
}
