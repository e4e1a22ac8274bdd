//! Reading one field: what is missing, out of range or too long becomes an error with the field's path.

use litfass_types::{Price, Probability, Traffic, Unit, UserHash};

use super::proto;

/// What is wrong with a message, and where: `decision.shown[2].price.per is missing`. Whoever wrote it is to blame; reading
/// it again does not help.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}{}{problem}", path, if path.is_empty() { "" } else { " " })]
pub struct WireError {
    /// From the envelope down; empty where the bytes are no message at all.
    pub path: String,
    pub problem: String,
}

impl WireError {
    pub(super) fn invalid(problem: impl Into<String>) -> Self {
        Self { path: String::new(), problem: problem.into() }
    }

    pub(super) fn malformed(e: &prost::DecodeError) -> Self {
        Self::invalid(format!("the entry is no envelope: {e}"))
    }

    #[must_use]
    pub(super) fn named(mut self, field: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{field}{joint}{}", self.path);
        self
    }
}

/// Puts a field's name before what went wrong inside it.
pub(super) trait Within<T> {
    fn within(self, field: &str) -> Result<T, WireError>;
}

impl<T> Within<T> for Result<T, WireError> {
    fn within(self, field: &str) -> Self {
        self.map_err(|e| e.named(field))
    }
}

/// A message or value that has to be there.
pub(super) fn required<T>(value: Option<T>, field: &str) -> Result<T, WireError> {
    value.ok_or_else(|| WireError::invalid("is missing").named(field))
}

/// A whole number that has to fit a smaller type.
pub(super) fn narrow<T: TryFrom<N>, N: Copy + std::fmt::Display>(value: N, field: &str) -> Result<T, WireError> {
    T::try_from(value).map_err(|_| WireError::invalid(format!("is out of range: {value}")).named(field))
}

/// A list of at most `max`.
pub(super) fn at_most<T>(list: &[T], max: usize, field: &str) -> Result<(), WireError> {
    if list.len() <= max {
        return Ok(());
    }
    Err(WireError::invalid(format!("has {} entries: at most {max} are allowed", list.len())).named(field))
}

/// A column that must be as long as the others.
pub(super) fn as_long<T>(column: &[T], rows: usize, field: &str) -> Result<(), WireError> {
    if column.len() == rows {
        return Ok(());
    }
    Err(WireError::invalid(format!("has {} entries instead of {rows}", column.len())).named(field))
}

/// A text of at most `max` bytes.
pub(super) fn short(text: String, max: usize, field: &str) -> Result<String, WireError> {
    if text.len() <= max {
        return Ok(text);
    }
    Err(WireError::invalid(format!("has {} bytes: at most {max} are allowed", text.len())).named(field))
}

/// Each of a list, with its index in the path.
pub(super) fn each<A, B>(
    list: Vec<A>,
    field: &str,
    read: impl Fn(A) -> Result<B, WireError>,
) -> Result<Vec<B>, WireError> {
    let numbered = list.into_iter().enumerate();
    numbered.map(|(i, value)| read(value).map_err(|e| e.named(&format!("{field}[{i}]")))).collect()
}

/// 128 bits as 16 bytes, big endian.
pub(super) fn id128(bytes: &[u8]) -> Result<u128, WireError> {
    array(bytes).map(u128::from_be_bytes)
}

/// A signed 128-bit number as 16 bytes, big endian.
pub(super) fn signed128(bytes: &[u8]) -> Result<i128, WireError> {
    array(bytes).map(i128::from_be_bytes)
}

pub(super) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], WireError> {
    <[u8; N]>::try_from(bytes).map_err(|_| WireError::invalid(format!("has {} bytes instead of {N}", bytes.len())))
}

/// A fraction of 2³² that is not 0.
pub(super) fn probability(bits: u32, field: &str) -> Result<Probability, WireError> {
    if bits == 0 {
        return Err(WireError::invalid("is zero, which is no probability").named(field));
    }
    Ok(Probability::from_bits(bits))
}

pub(super) const fn unit_to_proto(unit: Unit) -> proto::Unit {
    match unit {
        Unit::Mille => proto::Unit::Mille,
        Unit::Click => proto::Unit::Click,
        Unit::Action => proto::Unit::Action,
    }
}

pub(super) fn unit(number: i32) -> Result<Unit, WireError> {
    match proto::Unit::try_from(number) {
        Ok(proto::Unit::Mille) => Ok(Unit::Mille),
        Ok(proto::Unit::Click) => Ok(Unit::Click),
        Ok(proto::Unit::Action) => Ok(Unit::Action),
        Ok(proto::Unit::Unspecified) | Err(_) => Err(unknown(number)),
    }
}

/// A number of a closed table that the table does not have.
pub(super) fn unknown(number: impl std::fmt::Display) -> WireError {
    WireError::invalid(format!("is unknown: {number}"))
}

pub(super) const fn price_to_proto(price: Price) -> proto::Price {
    proto::Price { micros: price.micros, per: unit_to_proto(price.per) as i32 }
}

/// Micros and unit, within what a bid may be.
pub(super) fn price_of(micros: i64, per: i32) -> Result<Price, WireError> {
    if !(0..=Price::MAX_MICROS).contains(&micros) {
        return Err(WireError::invalid(format!("is out of range: {micros}")).named("micros"));
    }
    Ok(Price { micros, per: unit(per).within("per")? })
}

pub(super) fn price(message: Option<proto::Price>, field: &str) -> Result<Price, WireError> {
    let message = required(message, field)?;
    price_of(message.micros, message.per).within(field)
}

/// A class of traffic by its number.
pub(super) fn traffic(number: u32, field: &str) -> Result<Traffic, WireError> {
    let class = u8::try_from(number).ok().and_then(Traffic::from_number);
    class.ok_or_else(|| unknown(number).named(field))
}

pub(super) fn user_to_proto(user: UserHash) -> proto::UserHash {
    proto::UserHash { key_version: u32::from(user.key_version), hash: user.hash.to_be_bytes().to_vec() }
}

pub(super) fn user(message: &proto::UserHash) -> Result<UserHash, WireError> {
    let key_version = narrow(message.key_version, "key_version")?;
    Ok(UserHash { key_version, hash: id128(&message.hash).within("hash")? })
}

pub(super) fn optional_user(message: Option<&proto::UserHash>, field: &str) -> Result<Option<UserHash>, WireError> {
    message.map(user).transpose().within(field)
}
