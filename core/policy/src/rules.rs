//! The rules, in the order in which they are asked.

use litfass_catalog::model::{Format, Review};
use litfass_types::{AdvertiserId, Fate, Stage};

use crate::placement::PlacementRules;

/// One candidate at one placement: all that a rule may look at.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub format: Format,
    pub review: Review,
    pub needs_consent: bool,
    pub advertiser: AdvertiserId,
    /// The ad has a category that the placement blocks.
    pub category_blocked: bool,
    /// Its targeting mentions placements and does not match at this one.
    pub off_target: bool,
    /// The viewer has used up a frequency cap of the ad, its line item, its campaign or its advertiser.
    pub cap_reached: bool,
    /// It has such a cap, and how much of it is used nobody knows.
    pub cap_unknown: bool,
    /// The viewer allows personal data to be used.
    pub personalise: bool,
    pub placement: &'a PlacementRules,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub name: &'static str,
    /// What a candidate that breaks it is marked with; the table's order is that of the fates' stages.
    pub fate: Fate,
    pub is_broken: fn(&Case<'_>) -> bool,
}

impl Rule {
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.fate.reason().stage
    }
}

/// Every rule that is in force.
pub const RULES: [Rule; 9] = [
    Rule {
        name: "the placement takes the creative's format",
        fate: Fate::FormatMismatch,
        is_broken: |case| !case.placement.takes(case.format),
    },
    Rule {
        name: "the creative was not rejected",
        fate: Fate::CreativeRejected,
        is_broken: |case| case.review == Review::Rejected,
    },
    Rule {
        name: "the creative's review is over",
        fate: Fate::CreativeRejected,
        is_broken: |case| case.review == Review::Pending,
    },
    Rule {
        name: "the viewer has given the consent that it needs",
        fate: Fate::ConsentMissing,
        is_broken: |case| case.needs_consent && !case.personalise,
    },
    Rule {
        name: "the placement does not block the advertiser",
        fate: Fate::Blocked,
        is_broken: |case| case.placement.blocks_advertiser(case.advertiser),
    },
    Rule {
        name: "the placement blocks none of the ad's categories",
        fate: Fate::Blocked,
        is_broken: |case| case.category_blocked,
    },
    Rule {
        name: "its targeting matches at this placement",
        fate: Fate::PlacementMismatch,
        is_broken: |case| case.off_target,
    },
    Rule { name: "no frequency cap is reached", fate: Fate::Capped, is_broken: |case| case.cap_reached },
    Rule {
        name: "how often the viewer saw what has a frequency cap is known",
        fate: Fate::CapsUnknown,
        is_broken: |case| case.cap_unknown,
    },
];

const TABLE: &[Rule] = &RULES;

/// The first rule that the case breaks.
#[must_use]
pub fn first_broken(case: &Case<'_>) -> Option<&'static Rule> {
    TABLE.iter().find(|rule| (rule.is_broken)(case))
}

/// Every rule that the case breaks, in the table's order.
pub fn all_broken(case: &Case<'_>) -> impl Iterator<Item = &'static Rule> {
    TABLE.iter().filter(|rule| (rule.is_broken)(case))
}
