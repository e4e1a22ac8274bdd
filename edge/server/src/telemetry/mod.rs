//! What the process says of itself: lines on standard error and, in builds with the feature `otel`, traces of its requests.
//!
//! Invariant: no line and no span holds an id of a viewer, an address, a token or a key. What a request is about stands in the
//! event log, where it can be erased; what is said here cannot.

#[cfg(feature = "otel")]
mod otlp;
pub(crate) mod spans;

use anyhow::Result;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::Telemetry;

/// How a line is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

impl LogFormat {
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    /// From now on this process writes its log, and sends no traces.
    pub(crate) fn start(self) {
        tracing_subscriber::registry().with(self.lines()).init();
    }

    /// Colours are for terminals only.
    fn lines(self) -> Lines {
        let lines = fmt::layer().with_writer(std::io::stderr);
        match self {
            Self::Text => lines
                .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
                .with_filter(LevelFilter::INFO)
                .boxed(),
            Self::Json => lines.json().flatten_event(true).with_filter(LevelFilter::INFO).boxed(),
        }
    }
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// Whether this binary can send traces.
pub const HAS_TRACES: bool = cfg!(feature = "otel");

/// Sends what spans are left when it is dropped.
#[derive(Debug)]
pub struct Telling {
    #[cfg(feature = "otel")]
    _spans: Option<otlp::Sending>,
}

impl Telemetry {
    /// From now on this process writes its log and, where an endpoint is given, sends traces until what is returned is dropped.
    ///
    /// # Errors
    /// When the variables that OpenTelemetry defines say something that cannot be done.
    #[cfg(feature = "otel")]
    pub(crate) fn start(&self) -> Result<Telling> {
        let (layer, sending) = otlp::sending(&self.otlp_endpoint)?.unzip();
        let layers: Vec<Lines> = layer.into_iter().chain([self.log_format.lines()]).collect();
        tracing_subscriber::registry().with(layers).init();
        Ok(Telling { _spans: sending })
    }

    /// From now on this process writes its log.
    ///
    /// # Errors
    /// None in a build without traces.
    #[cfg(not(feature = "otel"))]
    #[expect(clippy::unnecessary_wraps, reason = "the same call in both builds")]
    pub(crate) fn start(&self) -> Result<Telling> {
        self.log_format.start();
        Ok(Telling {})
    }
}
