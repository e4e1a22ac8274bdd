//! Decisions: asked for in the long and the short form, and explained afterwards.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use litfass_decide::AdRequest;
use litfass_types::{DecisionId, TenantId, Value};

use super::blocking;
use crate::access::{Action, Caller, Scope};
use crate::api::decisions::{AdAnswer, CreativeAnswer, DecisionRequest, DecisionResponse, PlacementAnswer, class_of};
use crate::api::rank_ads::{Assets, RankAdsRequest, RankAdsResponse, RankedAd};
use crate::console::view::ExplanationView;
use crate::decider::{Decided, Unavailable};
use crate::explain::{Viewpoint, explanation};
use crate::gateway::Arrival;
use crate::node::Node;
use crate::problem::{Body, Code, Problem, Raw, read_json};

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        match error {
            Unavailable::NotAppended(error) => error.into(),
            Unavailable::NoRandomness(error) => Self::internal(error),
        }
    }
}

pub(super) async fn decide(
    State(node): State<Arc<Node>>,
    caller: Caller,
    sent: Arrival,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let asked = Asked::of(&node, &caller, read_json(&body)?)?;
    let Some(id) = asked.request.request_id.clone() else {
        return Ok(Json(decided(&node, sent, asked).await?).into_response());
    };
    // Only now: what somebody may not ask takes no room in memory.
    let (now, again) = (node.clock.now(), Arc::clone(&node));
    let make = move || async move { rendered(&decided(&again, sent, asked).await?) };
    let answer = node.gateway.retries.answer((caller.key, id), &body, now, make).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], answer).into_response())
}

/// An answer as it is sent and kept for whoever asks again.
fn rendered(answer: &DecisionResponse) -> Result<Bytes, Problem> {
    let json = serde_json::to_vec(answer).map_err(Problem::internal)?;
    Ok(Bytes::from(json))
}

async fn decided(node: &Node, sent: Arrival, asked: Asked) -> Result<DecisionResponse, Problem> {
    let explain = asked.explain;
    let decided = match answer(node, sent, asked).await? {
        Answered::Decided(decided) => decided,
        Answered::Refused(request) => return Ok(DecisionResponse::refused(&request)),
    };
    let placements = decided.record.inputs.request.placements.iter().enumerate();
    Ok(DecisionResponse {
        decision_id: Some(decided.record.id.to_string()),
        traffic: class_of(&decided.record.inputs.request),
        user_id: decided.record.inputs.request.user.map(|u| u.to_string()),
        placements: placements.map(|(index, p)| PlacementAnswer { id: p.id.0, ads: ads(&decided, index) }).collect(),
        degraded: decided.record.inputs.degraded.iter().map(|port| port.name()).collect(),
        explain: explain.then(|| explanation(&decided.record, &decided.world.catalog, Viewpoint::Platform)),
    })
}

pub(super) async fn rank_ads(
    State(node): State<Arc<Node>>,
    caller: Caller,
    sent: Arrival,
    Body(ask): Body<RankAdsRequest>,
) -> Result<Json<RankAdsResponse>, Problem> {
    let ask = ask.into_decision(&node.world.load().catalog, &caller)?;
    let decided = match answer(&node, sent, Asked::of(&node, &caller, ask)?).await? {
        Answered::Decided(decided) => decided,
        Answered::Refused(_) => return Ok(Json(RankAdsResponse { user_id: None, ranked_ads: Vec::new() })),
    };
    let ranked = ads(&decided, 0).into_iter().zip(&decided.record.shown).map(|(ad, shown)| RankedAd {
        ad_id: ad.ad_id,
        score: currency_units(shown.value),
        assets: Assets { title: ad.creative.title, text: ad.creative.text, image_url: ad.creative.image_url },
        tracking: ad.tracking,
    });
    Ok(Json(RankAdsResponse {
        user_id: decided.record.inputs.request.user.map(|u| u.to_string()),
        ranked_ads: ranked.collect(),
    }))
}

/// Value per impression, for display.
fn currency_units(value: Value) -> f64 {
    crate::explain::value_micros(value) / 1e9
}

/// What became of a request.
enum Answered {
    Decided(Decided),
    /// Such traffic gets no ads.
    Refused(Box<AdRequest>),
}

/// A sound request of somebody who may ask it.
struct Asked {
    request: AdRequest,
    user: Option<String>,
    /// What it says of where the viewer comes from.
    said: Arrival,
    explain: bool,
}

