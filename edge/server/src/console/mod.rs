//! The console: web pages over what the server knows. It takes plain views and gives back HTML; nothing here reads state.
//!
//! Invariants: every text that comes from a catalog or a request is escaped by the template; pages load nothing from
//! elsewhere and run no inline script (`CONTENT_SECURITY_POLICY` says so to the browser).

pub mod view;
