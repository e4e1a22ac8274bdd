//! What is asked: an ad request after validation, with the user hashed and the tenant known.

use litfass_types::{Device, Nanos, Os, PlacementId, TenantId, Term, TermKind, Traffic, UserHash};

/// One request for several placements of one page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdRequest {
    /// The caller's own name for the request.
    pub request_id: Option<String>,
    pub tenant: TenantId,
    pub user: Option<UserHash>,
    /// False: no profile is read or written, and line items that need consent do not take part.
    pub personalise: bool,
    /// Who or what asks.
    pub traffic: Traffic,
    /// 1 … 8, in the order in which they are filled.
    pub placements: Vec<PlacementRequest>,
    pub context: Context,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlacementRequest {
    pub id: PlacementId,
    /// 1 … 20.
    pub slots: u8,
    /// Per impression; the placement's own floor applies where it is higher.
    pub floor: Nanos,
}

/// Where the viewer is, on what, looking at what.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Context {
    pub device: Option<Device>,
    pub os: Option<Os>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<String>,
    /// The part of ISO 3166-2 behind the hyphen; means something only beside a country.
    pub region: Option<String>,
    /// Means something only beside a region.
    pub city: Option<String>,
    pub url: Option<String>,
    pub categories: Vec<String>,
    pub keywords: Vec<String>,
    pub segments: Vec<String>,
    pub key_values: Vec<(String, String)>,
}

impl Context {
    /// What targeting sees besides the placement and the hour, sorted, each once.
    #[must_use]
    pub fn terms(&self) -> Vec<Term> {
        let mut terms = self.geo_terms();
        terms.extend(self.device.map(|d| Term::new(TermKind::Device, d.name())));
        terms.extend(self.os.map(|o| Term::new(TermKind::Os, o.name())));
        let lists = [
            (TermKind::Category, &self.categories),
            (TermKind::Keyword, &self.keywords),
            (TermKind::Segment, &self.segments),
        ];
        for (kind, values) in lists {
            terms.extend(values.iter().map(|v| Term::new(kind, v)));
        }
        terms.extend(self.key_values.iter().map(|(k, v)| Term::new(TermKind::KeyValue, &format!("{k}={v}"))));
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    /// The most specific level of place that is known, as targeting names it; empty where none is.
    #[must_use]
    pub fn place(&self) -> String {
        self.places().pop().unwrap_or_default()
    }

    fn geo_terms(&self) -> Vec<Term> {
        self.places().iter().map(|place| Term::new(TermKind::Geo, place)).collect()
    }

    /// `US`, `US-CA`, `US-CA/Fresno`: every level that is known.
    fn places(&self) -> Vec<String> {
        let mut place = String::new();
        let mut places = Vec::new();
        for (separator, level) in [("", &self.country), ("-", &self.region), ("/", &self.city)] {
            let Some(name) = level else { break };
            place.push_str(separator);
            place.push_str(name);
            places.push(place.clone());
        }
        places
    }
}
