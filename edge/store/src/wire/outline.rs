//! A decision in outline: what followers of the log read of a record, without its columns.

use litfass_decide::PlacementRequest;
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, DecisionId, LineItemId, PlacementId, TenantId, Timestamp, Traffic,
    UserHash,
};

use super::decision::{LIST_MAX, PLACEMENTS_MAX, TEXT_MAX, placement};
use super::field::{WireError, Within, at_most, each, id128, optional_user, required, short, traffic};
use super::proto;

/// What folds, billing and reports need to know of a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    pub id: DecisionId,
    pub now: Timestamp,
    pub tenant: TenantId,
    pub user: Option<UserHash>,
    pub personalise: bool,
    pub traffic: Traffic,
    pub placements: Vec<PlacementRequest>,
    /// Per placement of the request: candidates, however they ended.
    pub candidates: Vec<u64>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Something that the decision asked did not answer.
    pub degraded: bool,
    pub shown: Vec<ShownOutline>,
}

/// One ad that was shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShownOutline {
    pub placement: PlacementId,
    pub ad: AdId,
    pub creative: CreativeId,
    pub line_item: LineItemId,
    pub campaign: CampaignId,
    pub advertiser: AdvertiserId,
}

pub(super) fn from_proto(message: proto::DecisionOutline) -> Result<Outline, WireError> {
    at_most(&message.counts, PLACEMENTS_MAX, "counts")?;
    at_most(&message.shown, LIST_MAX, "shown")?;
    let inputs = required(message.inputs, "inputs")?;
    let request = required(inputs.request, "inputs.request")?;
    at_most(&request.placements, PLACEMENTS_MAX, "inputs.request.placements")?;
    let country = request.context.and_then(|context| context.country);
    Ok(Outline {
        id: DecisionId(id128(&message.id).within("id")?),
        now: Timestamp(inputs.now_ms),
        tenant: TenantId(request.tenant),
        user: optional_user(request.user.as_ref(), "inputs.request.user")?,
        personalise: request.personalise,
        traffic: traffic(request.traffic, "inputs.request.traffic")?,
        candidates: message.counts.iter().map(candidates).collect(),
        placements: each(request.placements, "inputs.request.placements", placement)?,
        country: country.map(|text| short(text, TEXT_MAX, "inputs.request.context.country")).transpose()?,
        degraded: !inputs.degraded.is_empty(),
        shown: message.shown.iter().map(shown).collect(),
    })
}

fn candidates(message: &proto::CountsOutline) -> u64 {
    message.count.iter().map(|count| u64::from(*count)).sum()
}

const fn shown(message: &proto::ShownOutline) -> ShownOutline {
    ShownOutline {
        placement: PlacementId(message.placement_id),
        ad: AdId(message.ad),
        creative: CreativeId(message.creative),
        line_item: LineItemId(message.line_item),
        campaign: CampaignId(message.campaign),
        advertiser: AdvertiserId(message.advertiser),
    }
}
