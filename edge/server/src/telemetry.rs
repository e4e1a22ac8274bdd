//! What the process says of itself, on standard error.
//!
//! Invariant: no line holds an id of a viewer, an address, a token or a key. What a request is about stands in the event log,
//! where it can be erased; these lines cannot.

use tracing::Level;

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

    /// From now on this process writes its log. Colours are for terminals only.
    pub(crate) fn start(self) {
        let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(Level::INFO);
        match self {
            Self::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
            Self::Json => lines.json().flatten_event(true).init(),
        }
    }
}
