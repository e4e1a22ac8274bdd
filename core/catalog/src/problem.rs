//! What is wrong with a catalog: which object, which field, what would be right. All problems are reported at once.

use std::fmt;

use crate::limits::PROBLEMS_MAX;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ObjectKind {
    Tenant,
    Advertiser,
    Campaign,
    LineItem,
    Creative,
    Ad,
    Placement,
    Segment,
}

impl ObjectKind {
    pub const ALL: [Self; 8] = [
        Self::Tenant,
        Self::Advertiser,
        Self::Campaign,
        Self::LineItem,
        Self::Creative,
        Self::Ad,
        Self::Placement,
        Self::Segment,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Advertiser => "advertiser",
            Self::Campaign => "campaign",
            Self::LineItem => "line_item",
            Self::Creative => "creative",
            Self::Ad => "ad",
            Self::Placement => "placement",
            Self::Segment => "segment",
        }
    }
}

/// An object by kind and stable id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectRef {
    pub kind: ObjectKind,
    pub id: u64,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.id)
    }
}

/// One thing that whoever wrote the catalog has to change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
#[error("{object}: {field}: {message}")]
pub struct Problem {
    pub object: ObjectRef,
    /// As in the catalog file, such as `bid.micros` or `frequency_caps[0].max`.
    pub field: String,
    pub message: String,
}

/// Collects problems, the first [`PROBLEMS_MAX`] of them in full.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    pub(crate) fn add(&mut self, object: ObjectRef, field: impl Into<String>, message: impl Into<String>) {
        if self.found.len() < PROBLEMS_MAX {
            self.found.push(Problem { object, field: field.into(), message: message.into() });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}