impl Asked {
    fn of(node: &Node, caller: &Caller, ask: DecisionRequest) -> Result<Self, Problem> {
        caller.may(Action::Decide)?;
        let explain = ask.explain;
        if explain {
            caller.may(Action::Explain).map_err(|problem| problem.at("explain"))?;
        }
        let said = ask.context.arrival().map_err(|invalid| invalid.below("context"))?;
        let (request, user) = ask.check(&node.world.load().catalog, caller)?;
        Ok(Self { request, user, said, explain })
    }
}

async fn answer(node: &Node, sent: Arrival, asked: Asked) -> Result<Answered, Problem> {
    let Asked { mut request, user, said, explain } = asked;
    if !is_welcome(node, &mut request, said, sent) {
        return Ok(Answered::Refused(Box::new(request)));
    }
    know(node, &mut request, user)?;
    Ok(Answered::Decided(node.decider.decide(request, explain).await?))
}

/// Puts the viewer's hash into the request; who may not be known, or does not want to be, is nobody.
fn know(node: &Node, request: &mut AdRequest, user: Option<String>) -> Result<(), Problem> {
    let Some(user) = user.filter(|_| request.personalise) else { return Ok(()) };
    let hash = node.users.hash(request.tenant, &user);
    let hash = hash.map_err(Problem::internal)?;
    request.personalise = !node.ingest.choices.has_opted_out(hash);
    request.user = Some(hash).filter(|_| request.personalise);
    Ok(())
}

/// Finds out who or what asks, and adds what can be told of the viewer; false where such traffic gets no ads.
fn is_welcome(node: &Node, request: &mut AdRequest, said: Arrival, sent: Arrival) -> bool {
    let viewer = node.gateway.viewer(said, sent);
    if request.traffic.counts() {
        request.traffic = node.gateway.traffic(&viewer);
    }
    node.metrics.traffic.add(request.traffic, 1);
    let served = node.gateway.serves(request.traffic);
    if served {
        node.gateway.enrich(&mut request.context, &viewer);
    } else {
        node.metrics.traffic_refused.add(request.traffic, 1);
    }
    served
}

fn ads(decided: &Decided, placement: usize) -> Vec<AdAnswer> {
    let catalog = &decided.world.catalog;
    let shown = decided.record.shown.iter().zip(&decided.tracking);
    let here = shown.filter(|(shown, _)| usize::from(shown.placement) == placement);
    here.filter_map(|(shown, tracking)| {
        let ix = catalog.ad_by_id(shown.ad)?;
        let creative = catalog.creative(catalog.ad(ix).creative);
        Some(AdAnswer {
            slot: shown.slot,
            ad_id: shown.ad.0,
            line_item_id: shown.line_item.0,
            campaign_id: shown.campaign.0,
            advertiser_id: shown.advertiser.0,
            item: catalog.item_text(ix).map(str::to_owned),
            creative: CreativeAnswer::of(&creative),
            tracking: tracking.clone(),
        })
    })
    .collect()
}

pub(super) async fn explain(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ExplanationView>, Problem> {
    explained(&node, &caller, &id).await.map(Json)
}

/// What the record says of that decision, as far as the caller may see it.
pub(super) async fn explained(node: &Arc<Node>, caller: &Caller, id: &str) -> Result<ExplanationView, Problem> {
    caller.may(Action::Explain)?;
    let unknown = |detail: String| Problem::new(Code::UnknownDecision, detail).at("id");
    let id: DecisionId = id.parse().map_err(|e: litfass_types::MalformedId| unknown(e.to_string()))?;
    let read = Arc::clone(node);
    let found = blocking(move || read.record_of(id)).await?;
    let absent = || unknown(format!("there is no record of decision {id}"));
    let record = found.ok_or_else(absent)?;
    let viewpoint = viewpoint(caller, record.inputs.request.tenant).ok_or_else(absent)?;
    let view = explanation(&record, &node.world.load().catalog, viewpoint);
    // A decision in which it took no part is none of an advertiser's business.
    if viewpoint != Viewpoint::Platform && view.candidates.is_empty() { Err(absent()) } else { Ok(view) }
}

/// What of a tenant's decision the caller may see; `None`: nothing.
fn viewpoint(caller: &Caller, tenant: TenantId) -> Option<Viewpoint> {
    match caller.scope {
        Scope::Advertiser(home, own) if home == tenant => Some(Viewpoint::Advertiser(own)),
        Scope::Platform | Scope::Tenant(_) | Scope::Advertiser(..) => {
            caller.reaches(tenant).then_some(Viewpoint::Platform)
        }
    }
}
