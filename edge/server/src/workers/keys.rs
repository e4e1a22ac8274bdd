//! Takes over keys that another process made or revoked.

use std::time::Duration;

use anyhow::Result;

use crate::access::Keys;

const POLL: Duration = Duration::from_millis(500);

/// # Errors
/// When the database fails.
pub fn step(keys: &Keys) -> Result<Duration> {
    keys.refresh()?;
    Ok(POLL)
}
