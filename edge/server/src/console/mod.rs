//! The console: web pages over what the server knows. It takes plain views and gives back HTML; nothing here reads state.
//!
//! Invariants: every text that comes from a catalog or a request is escaped by the template; pages load nothing from
//! elsewhere and run no inline script (`CONTENT_SECURITY_POLICY` says so to the browser).

mod accounts;
mod campaign;
mod campaigns;
mod curve;
mod decision;
mod decisions;
mod frame;
mod health;
mod live;
pub mod numbers;
pub mod operating;
mod session;
pub mod view;
mod why_not;

pub use accounts::{account_page, accounts_page};
pub use campaign::campaign_page;
pub use campaigns::campaigns_page;
pub use decision::decision_page;
pub use decisions::decisions_page;
pub use frame::{missing_page, problem_page};
pub use health::health_page;
pub use live::live_page;
pub use session::{login_page, session_page};
pub use why_not::why_not_page;

/// Sent with every page of the console.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A file that the pages load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    pub path: &'static str,
    pub content_type: &'static str,
    pub body: &'static str,
}

/// All of them, to be served under these paths.
pub const ASSETS: [Asset; 3] = [
    Asset {
        path: "/console/console.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("assets/console.css"),
    },
    Asset {
        path: "/console/live.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("assets/live.js"),
    },
    Asset {
        path: "/console/charts.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("assets/charts.js"),
    },
];

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
