//! A look at an ad as a page would get it: nothing is decided, recorded, held or billed.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use litfass_catalog::{Catalog, ObjectKind};
use litfass_types::{AdId, AdIx};

use super::reference;
use crate::access::{Action, Caller};
use crate::api::catalog::PreviewAnswer;
use crate::api::decisions::CreativeAnswer;
use crate::node::Node;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new().route("/v1/ads/{id}/preview", post(previewed))
}

/// Of the catalog that is served, whatever the ad's status or its creative's review.
async fn previewed(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PreviewAnswer>, Problem> {
    caller.may(Action::ReadCatalog)?;
    let ad = AdId(reference(ObjectKind::Ad, &id)?.id);
    let catalog = &node.world.load().catalog;
    let ix = catalog.ad_by_id(ad).filter(|ix| {
        let line_item = catalog.line_item(catalog.line_item_of(*ix));
        caller.reaches_advertiser(line_item.tenant, line_item.advertiser)
    });
    let ix = ix.ok_or_else(|| Problem::new(Code::UnknownObject, format!("no ad {ad} is served")))?;
    Ok(Json(preview(catalog, ix)))
}

fn preview(catalog: &Catalog, ix: AdIx) -> PreviewAnswer {
    let ad = catalog.ad(ix);
    let (line_item, creative) = (catalog.line_item(ad.line_item), catalog.creative(ad.creative));
    PreviewAnswer {
        ad_id: ad.id.0,
        line_item_id: line_item.id.0,
        campaign_id: line_item.campaign.0,
        advertiser_id: line_item.advertiser.0,
        item: catalog.item_text(ix).map(str::to_owned),
        creative: CreativeAnswer::of(&creative),
        landing_url: creative.landing_url.to_owned(),
    }
}
