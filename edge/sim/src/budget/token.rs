//! What was shown: all that an event needs to bill.

use litfass_ledger::{Billable, Chain, Claim, ClaimId, Country, Facet, Quarter};
use litfass_types::{AdId, CreativeId, DecisionId, LeaseId, PlacementId, Price, TenantId, Timestamp, Traffic};

#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) line_item: usize,
    pub(super) decision: DecisionId,
    pub(super) slot: u8,
    pub(super) kind: Billable,
    pub(super) tenant: TenantId,
    pub(super) chain: Chain,
    pub(super) price: Price,
    pub(super) lease: LeaseId,
    pub(super) hold_expires: Timestamp,
    pub(super) token_expires: Timestamp,
}

impl Token {
    pub(super) fn id(&self) -> ClaimId {
        ClaimId { decision: self.decision, slot: self.slot, kind: self.kind, order: String::new() }
    }

    pub(super) fn claim(&self) -> Claim {
        Claim {
            id: self.id(),
            tenant: self.tenant,
            chain: self.chain,
            facet: self.facet(),
            viewer: None,
            price: self.price,
            lease: self.lease,
            hold_expires: self.hold_expires,
            token_expires: self.token_expires,
        }
    }

    fn facet(&self) -> Facet {
        Facet {
            quarter: Quarter::of(self.decision.time()),
            ad: AdId(1),
            creative: CreativeId(1),
            placement: PlacementId(1),
            country: Country::UNKNOWN,
            traffic: Traffic::Human,
        }
    }
}
