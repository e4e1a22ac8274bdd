//! Comma-separated values as RFC 4180 has them: CRLF, quotes where a field needs them.
//!
//! Texts come from whoever typed a name or a reason. One that a spreadsheet would take for a formula gets an apostrophe in
//! front; numbers, a leading minus included, stay as they are.

use std::fmt::Display;

use serde_json::Value;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Csv(String);

impl Csv {
    #[must_use]
    pub fn new<T: Display>(columns: &[T]) -> Self {
        let mut csv = Self::empty();
        csv.fields(columns.iter().map(ToString::to_string));
        csv
    }

    /// Without a header.
    #[must_use]
    pub const fn empty() -> Self {
        Self(String::new())
    }

    pub fn row<const N: usize>(&mut self, fields: [&dyn Display; N]) {
        self.fields(fields.iter().map(ToString::to_string));
    }

    pub fn fields(&mut self, fields: impl IntoIterator<Item = String>) {
        for (i, field) in fields.into_iter().enumerate() {
            if i > 0 {
                self.0.push(',');
            }
            self.field(&field);
        }
        self.0.push_str("\r\n");
    }

    fn field(&mut self, text: &str) {
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
        let guarded = if formula { format!("'{text}") } else { text.to_owned() };
        if guarded.contains([',', '"', '\n', '\r']) {
            self.0.push('"');
            self.0.push_str(&guarded.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(&guarded);
        }
    }

    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }
}

/// A JSON value as a field: texts without their quotes, nothing for null.
#[must_use]
pub fn plain(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.as_str().map_or_else(|| value.to_string(), str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_need_it_and_formulas_are_disarmed() {
        let mut csv = Csv::new(&["a", "b"]);
        csv.row([&"plain", &"with, \"quotes\"\nand lines"]);
        csv.row([&"=1+1", &-12.5]);
        csv.row([&"@import", &"-"]);
        let expected = "a,b\r\nplain,\"with, \"\"quotes\"\"\nand lines\"\r\n'=1+1,-12.5\r\n'@import,'-\r\n";
        assert_eq!(csv.finish(), expected);
    }
}
