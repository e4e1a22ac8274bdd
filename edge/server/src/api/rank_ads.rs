//! `POST /rank_ads`, the short form: a page type instead of placements, the user's raw id, a number of ads.

use litfass_catalog::Catalog;
use litfass_types::PlacementId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decisions::{ContextAsk, DecisionRequest, PlacementAsk, SLOTS_MAX, Tracking};
use super::invalid::{Invalid, fit};
use crate::access::Caller;
use crate::problem::Code;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct RankAdsRequest {
    /// A number or a text.
    pub user_id: Option<Value>,
    pub context: RankContext,
    pub num_ads: u8,
}

/// `geo` is a country's code; whatever else the caller knows is named as in `/v1/decisions`.
#[derive(Deserialize, Debug)]
pub struct RankContext {
    pub page_type: String,
    pub geo: Option<String>,
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

#[derive(Serialize, Debug)]
pub struct RankAdsResponse {
    /// The keyed hash; the raw id is stored nowhere.
    pub user_id: Option<String>,
    pub ranked_ads: Vec<RankedAd>,
}

#[derive(Serialize, Debug)]
pub struct RankedAd {
    pub ad_id: u64,
    /// Expected value per impression in currency units, for display; ranking used the exact integer.
    pub score: f64,
    pub assets: Assets,
    pub tracking: Tracking,
}

#[derive(Serialize, Debug)]
pub struct Assets {
    pub title: String,
    pub text: String,
    pub image_url: Option<String>,
}

impl RankAdsRequest {
    /// The same question in the long form.
    ///
    /// # Errors
    /// Names the field that is of the wrong type, outside its limits or unknown to the catalog.
    pub fn into_decision(self, catalog: &Catalog, caller: &Caller) -> Result<DecisionRequest, Invalid> {
        let placement = self.placement(catalog, caller)?;
        let context = self.context.into_context().map_err(|e| e.below("context"))?;
        Ok(DecisionRequest {
            request_id: None,
            user_id: self.user_id.map(user_text).transpose()?,
            placements: vec![PlacementAsk { id: placement.0, slots: self.num_ads, floor_micros: None }],
            context,
            personalise: true,
            explain: false,
            test: false,
        })
    }

    fn placement(&self, catalog: &Catalog, caller: &Caller) -> Result<PlacementId, Invalid> {
        let page = &self.context.page_type;
        let unknown = || {
            Invalid::unknown(
                Code::UnknownPlacement,
                "context.page_type",
                format!("no placement has the page type {page:?}"),
            )
        };
        let placement = catalog.placement_by_page_type(page);
        let placement = placement.filter(|placement| caller.reaches(placement.tenant)).ok_or_else(unknown)?;
        let most = placement.slots_max.min(SLOTS_MAX);
        if self.num_ads == 0 || self.num_ads > most {
            return Err(Invalid::new("num_ads", format!("must be 1 to {most} at this placement")));
        }
        Ok(placement.id)
    }
}

impl RankContext {
    fn into_context(self) -> Result<ContextAsk, Invalid> {
        let mut context: ContextAsk = fit(Value::Object(self.rest))?;
        if let Some(geo) = self.geo
            && context.country.replace(geo).is_some()
        {
            return Err(Invalid::new("geo", "is given beside country: give one of them"));
        }
        Ok(context)
    }
}

fn user_text(id: Value) -> Result<String, Invalid> {
    match id {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(Invalid::new("user_id", "is a number or a text"))
        }
    }
}
