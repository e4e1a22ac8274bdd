//! The server as a visitor's browser and a shop's backend see it.

use serde_json::Value;

/// How a server is reached. A door belongs to one thread; open one per thread.
///
/// Contract: `Ok` carries what the server answered, refusals included; `Err` means that no whole answer came, and the caller
/// may try again: every request here may be sent twice without harm.
pub trait Door: Send {
    /// `POST /v1/decisions`.
    ///
    /// # Errors
    /// Where no whole answer came.
    fn decide(&mut self, body: &Value) -> Result<Answer, Unanswered>;

    /// `GET` of a tracking URL, relative as the decision gave it. A redirect is not followed.
    ///
    /// # Errors
    /// Where no whole answer came.
    fn track(&mut self, url: &str) -> Result<Answer, Unanswered>;

    /// `POST /v1/events`.
    ///
    /// # Errors
    /// Where no whole answer came.
    fn events(&mut self, body: &Value) -> Result<Answer, Unanswered>;
}

/// A whole answer; `body` is null where there was none or it was not JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// Served, found, or sent elsewhere.
    #[must_use]
    pub const fn is_fine(&self) -> bool {
        self.status >= 200 && self.status < 400
    }
}

/// The server could not be reached or broke off.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Unanswered {
    /// The request, in brief.
    pub what: String,
    pub why: String,
}
