//! Targeting as the file writes it: `{"all": […]}`, `{"not": …}`, `{"geo": ["US"]}`, `{"daypart": {"days": […], "hours": […]}}`.

use std::collections::BTreeMap;
use std::fmt::Display;

use litfass_catalog::Targeting;
use litfass_types::TermKind;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FileTargeting {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Geo(Vec<String>),
    Device(Vec<String>),
    Os(Vec<String>),
    Placement(Vec<u64>),
    Category(Vec<String>),
    Segment(Vec<String>),
    Keyword(Vec<String>),
    KeyValue(KeyValues),
    Daypart(Daypart),
}

impl FileTargeting {
    pub(super) fn into_tree(self) -> Targeting {
        let trees = |parts: Vec<Self>| parts.into_iter().map(Self::into_tree).collect();
        match self {
            Self::All(parts) => Targeting::All(trees(parts)),
            Self::Any(parts) => Targeting::Any(trees(parts)),
            Self::Not(part) => Targeting::Not(Box::new(part.into_tree())),
            Self::Geo(values) => Targeting::In(TermKind::Geo, values),
            Self::Device(values) => Targeting::In(TermKind::Device, values),
            Self::Os(values) => Targeting::In(TermKind::Os, values),
            Self::Placement(ids) => Targeting::In(TermKind::Placement, ids.iter().map(u64::to_string).collect()),
            Self::Category(values) => Targeting::In(TermKind::Category, values),
            Self::Segment(values) => Targeting::In(TermKind::Segment, values),
            Self::Keyword(values) => Targeting::In(TermKind::Keyword, values),
            Self::KeyValue(KeyValues(keys)) => key_values(keys),
            Self::Daypart(daypart) => Targeting::Daypart(daypart.hours_of_week()),
        }
    }
}

impl FileTargeting {
    /// What reads as this tree, or as one that means the same.
    pub(super) fn of(tree: &Targeting) -> Self {
        let trees = |parts: &[Targeting]| parts.iter().map(Self::of).collect();
        match tree {
            Targeting::All(parts) => Self::All(trees(parts)),
            Targeting::Any(parts) => Self::Any(trees(parts)),
            Targeting::Not(part) => Self::Not(Box::new(Self::of(part))),
            Targeting::In(kind, values) => Self::of_values(*kind, values.clone()),
            Targeting::Daypart(hours) => either(dayparts(hours).into_iter().map(Self::Daypart).collect()),
        }
    }

    fn of_values(kind: TermKind, values: Vec<String>) -> Self {
        match kind {
            TermKind::Geo => Self::Geo(values),
            TermKind::Device => Self::Device(values),
            TermKind::Os => Self::Os(values),
            TermKind::Placement => Self::Placement(values.iter().filter_map(|id| id.parse().ok()).collect()),
            TermKind::Category => Self::Category(values),
            TermKind::Segment => Self::Segment(values),
            TermKind::Keyword => Self::Keyword(values),
            TermKind::KeyValue => either(by_key(&values).into_iter().map(Self::KeyValue).collect()),
            // A daypart has hours, not values; the validation lets no such tree through.
            TermKind::Daypart => Self::Any(Vec::new()),
        }
    }
}

fn either(mut parts: Vec<FileTargeting>) -> FileTargeting {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => FileTargeting::Any(parts.into_iter().chain(last).collect()),
    }
}

/// One for each key.
fn by_key(values: &[String]) -> Vec<KeyValues> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in values.iter().filter_map(|value| value.split_once('=')) {
        keys.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    keys.into_iter().map(|(key, values)| KeyValues(BTreeMap::from([(key, values)]))).collect()
}

/// Days that have the same hours together; one without days and hours where there are none at all.
fn dayparts(hours: &[u8]) -> Vec<Daypart> {
    let mut parts: Vec<Daypart> = Vec::new();
    for day in Weekday::ALL {
        let of_day: Vec<Hour> =
            hours.iter().filter(|hour| **hour / 24 == day as u8).map(|hour| Hour(hour % 24)).collect();
        match parts.iter_mut().find(|part| part.hours == of_day) {
            _ if of_day.is_empty() => {}
            Some(part) => part.days.push(day),
            None => parts.push(Daypart { days: vec![day], hours: of_day }),
        }
    }
    if parts.is_empty() { vec![Daypart { days: Vec::new(), hours: Vec::new() }] } else { parts }
}

/// Each key is an attribute of its own: every key must have one of its values.
fn key_values(keys: BTreeMap<String, Vec<String>>) -> Targeting {
    let one = |(key, values): (String, Vec<String>)| {
        Targeting::In(TermKind::KeyValue, values.iter().map(|value| format!("{key}={value}")).collect())
    };
    let mut predicates: Vec<_> = keys.into_iter().map(one).collect();
    match predicates.pop() {
        Some(only) if predicates.is_empty() => only,
        last => Targeting::All(predicates.into_iter().chain(last).collect()),
    }
}

/// At least one key; a key has no `=`, which is where a request's key ends.
#[derive(Serialize)]
pub(super) struct KeyValues(BTreeMap<String, Vec<String>>);

impl<'de> Deserialize<'de> for KeyValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = BTreeMap::<String, Vec<String>>::deserialize(deserializer)?;
        require(!keys.is_empty(), "needs at least one key")?;
        for key in keys.keys() {
            require(!key.is_empty() && !key.contains('='), format_args!("{key:?} is empty or contains `=`"))?;
        }
        Ok(Self(keys))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Daypart {
    days: Vec<Weekday>,
    hours: Vec<Hour>,
}

impl Daypart {
    fn hours_of_week(&self) -> Vec<u8> {
        let of_day = |day: &Weekday| {
            let first = *day as u8 * 24;
            self.hours.iter().map(move |hour| first + hour.0)
        };
        let mut hours: Vec<u8> = self.days.iter().flat_map(of_day).collect();
        hours.sort_unstable();
        hours.dedup();
        hours
    }
}

/// Numbered from Monday.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];
}

/// Of the day in the advertiser's time zone, 0 … 23.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
struct Hour(u8);

impl<'de> Deserialize<'de> for Hour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hour = u8::deserialize(deserializer)?;
        require(hour < 24, "an hour is 0 … 23")?;
        Ok(Self(hour))
    }
}

fn require<E: Error>(holds: bool, message: impl Display) -> Result<(), E> {
    if holds { Ok(()) } else { Err(E::custom(message)) }
}
