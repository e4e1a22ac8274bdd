//! Why something was not shown: one closed table in two parts.
//!
//! `Ineligible` is decided on bitmaps before the sources, so it has no row, only counts. `Fate` is how a row ends at one
//! placement. Explain, metrics, logs and an exchange's loss codes all read the texts and codes from here.

/// The order in which reasons are looked for: a technical obstacle is named before a rule, a rule before a lost competition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    Technical,
    Business,
    Competition,
}

/// What the table says of one reason. `loss_code` is OpenRTB 2.6's list 4.25 (loss reasons).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reason {
    /// Metric label and machine-readable name.
    pub code: &'static str,
    pub stage: Stage,
    /// For people.
    pub text: &'static str,
    pub loss_code: u16,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal, $code:literal, $stage:ident, $loss:literal, $text:literal;)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $name { $($variant = $number),* }
        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];
            #[must_use]
            pub const fn reason(self) -> Reason {
                match self {
                    $(Self::$variant => Reason { code: $code, stage: Stage::$stage, text: $text, loss_code: $loss },)*
                }
            }
            /// The number that records keep; never reused.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }
            #[must_use]
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|r| r.number() == number)
            }
        }
    )*};
}

reasons! {
    /// Why a line item had no candidate at all: the first predicate, in this order, that it failed.
    Ineligible {
        Tenant = 1, "tenant", Technical, 1, "belongs to another tenant than the placement";
        Status = 2, "status", Technical, 1, "paused or archived, itself or something above it";
        Flight = 3, "flight", Technical, 1, "outside its flight dates";
        Targeting = 4, "targeting", Business, 200, "its targeting does not match the request";
        Funds = 5, "funds", Business, 1, "no budget or credit left at some level";
        PacedOut = 6, "paced_out", Business, 1, "held back by pacing";
    }
    /// How a row ends at a placement.
    Fate {
        Shown = 1, "shown", Competition, 0, "won a slot and is shown";
        FormatMismatch = 2, "format_mismatch", Technical, 204, "the placement does not take creatives of this format or size";
        CreativeRejected = 3, "creative_rejected", Business, 202, "its creative is not approved";
        ConsentMissing = 4, "consent_missing", Business, 200, "it needs a consent that the viewer has not given";
        Blocked = 5, "blocked", Business, 205, "the placement blocks this advertiser or category";
        Capped = 6, "capped", Business, 200, "the viewer has seen it as often as its frequency cap allows";
        BelowCut = 7, "below_cut", Competition, 102, "its first-phase score was below the cut to the auction";
        BelowFloor = 8, "below_floor", Competition, 100, "worth less than the placement's floor";
        AlreadyShown = 9, "already_shown", Competition, 102, "this ad or its line item is shown elsewhere on the page";
        AdvertiserLimit = 10, "advertiser_limit", Competition, 205, "its advertiser already has as many slots as the placement allows";
        ExcludedByRival = 11, "excluded_by_rival", Competition, 205, "a competitor that must not stand beside it won a slot";
        Outbid = 12, "outbid", Competition, 102, "others were worth more in every slot";
        HoldRefused = 13, "hold_refused", Business, 1, "won, but its budget had nothing left to reserve";
        PlacementMismatch = 14, "placement_mismatch", Business, 200, "its targeting leaves out this placement of the page";
        PassedOver = 15, "passed_over", Competition, 102, "would have won the last slot, which was kept for exploration and drawn for another";
        CapsUnknown = 16, "caps_unknown", Business, 200, "it has a frequency cap, and how often the viewer has seen it is not known";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_number_and_a_code_of_its_own() {
        for (i, a) in Fate::ALL.iter().enumerate() {
            assert_eq!(Fate::from_number(a.number()), Some(*a));
            assert!(Fate::ALL[i + 1..].iter().all(|b| b.reason().code != a.reason().code && b.number() != a.number()));
        }
    }
}
