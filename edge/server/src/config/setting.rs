//! How one setting is written and checked: integers, durations such as `"90s"`, texts, paths and addresses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use litfass_store::fold::LostChoices;
use litfass_types::Duration;
use toml::Value;

use crate::cap_policy::{WhenUnavailable, WithoutId};
use crate::cap_stores::CountedIn;
use crate::gateway::address::ForwardedBy;
use crate::gateway::networks::Networks;
use crate::gateway::{AskedBy, Service};
use crate::roles::{ProcessName, ProcessRoles};
use crate::telemetry::LogFormat;

/// A type that a setting can have. Bounds are compared after reading, so `Ord` is part of it.
pub(super) trait Setting: Sized + Ord {
    /// What the docs call it.
    const TYPE: &'static str;
    /// Whether the file writes it in quotes.
    const QUOTED: bool;
    /// # Errors
    /// In words that follow "must be".
    fn parse(text: &str) -> Result<Self, String>;
    fn text(&self) -> String;
    /// What was written, where a problem is told.
    fn shown(text: &str) -> String {
        format!("{text:?}")
    }
}

/// The value's text where the file has the TOML type that the setting wants.
///
/// # Errors
/// In words that follow the key's path.
pub(super) fn toml_text<S: Setting>(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) if S::QUOTED => Ok(text.clone()),
        Value::Integer(number) if !S::QUOTED => Ok(number.to_string()),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => Err(format!("must be {}, not {}", S::TYPE, value.type_str())),
    }
}

/// Reads `text` and compares it with the bounds, each given in the setting's own notation.
///
/// # Errors
/// In words that follow the key's path.
pub(super) fn checked<S: Setting>(text: &str, bounds: Option<(&str, &str)>) -> Result<S, String> {
    let value = S::parse(text).map_err(|wanted| format!("must be {wanted}, not {}", S::shown(text)))?;
    let Some((low, high)) = bounds else { return Ok(value) };
    let within = S::parse(low).is_ok_and(|low| low <= value) && S::parse(high).is_ok_and(|high| value <= high);
    if within { Ok(value) } else { Err(format!("must be {low} … {high}, not {text}")) }
}

macro_rules! integer_settings {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            const TYPE: &'static str = "an integer";
            const QUOTED: bool = false;
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("an integer of at most {}", Self::MAX))
            }
            fn text(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

integer_settings!(u16, u32, u64);

impl Setting for Duration {
    const TYPE: &'static str = "a duration";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        duration_ms(text)
            .map(Self)
            .ok_or_else(|| "a whole number and a unit such as \"250ms\", \"60s\", \"5m\", \"24h\" or \"7d\"".to_owned())
    }

    fn text(&self) -> String {
        let (length, unit) = UNITS.into_iter().rev().find(|(length, _)| self.0 % length == 0).unwrap_or((1, "ms"));
        format!("{}{unit}", self.0 / length)
    }
}

const UNITS: [(i64, &str); 5] = [(1, "ms"), (1_000, "s"), (60_000, "m"), (3_600_000, "h"), (86_400_000, "d")];

fn duration_ms(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (length, _) = UNITS.into_iter().find(|(_, name)| *name == unit)?;
    number.parse::<i64>().ok()?.checked_mul(length)
}

impl Setting for SocketAddr {
    const TYPE: &'static str = "an address";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "an IP address and a port such as \"127.0.0.1:8080\"".to_owned())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// Origins as a browser writes them: scheme, host and port, nothing behind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Origins(Vec<String>);

impl std::ops::Deref for Origins {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl Setting for Origins {
    const TYPE: &'static str = "a list of origins";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let origins: Vec<_> =
            text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
        let known = origins.iter().all(|origin| is_origin(origin));
        if known {
            Ok(Self(origins))
        } else {
            Err("origins such as \"https://shop.example\", separated by commas".to_owned())
        }
    }

    fn text(&self) -> String {
        self.0.join(", ")
    }
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c);
    host.is_some_and(|host| !host.is_empty() && host.chars().all(plain))
}

/// Networks, and the text that they were written as.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct NetworkList {
    text: String,
    networks: Networks,
}

impl NetworkList {
    #[must_use]
    pub const fn networks(&self) -> &Networks {
        &self.networks
    }
}

impl Setting for NetworkList {
    const TYPE: &'static str = "a list of networks";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let listed = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        let wanted = "networks such as \"10.0.0.0/8, 2001:db8::/32\", separated by commas";
        let networks = Networks::parse(listed).map_err(|_| wanted.to_owned())?;
        Ok(Self { text: text.to_owned(), networks })
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

/// A file, or none where the text is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FilePath(Option<PathBuf>);

impl FilePath {
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl Setting for FilePath {
    const TYPE: &'static str = "a file";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(Self(None)) } else { PathBuf::parse(text).map(Some).map(Self) }
    }

