//! The sources: what each is called and how much it may bring.

/// Where a candidate came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Source {
    /// Ads of items that this viewer bought, clicked or saw.
    ViewerItems = 0,
    /// Ads of the categories that this viewer dealt with most.
    ViewerCategories = 1,
    /// Ads of the page's categories.
    RequestCategories = 2,
    /// What is bought and clicked most.
    Popularity = 3,
    /// What is worth most at its bid and its click rate so far.
    BidTimesPrior = 4,
    /// What was added or changed last.
    Newest = 5,
    /// Whatever else is eligible, from a seeded start, while there is room.
    Sweep = 6,
}

/// How many sources there are.
pub(crate) const SOURCES: usize = Source::ALL.len();

impl Source {
    pub const ALL: [Self; 7] = [
        Self::ViewerItems,
        Self::ViewerCategories,
        Self::RequestCategories,
        Self::Popularity,
        Self::BidTimesPrior,
        Self::Newest,
        Self::Sweep,
    ];

    /// Metric label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ViewerItems => "viewer_items",
            Self::ViewerCategories => "viewer_categories",
            Self::RequestCategories => "request_categories",
            Self::Popularity => "popularity",
            Self::BidTimesPrior => "bid_times_prior",
            Self::Newest => "newest",
            Self::Sweep => "sweep",
        }
    }
}

/// The sources that returned a candidate, one bit each. Recorded: bits are never given another meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SourceSet(pub u16);

impl SourceSet {
    #[must_use]
    pub const fn of(source: Source) -> Self {
        Self(1 << source as u8)
    }

    pub const fn add(&mut self, source: Source) {
        self.0 |= 1 << source as u8;
    }

    #[must_use]
    pub const fn contains(self, source: Source) -> bool {
        self.0 >> source as u8 & 1 == 1
    }

    pub fn iter(self) -> impl Iterator<Item = Source> {
        Source::ALL.into_iter().filter(move |source| self.contains(*source))
    }

    /// In the order of `Source::ALL`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.iter().map(Source::name)
    }
}

/// How many candidates there may be, and how many each source may offer. An offer that several sources make takes one place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SourceLimits {
    /// At most 2¹⁶ − 1.
    pub candidates_max: usize,
    pub viewer_items: usize,
    pub viewer_categories: usize,
    pub request_categories: usize,
    pub popularity: usize,
    pub bid_times_prior: usize,
    pub newest: usize,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self {
            candidates_max: 500,
            viewer_items: 150,
            viewer_categories: 75,
            request_categories: 75,
            popularity: 100,
            bid_times_prior: 100,
            newest: 50,
        }
    }
}
