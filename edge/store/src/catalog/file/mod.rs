//! The catalog file: what `litfass catalog load` reads.
//!
//! Read object by object, so that no more than the file's bytes and one object are in memory at a time. What does not parse
//! stops the reading, with its path (`line_items[3].bid.per: …`); what parses but makes no sense is collected.

mod objects;
mod targeting;

use std::fmt;

use litfass_catalog::ObjectKind;
use litfass_catalog::model::Object;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::limit::StatedLimit;
pub(super) use objects::written;
use objects::{
    FileAd, FileAdvertiser, FileCampaign, FileCreative, FileLineItem, FileObject, FilePlacement, FileSegment,
    FileTenant,
};

/// The largest catalog file.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// One object of the file.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) object: Object,
    /// Limits that stand beside the object in the file but are no facts of the catalog.
    pub(super) limits: Vec<StatedLimit>,
}

/// Where in the file an object stands: `line_items[3]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Place {
    pub(super) kind: ObjectKind,
    pub(super) index: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", section(self.kind), self.index)
    }
}

/// What an object's own fields contradict: which field, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Misfit {
    pub(super) field: String,
    pub(super) message: String,
}

/// The file's and the API's name for the list of objects of that kind.
#[must_use]
pub const fn section(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Tenant => "tenants",
        ObjectKind::Advertiser => "advertisers",
        ObjectKind::Campaign => "campaigns",
        ObjectKind::LineItem => "line_items",
        ObjectKind::Creative => "creatives",
        ObjectKind::Ad => "ads",
        ObjectKind::Placement => "placements",
        ObjectKind::Segment => "segments",
    }
}

/// One object by itself, as the file would have it in the list of its kind.
pub(super) fn object(kind: ObjectKind, members: serde_json::Value) -> Result<(Object, Vec<StatedLimit>), Misfit> {
    match kind {
        ObjectKind::Tenant => of_list::<FileTenant>(members),
        ObjectKind::Advertiser => of_list::<FileAdvertiser>(members),
        ObjectKind::Campaign => of_list::<FileCampaign>(members),
        ObjectKind::LineItem => of_list::<FileLineItem>(members),
        ObjectKind::Creative => of_list::<FileCreative>(members),
        ObjectKind::Ad => of_list::<FileAd>(members),
        ObjectKind::Placement => of_list::<FilePlacement>(members),
        ObjectKind::Segment => of_list::<FileSegment>(members),
    }
}

fn of_list<T: for<'de> FileObject<'de>>(members: serde_json::Value) -> Result<(Object, Vec<StatedLimit>), Misfit> {
    let read: Result<T, _> = serde_path_to_error::deserialize(members);
    let misfit = |e| Misfit { field: field_path(&e), message: e.inner().to_string() };
    read.map_err(misfit)?.into_parts()
}

/// The path of the value that does not fit, or of the field that is missing; empty where it is the whole.
#[must_use]
pub fn field_path(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = if error.path().iter().next().is_none() { String::new() } else { error.path().to_string() };
    let detail = error.inner().to_string();
    let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match missing {
        Some(field) if path.is_empty() => field.to_owned(),
        Some(field) => format!("{path}.{field}"),
        None => path,
    }
}

/// Takes the file's objects one by one.
pub(super) trait Sink {
    /// The object and its limits, or what is wrong with it. `Err` stops the reading; the sink keeps why.
    fn take(&mut self, place: Place, entry: Result<Entry, Misfit>) -> Result<(), Stopped>;
}

/// The sink wants no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped;

/// Reads the whole file into `sink`.
///
/// # Errors
/// What did not parse, with its path.
pub(super) fn read(bytes: &[u8], sink: &mut dyn Sink) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = CatalogFile(sink).deserialize(&mut json);
    read.and_then(|()| json.end()).map_err(|error| located(bytes, &error))
}

/// Keeping track of the path takes as long as parsing, so it is done only where there is something to say.
fn located(bytes: &[u8], error: &serde_json::Error) -> String {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    match CatalogFile(&mut Unheard).deserialize(tracked) {
        Ok(()) => error.to_string(),
        Err(error) => named(&track.path(), &error),
    }
}

/// Takes everything and does nothing.
struct Unheard;

impl Sink for Unheard {
    fn take(&mut self, _place: Place, _entry: Result<Entry, Misfit>) -> Result<(), Stopped> {
        Ok(())
    }
}

fn named(path: &serde_path_to_error::Path, error: &serde_json::Error) -> String {
    if path.iter().next().is_none() { error.to_string() } else { format!("{path}: {error}") }
}

/// The object of lists that the file is.
struct CatalogFile<'a>(&'a mut dyn Sink);

impl<'de> DeserializeSeed<'de> for CatalogFile<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for CatalogFile<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with lists such as \"tenants\" and \"ads\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let kind = ObjectKind::ALL.into_iter().find(|kind| section(*kind) == name);
            let kind = kind.ok_or_else(|| A::Error::custom(format_args!("unknown list `{name}`")))?;
            if seen.contains(&kind) {
                return Err(A::Error::custom("the list is given twice"));
            }
            seen.push(kind);
            match kind {
                ObjectKind::Tenant => map.next_value_seed(Section::<FileTenant>::new(kind, self.0))?,
                ObjectKind::Advertiser => map.next_value_seed(Section::<FileAdvertiser>::new(kind, self.0))?,
                ObjectKind::Campaign => map.next_value_seed(Section::<FileCampaign>::new(kind, self.0))?,
                ObjectKind::LineItem => map.next_value_seed(Section::<FileLineItem>::new(kind, self.0))?,
                ObjectKind::Creative => map.next_value_seed(Section::<FileCreative>::new(kind, self.0))?,
                ObjectKind::Ad => map.next_value_seed(Section::<FileAd>::new(kind, self.0))?,
                ObjectKind::Placement => map.next_value_seed(Section::<FilePlacement>::new(kind, self.0))?,
                ObjectKind::Segment => map.next_value_seed(Section::<FileSegment>::new(kind, self.0))?,
            }
        }
        Ok(())
    }
}

/// One list.
struct Section<'a, T> {
    kind: ObjectKind,
    sink: &'a mut dyn Sink,
    objects: std::marker::PhantomData<T>,
}

impl<'a, T> Section<'a, T> {
    const fn new(kind: ObjectKind, sink: &'a mut dyn Sink) -> Self {
        Self { kind, sink, objects: std::marker::PhantomData }
    }
}

impl<'de, T: FileObject<'de>> DeserializeSeed<'de> for Section<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: FileObject<'de>> Visitor<'de> for Section<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        for index in 0..u32::MAX {
            let Some(object) = list.next_element::<T>()? else { return Ok(()) };
            let place = Place { kind: self.kind, index };
            let entry = object.into_parts().map(|(object, limits)| Entry { place, object, limits });
            self.sink.take(place, entry).map_err(|Stopped| A::Error::custom("stopped"))?;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Err(A::Error::custom("the list is too long"))
    }
}
