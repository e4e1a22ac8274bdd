//! What can be asked of the figures that billing adds up, and what the answer looks like.

use std::collections::BTreeMap;

use litfass_ledger::{Asked, Figures, Overflow, Quarter};
use litfass_types::Timestamp;

macro_rules! dimensions {
    ($($name:ident = $text:literal, $column:literal, $spot:literal;)*) => {
        /// By what figures are told apart.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Dimension { $($name),* }
        impl Dimension {
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// As requests and columns name it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
            pub(super) const fn column(self) -> &'static str {
                match self { $(Self::$name => $column),* }
            }
            /// Whether requests know it too: before an ad is chosen there is no campaign.
            #[must_use]
            pub const fn of_requests(self) -> bool {
                match self { $(Self::$name => $spot),* }
            }
        }
    };
}

dimensions! {
    Tenant = "tenant", "tenant", true;
    Advertiser = "advertiser", "account", false;
    Campaign = "campaign", "campaign", false;
    LineItem = "line_item", "line_item", false;
    Ad = "ad", "ad", false;
    Creative = "creative", "creative", false;
    Placement = "placement", "placement", true;
    Country = "country", "country", true;
}

impl Dimension {
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dimension| dimension.name() == name)
    }
}

/// One value of a dimension.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cell {
    Id(u64),
    /// A country; empty where it is unknown.
    Text(String),
}

/// Quarters of an hour that belong to one row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Bucket {
    Hour,
    Day,
    All,
}

/// A stretch of time in which the zone of the report keeps one offset from UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    pub from: Quarter,
    /// The first quarter after it.
    pub to: Quarter,
    /// Quarters that local time is ahead of UTC.
    pub ahead: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportAsk {
    pub stretches: Vec<Stretch>,
    pub bucket: Bucket,
    pub dimensions: Vec<Dimension>,
    /// Rows with one of these values in each of these dimensions.
    pub filters: BTreeMap<Dimension, Vec<Cell>>,
    /// Valid traffic only.
    pub net: bool,
    /// Whether requests may be told: they belong to the tenant, not to an advertiser.
    pub requests: bool,
    /// More rows are refused.
    pub rows_max: usize,
}

impl ReportAsk {
    /// Whether requests can be told apart by all that is asked for.
    #[must_use]
    pub fn tells_requests(&self) -> bool {
        let mut named = self.dimensions.iter().chain(self.filters.keys());
        self.requests && named.all(|dimension| dimension.of_requests())
    }
}

/// Names a row: when it begins, as (local buckets since 1970, quarters ahead of UTC), and its values in the order asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowKey {
    pub bucket: i64,
    /// Descending in time where a clock was set back: the first of two equal hours is the one further ahead.
    pub behind: i64,
    pub cells: Vec<Cell>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RowFigures {
    pub delivered: Figures,
    pub asked: Option<Asked>,
}

impl RowFigures {
    pub(super) fn deliver(&mut self, more: &Figures) -> Result<(), Overflow> {
        self.delivered = self.delivered.plus(more)?;
        Ok(())
    }

    pub(super) fn ask(&mut self, more: &Asked) -> Result<(), Overflow> {
        self.asked = Some(self.asked.unwrap_or_default().plus(more)?);
        Ok(())
    }

    /// # Errors
    /// Beyond what can be counted.
    pub fn plus(&self, more: &Self) -> Result<Self, Overflow> {
        let mut sum = *self;
        sum.deliver(&more.delivered)?;
        more.asked.iter().try_for_each(|asked| sum.ask(asked))?;
        Ok(sum)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    pub rows: BTreeMap<RowKey, RowFigures>,
    /// Everything that was recorded before is in the figures; none before anything was.
    pub complete_until: Option<Timestamp>,
}
