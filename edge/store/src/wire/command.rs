//! Admin commands.

use litfass_ledger::{Amount, Chain, Command, CommandId, Effect, Limit, Note};
use litfass_types::{AdvertiserId, CampaignId, Day, LineItemId, TenantId, Timestamp};

use super::field::{WireError, Within, id128, required, signed128};
use super::proto;

pub(super) fn to_proto(command: &Command) -> proto::Command {
    use proto::command::Effect as Message;
    let effect = match command.effect {
        Effect::Deposit { account, amount } => {
            Message::Deposit(proto::Deposit { account: account.0, amount: amount_to_proto(amount) })
        }
        Effect::SetLimit(limit) => Message::Limit(limit_to_proto(limit)),
        Effect::Refund { chain, day_ends, amount } => Message::Refund(proto::Refund {
            account: chain.account.0,
            campaign: chain.campaign.0,
            line_item: chain.line_item.0,
            day: chain.day.0,
            day_ends_ms: day_ends.0,
            amount: amount_to_proto(amount),
        }),
        Effect::Adjust { account, nanos } => {
            Message::Adjust(proto::Adjust { account: account.0, nanos: nanos.to_be_bytes().to_vec() })
        }
    };
    let Note { by, reason } = command.note.clone();
    proto::Command {
        id: command.id.0.to_be_bytes().to_vec(),
        tenant: command.tenant.0,
        effect: Some(effect),
        by,
        reason,
    }
}

fn limit_to_proto(limit: Limit) -> proto::Limit {
    use proto::limit::Level;
    let (account, amount, level) = match limit {
        Limit::Credit { account, limit } => (account, Some(limit), Level::Credit(proto::Credit {})),
        Limit::CampaignLifetime { account, campaign, limit } => (account, limit, Level::CampaignLifetime(campaign.0)),
        Limit::CampaignDaily { account, campaign, from, limit } => {
            let daily = proto::CampaignDaily { campaign: campaign.0, from_day: from.0 };
            (account, limit, Level::CampaignDaily(daily))
        }
        Limit::LineItem { account, line_item, limit } => (account, limit, Level::LineItem(line_item.0)),
    };
    proto::Limit { account: account.0, amount: amount.map(amount_to_proto), level: Some(level) }
}

fn amount_to_proto(amount: Amount) -> Vec<u8> {
    amount.nanos().to_be_bytes().to_vec()
}

pub(super) fn from_proto(command: proto::Command) -> Result<Command, WireError> {
    let id = CommandId(id128(&command.id).within("id")?);
    let effect = effect(required(command.effect, "effect")?)?;
    let note = Note { by: command.by, reason: command.reason };
    Ok(Command { id, tenant: TenantId(command.tenant), effect, note })
}

fn effect(effect: proto::command::Effect) -> Result<Effect, WireError> {
    use proto::command::Effect as Message;
    match effect {
        Message::Deposit(m) => {
            Ok(Effect::Deposit { account: AdvertiserId(m.account), amount: amount(&m.amount).within("deposit")? })
        }
        Message::Limit(m) => limit(&m).map(Effect::SetLimit).within("limit"),
        Message::Refund(m) => refund(&m).within("refund"),
        Message::Adjust(m) => {
            let nanos = signed128(&m.nanos).within("nanos").within("adjust")?;
            Ok(Effect::Adjust { account: AdvertiserId(m.account), nanos })
        }
    }
}

fn limit(message: &proto::Limit) -> Result<Limit, WireError> {
    use proto::limit::Level;
    let account = AdvertiserId(message.account);
    let limit = message.amount.as_deref().map(amount).transpose()?;
    Ok(match required(message.level, "level")? {
        Level::Credit(_) => Limit::Credit { account, limit: required(limit, "amount")? },
        Level::CampaignLifetime(campaign) => Limit::CampaignLifetime { account, campaign: CampaignId(campaign), limit },
        Level::CampaignDaily(m) => {
            Limit::CampaignDaily { account, campaign: CampaignId(m.campaign), from: Day(m.from_day), limit }
        }
        Level::LineItem(line_item) => Limit::LineItem { account, line_item: LineItemId(line_item), limit },
    })
}

fn refund(message: &proto::Refund) -> Result<Effect, WireError> {
    let chain = Chain {
        account: AdvertiserId(message.account),
        campaign: CampaignId(message.campaign),
        line_item: LineItemId(message.line_item),
        day: Day(message.day),
    };
    Ok(Effect::Refund { chain, day_ends: Timestamp(message.day_ends_ms), amount: amount(&message.amount)? })
}

fn amount(bytes: &[u8]) -> Result<Amount, WireError> {
    let nanos = signed128(bytes).within("amount")?;
    Amount::new(nanos).map_err(|e| WireError::invalid(e.to_string()).named("amount"))
}
