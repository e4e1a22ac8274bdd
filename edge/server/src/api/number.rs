//! Numbers of objects in an address: 1 to 2⁵³−1, which JSON's numbers carry exactly.

use litfass_catalog::limits::ID_MAX;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// # Errors
/// Where no object can have that number.
pub fn may_be_given<'de, D: Deserializer<'de>>(said: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<u64>::deserialize(said)?;
    match number {
        Some(number) if !(1..=ID_MAX).contains(&number) => Err(D::Error::custom(format_args!("must be 1 to {ID_MAX}"))),
        Some(_) | None => Ok(number),
    }
}
