//! What a user wants done with what is known of them.

use litfass_types::{TenantId, UserHash};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wish {
    /// Forget what is known; what comes later is kept again.
    Erase,
    /// Forget it, and keep nothing from now on.
    OptOut,
    /// Keep things again.
    OptIn,
}

impl Wish {
    pub const ALL: [Self; 3] = [Self::Erase, Self::OptOut, Self::OptIn];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Erase => "erase",
            Self::OptOut => "opt_out",
            Self::OptIn => "opt_in",
        }
    }

    /// Whether what is known goes.
    #[must_use]
    pub const fn forgets(self) -> bool {
        matches!(self, Self::Erase | Self::OptOut)
    }
}

/// Obeyed by every fold where it stands in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Privacy {
    pub tenant: TenantId,
    pub user: UserHash,
    pub wish: Wish,
}