    fn text(&self) -> String {
        self.0.as_ref().map(PathBuf::text).unwrap_or_default()
    }
}

/// Brokers of Kafka as `host:port`, separated by commas; none where the text is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Brokers(String);

impl std::ops::Deref for Brokers {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Setting for Brokers {
    const TYPE: &'static str = "a list of brokers";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let brokers: Vec<&str> = text.split(',').map(str::trim).collect();
        if text.is_empty() || brokers.iter().all(|broker| is_broker(broker)) {
            return Ok(Self(brokers.join(",")));
        }
        Err("brokers such as \"kafka-1:9092, kafka-2:9092\"".to_owned())
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

fn is_broker(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !host.is_empty() && host.bytes().all(letters) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// What the names of topics begin with: 1 to 200 of the letters that Kafka allows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TopicPrefix(String);

impl std::ops::Deref for TopicPrefix {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Setting for TopicPrefix {
    const TYPE: &'static str = "a name";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        let sound = letters && (1..=200).contains(&text.len());
        if sound { Ok(Self(text.to_owned())) } else { Err("1 to 200 of a-z, A-Z, 0-9, dots, _ and -".to_owned()) }
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

impl Setting for ProcessName {
    const TYPE: &'static str = "a name";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "1 to 32 of a-z, 0-9 and _, and not \"admin\"".to_owned())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Setting for ProcessRoles {
    const TYPE: &'static str = "a list of roles";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "one or more of decide, events and admin, separated by commas".to_owned())
    }

    fn text(&self) -> String {
        Self::text(self)
    }
}

/// Where a collector takes OTLP over HTTP, or nowhere where the text is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Endpoint(String);

impl Endpoint {
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The address that takes traces.
    #[must_use]
    pub fn traces(&self) -> Option<String> {
        (!self.is_none()).then(|| format!("{}/v1/traces", self.0.trim_end_matches('/')))
    }
}

impl Setting for Endpoint {
    const TYPE: &'static str = "an address of a collector";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:/[]".contains(c);
        let sound = |rest: &str| !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(plain);
        if text.is_empty() || text.strip_prefix("http://").is_some_and(sound) {
            Ok(Self(text.to_owned()))
        } else {
            Err("an address such as \"http://127.0.0.1:4318\"".to_owned())
        }
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

macro_rules! choice_settings {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            const TYPE: &'static str = "a choice";
            const QUOTED: bool = true;
            fn parse(text: &str) -> Result<Self, String> {
                let names = || Self::ALL.iter().map(|choice| choice.name()).collect::<Vec<_>>().join(" or ");
                Self::ALL.into_iter().find(|choice| choice.name() == text).ok_or_else(names)
            }
            fn text(&self) -> String {
                self.name().to_owned()
            }
        }
    )*};
}

choice_settings!(AskedBy, CountedIn, ForwardedBy, LogFormat, LostChoices, Service, WhenUnavailable, WithoutId);

impl Setting for PathBuf {
    const TYPE: &'static str = "a path";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let sound = !text.is_empty() && text.len() <= 4096 && !text.contains('\0');
        if sound { Ok(Self::from(text)) } else { Err("a path of 1 … 4096 bytes".to_owned()) }
    }

    fn text(&self) -> String {
        self.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        assert_eq!(Duration::parse("90s"), Ok(Duration::seconds(90)));
        assert_eq!(Duration::days(7).text(), "7d");
        assert_eq!(Duration(90_500).text(), "90500ms");
        for bad in ["", "s", "5", "-5s", "5 s", "1.5h", "9223372036854775807d"] {
            assert!(Duration::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_are_written_as_a_browser_sends_them() {
        let two = Origins::parse("https://shop.example, http://localhost:3000").unwrap();
        assert_eq!(two.text(), "https://shop.example, http://localhost:3000");
        assert!(Origins::parse("").unwrap().is_empty());
        for bad in ["shop.example", "https://shop.example/", "https://Shop.example", "*", "null", "https://"] {
            assert!(Origins::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_toml_type_is_part_of_the_check() {
        assert!(toml_text::<u32>(&Value::String("7".to_owned())).unwrap_err().contains("not string"));
        assert!(toml_text::<Duration>(&Value::Integer(7)).is_err());
        assert!(toml_text::<u32>(&Value::Float(7.0)).is_err());
    }
}
