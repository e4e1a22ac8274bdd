//! What ads that were handed out may still cost.

use anyhow::Result;
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_ledger::{Chain, ControlId};
use litfass_store::ledger::LedgerReader;
use litfass_types::{AdvertiserId, CampaignId};

use crate::node::Node;

impl Node {
    /// What tokens that are out may still bill of what was reserved for them, for a campaign or an advertiser, rounded up:
    /// leased by the ledger, less what this process has not held.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn outstanding_micros(&self, ledger: &dyn LedgerReader, object: ObjectRef) -> Result<i64> {
        let account = object.kind == ObjectKind::Advertiser;
        let id = if account {
            ControlId::Account(AdvertiserId(object.id))
        } else {
            ControlId::Campaign(CampaignId(object.id))
        };
        let beneath =
            |chain: &Chain| if account { chain.account.0 == object.id } else { chain.campaign.0 == object.id };
        // In this order: what is given back in between is counted as reserved rather than missed.
        let unheld = self.decider.promises.holds().unheld(beneath);
        let leased = ledger.controls(&[id])?.first().map_or(0, |control| control.leased.nanos());
        let nanos = (leased - unheld.nanos()).max(0);
        Ok(i64::try_from((nanos + 999) / 1_000).unwrap_or(i64::MAX))
    }
}
