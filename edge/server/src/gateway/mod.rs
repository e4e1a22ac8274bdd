//! What happens to a request before anything is decided: who or what sent it from where, and whether it was asked before.
//!
//! Invariants: what a request says of its viewer goes before what is found out; nothing but people is ever billed; the lists
//! are the operator's, read when the server starts.

pub mod address;
pub mod agents;
pub mod geo;
pub mod networks;
pub mod retries;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use litfass_decide::Context;
use litfass_types::Traffic;

use crate::config::GatewaySettings;
use crate::node::Node;
use crate::problem::Problem;

use agents::Agent;
use geo::{GeoDatabase, Place};
use networks::Networks;
use retries::Retries;

/// Where something came from, and what it says it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Arrival {
    pub address: Option<IpAddr>,
    pub agent: Option<Agent>,
}

/// Whether a class of traffic that is no people's gets ads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Service {
    Served,
    Refused,
}

impl Service {
    pub const ALL: [Self; 2] = [Self::Served, Self::Refused];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Refused => "refused",
        }
    }
}

/// Whose address and user agent a decision request comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AskedBy {
    /// The site's or app's own server, which names its viewer's in `context`.
    Server,
    /// The viewer's browser or app.
    Viewer,
}

impl AskedBy {
    pub const ALL: [Self; 2] = [Self::Server, Self::Viewer];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Viewer => "viewer",
        }
    }
}

#[derive(Debug)]
pub struct Gateway {
    pub retries: Retries,
    settings: GatewaySettings,
    geo: Option<GeoDatabase>,
    /// Parts of user agents' names, in lower case.
    crawlers: Vec<String>,
    data_centres: Networks,
    staff: Networks,
}

impl Gateway {
    /// # Errors
    /// When a file that the configuration names cannot be read, with its name and line.
    pub fn open(settings: &GatewaySettings) -> Result<Self> {
        let bytes_max = usize::try_from(settings.retry_bytes_max).unwrap_or(usize::MAX);
        Ok(Self {
            retries: Retries::new(settings.retry_window, bytes_max),
            geo: settings.geo_database.path().map(GeoDatabase::open).transpose()?,
            crawlers: lines(settings.crawler_names.path())?.into_iter().map(|line| line.to_ascii_lowercase()).collect(),
            data_centres: networks(settings.data_centre_networks.path())?,
            staff: networks(settings.staff_networks.path())?,
            settings: settings.clone(),
        })
    }

    /// Staff first: whoever looks at the ads from the office does so with any program.
    #[must_use]
    pub fn traffic(&self, arrival: &Arrival) -> Traffic {
        let from = |networks: &Networks| arrival.address.is_some_and(|address| networks.contains(address));
        if from(&self.staff) {
            Traffic::Staff
        } else if arrival.agent.as_ref().is_some_and(|agent| agent.is_crawler(&self.crawlers)) {
            Traffic::Crawler
        } else if from(&self.data_centres) {
            Traffic::DataCentre
        } else {
            Traffic::Human
        }
    }

    #[must_use]
    pub const fn serves(&self, traffic: Traffic) -> bool {
        let service = match traffic {
            Traffic::Human | Traffic::Test => Service::Served,
            Traffic::Crawler => self.settings.crawlers,
            Traffic::DataCentre => self.settings.data_centres,
            Traffic::Staff => self.settings.staff,
        };
        matches!(service, Service::Served)
    }

    /// The viewer of a decision request: as it says, or whoever sent it where viewers ask for themselves.
    #[must_use]
    pub fn viewer(&self, said: Arrival, sent: Arrival) -> Arrival {
        match self.settings.decisions_from {
            AskedBy::Server => said,
            AskedBy::Viewer => Arrival { address: said.address.or(sent.address), agent: said.agent.or(sent.agent) },
        }
    }

    /// Adds what can be told from the arrival to what the request does not say itself.
    pub fn enrich(&self, context: &mut Context, arrival: &Arrival) {
        if let Some(agent) = &arrival.agent {
            context.device = context.device.or_else(|| agent.device());
            context.os = context.os.or_else(|| agent.os());
        }
        // A country that the request names is not completed with the city of an address elsewhere.
        if let (Some(geo), Some(address), None) = (&self.geo, arrival.address, &context.country) {
            let Place { country, region, city } = geo.place(address);
            (context.country, context.region, context.city) = (country, region, city);
        }
    }

    fn arrival(&self, parts: &Parts) -> Arrival {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let (trusted, by) = (&self.settings.trusted_proxies, self.settings.forwarded_by);
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Arrival {
            address: peer.map(|peer| address::client(peer, &parts.headers, trusted.networks(), by)),
            agent: agent.map(Agent::new),
        }
    }
}

impl FromRequestParts<std::sync::Arc<Node>> for Arrival {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &std::sync::Arc<Node>) -> Result<Self, Problem> {
        Ok(node.gateway.arrival(parts))
    }
}

/// The lines of a list that say something: not empty, no comment (`#`). None where there is no list.
fn lines(path: Option<&Path>) -> Result<Vec<String>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let said = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(said.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn networks(path: Option<&Path>) -> Result<Networks> {
    let lines = lines(path)?;
    let read = Networks::parse(lines.iter().map(String::as_str));
    read.map_err(|error| anyhow!("{}: {error}", path.unwrap_or(Path::new("")).display()))
}
