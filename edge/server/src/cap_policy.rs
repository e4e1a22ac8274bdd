//! What becomes of ads with a frequency cap where nobody can tell how often the viewer has seen them.

/// What the operator chose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CapPolicy {
    pub without_id: WithoutId,
    pub when_unavailable: WhenUnavailable,
}

/// For a viewer without an id, or who has not agreed to be known by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WithoutId {
    /// They see such ads as if they had seen none.
    Serve,
    /// They see none of them.
    SkipCapped,
}

impl WithoutId {
    pub const ALL: [Self; 2] = [Self::Serve, Self::SkipCapped];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::SkipCapped => "skip_capped",
        }
    }
}

/// While the store of caps does not answer, or is being filled again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WhenUnavailable {
    /// Nobody sees such ads.
    Closed,
    /// Everybody may, and it is counted.
    Open,
}

impl WhenUnavailable {
    pub const ALL: [Self; 2] = [Self::Closed, Self::Open];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}
