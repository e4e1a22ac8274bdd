//! Facts from outside and where they came from.

/// Where in the event log a fact was taken from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    pub partition: u16,
    pub offset: u64,
}

/// Which state of the catalog: the timeline is raised when a failed-over database is promoted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CatalogVersion {
    pub timeline: u32,
    pub sequence: u64,
}

/// What a decision asks outside its pure halves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Port {
    Viewer,
    Caps,
    Predictor,
}

impl Port {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Caps, Self::Predictor];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Caps => "caps",
            Self::Predictor => "predictor",
        }
    }
}

/// A fact from outside, with what is known about its age. A port that failed or ran late is a reading too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading<T> {
    Present { value: T, as_of: Option<Position> },
    Absent,
    Degraded { port: Port, fallback: T },
}

impl<T> Reading<T> {
    /// The value to go on with, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Present { value, .. } => Some(value),
            Self::Degraded { fallback, .. } => Some(fallback),
            Self::Absent => None,
        }
    }

    /// Up to where it is known to be complete.
    pub const fn as_of(&self) -> Option<Position> {
        match self {
            Self::Present { as_of, .. } => *as_of,
            Self::Absent | Self::Degraded { .. } => None,
        }
    }
}
