//! A targeting tree as a message. Kinds of terms are stored by number.

use litfass_catalog::Targeting;
use litfass_types::TermKind;
use prost::{Message, Oneof};

use super::{BadPayload, number, numbered};

const KINDS: &[(TermKind, u32)] = &[
    (TermKind::Geo, 1),
    (TermKind::Device, 2),
    (TermKind::Os, 3),
    (TermKind::Placement, 4),
    (TermKind::Category, 5),
    (TermKind::Segment, 6),
    (TermKind::Keyword, 7),
    (TermKind::KeyValue, 8),
    (TermKind::Daypart, 9),
];

/// Nothing stored: run of network.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredTargeting {
    #[prost(oneof = "Node", tags = "1, 2, 3, 4, 5")]
    node: Option<Node>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Node {
    #[prost(message, tag = "1")]
    All(Parts),
    #[prost(message, tag = "2")]
    Any(Parts),
    #[prost(message, tag = "3")]
    Not(Box<StoredTargeting>),
    #[prost(message, tag = "4")]
    In(Values),
    /// One byte per hour of the week.
    #[prost(bytes, tag = "5")]
    Daypart(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
struct Parts {
    #[prost(message, repeated, tag = "1")]
    parts: Vec<StoredTargeting>,
}

#[derive(Clone, PartialEq, Message)]
struct Values {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(string, repeated, tag = "2")]
    values: Vec<String>,
}

impl StoredTargeting {
    pub(super) fn of(targeting: &Targeting) -> Self {
        let parts = |parts: &[Targeting]| Parts { parts: parts.iter().map(Self::of).collect() };
        let node = match targeting {
            Targeting::All(of) if of.is_empty() => return Self::default(),
            Targeting::All(of) => Node::All(parts(of)),
            Targeting::Any(of) => Node::Any(parts(of)),
            Targeting::Not(of) => Node::Not(Box::new(Self::of(of))),
            Targeting::In(kind, values) => Node::In(Values { kind: number(kind, KINDS), values: values.clone() }),
            Targeting::Daypart(hours) => Node::Daypart(hours.clone()),
        };
        Self { node: Some(node) }
    }

    /// Messages nest at most 100 deep, which prost sees to; a valid tree is far from that.
    pub(super) fn tree(self) -> Result<Targeting, BadPayload> {
        let trees = |of: Parts| of.parts.into_iter().map(Self::tree).collect::<Result<_, _>>();
        Ok(match self.node {
            None => Targeting::run_of_network(),
            Some(Node::All(of)) => Targeting::All(trees(of)?),
            Some(Node::Any(of)) => Targeting::Any(trees(of)?),
            Some(Node::Not(of)) => Targeting::Not(Box::new(of.tree()?)),
            Some(Node::In(of)) => Targeting::In(numbered("kind of term", of.kind, KINDS)?, of.values),
            Some(Node::Daypart(hours)) => Targeting::Daypart(hours),
        })
    }
}
