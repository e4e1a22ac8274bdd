//! A decision as its caller reads it.

use litfass_types::DecisionId;
use serde::Deserialize;
use serde_json::Value;

use crate::crowd::ShownAd;

/// The ads of a decision in page order, with where to report what happens to each.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub decision: DecisionId,
    pub ads: Vec<ShownAd>,
    /// One per ad.
    pub tracking: Vec<Tracking>,
}

/// URLs relative to the server.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Tracking {
    pub impression: String,
    pub viewable: String,
    pub click: String,
}

/// The token that a tracking URL ends in.
pub(crate) fn token(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

#[derive(Deserialize)]
struct Response {
    decision_id: String,
    placements: Vec<Placement>,
}

#[derive(Deserialize)]
struct Placement {
    id: u64,
    ads: Vec<Ad>,
}

#[derive(Deserialize)]
struct Ad {
    slot: u8,
    ad_id: u64,
    item: Option<String>,
    tracking: Tracking,
}

impl Served {
    /// `None` where the body is not a decision.
    pub(crate) fn read(body: &Value) -> Option<Self> {
        let response = Response::deserialize(body).ok()?;
        let decision = response.decision_id.parse().ok()?;
        let mut served = Self { decision, ads: Vec::new(), tracking: Vec::new() };
        for placement in response.placements {
            for ad in placement.ads {
                served.ads.push(ShownAd { placement: placement.id, slot: ad.slot, ad_id: ad.ad_id, item: ad.item });
                served.tracking.push(ad.tracking);
            }
        }
        Some(served)
    }
}
