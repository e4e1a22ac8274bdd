//! What is wrong with a field of a request, and the few checks that every list and text from outside goes through.

pub use litfass_store::catalog::field_path;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::{Code, Problem};

/// The field's path as the caller wrote it, and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invalid {
    pub field: String,
    pub detail: String,
    pub code: Code,
}

impl Invalid {
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into(), code: Code::InvalidField }
    }

    /// The field is well formed but names nothing that exists.
    pub fn unknown(code: Code, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code, ..Self::new(field, detail) }
    }

    #[must_use]
    pub fn below(self, parent: &str) -> Self {
        let field = if self.field.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.field) };
        Self { field, ..self }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let problem = Self::new(invalid.code, invalid.detail);
        if invalid.field.is_empty() { problem } else { problem.at(invalid.field) }
    }
}

/// A part of a body that was read as JSON before.
///
/// # Errors
/// Names the first field that is missing, unknown or of the wrong type; none where it is the whole.
pub fn fit<T: DeserializeOwned>(value: Value) -> Result<T, Invalid> {
    serde_path_to_error::deserialize(value).map_err(|e| Invalid::new(field_path(&e), e.inner().to_string()))
}

/// # Errors
/// When the text is empty or longer than `max` bytes.
pub fn bounded(field: &str, text: Option<&str>, max: usize) -> Result<(), Invalid> {
    match text {
        Some(text) if text.is_empty() || text.len() > max => {
            Err(Invalid::new(field, format!("must be 1 to {max} bytes long")))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// When the list is longer than `entries_max` or one of its texts is empty or longer than `text_max` bytes.
pub fn bounded_list(field: &str, list: &[String], entries_max: usize, text_max: usize) -> Result<(), Invalid> {
    if list.len() > entries_max {
        return Err(Invalid::new(field, format!("holds more than {entries_max} entries")));
    }
    list.iter().enumerate().try_for_each(|(i, text)| bounded(&format!("{field}[{i}]"), Some(text), text_max))
}

/// # Errors
/// When the text is none of the closed set, which the error lists.
pub fn one_of<T>(
    field: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    names: impl Iterator<Item = &'static str>,
) -> Result<Option<T>, Invalid> {
    let Some(text) = text else { return Ok(None) };
    let known = || names.collect::<Vec<_>>().join(", ");
    parse(text).map(Some).ok_or_else(|| Invalid::new(field, format!("must be one of {}", known())))
}
