//! Where an address is: looked up in a database in MaxMind's format (MMDB) that the operator supplies.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result};
use maxminddb::Reader;
use serde::Deserialize;

/// A database, whole in memory.
pub struct GeoDatabase(Reader<Vec<u8>>);

/// What is known of a place; each level means something only beside the one above.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    pub country: Option<String>,
    pub region: Option<String>,
    pub city: Option<String>,
}

/// The part of a City or Country record that is read.
#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow, default)]
    country: Coded<'a>,
    #[serde(borrow, default)]
    subdivisions: Vec<Coded<'a>>,
    #[serde(borrow, default)]
    city: Named<'a>,
}

#[derive(Deserialize, Default)]
struct Coded<'a> {
    #[serde(borrow, default)]
    iso_code: Option<&'a str>,
}

#[derive(Deserialize, Default)]
struct Named<'a> {
    #[serde(borrow, default)]
    names: Names<'a>,
}

#[derive(Deserialize, Default)]
struct Names<'a> {
    #[serde(borrow, default)]
    en: Option<&'a str>,
}

impl fmt::Debug for GeoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GeoDatabase({})", self.0.metadata().database_type)
    }
}

impl GeoDatabase {
    /// # Errors
    /// When the file cannot be read or is no such database.
    pub fn open(path: &Path) -> Result<Self> {
        let named = || path.display().to_string();
        let bytes = std::fs::read(path).with_context(named)?;
        Reader::from_source(bytes).map(Self).with_context(named)
    }

    /// Nothing where the address is not in the database.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Place {
        let found = self.0.lookup(address).and_then(|found| found.decode::<Found<'_>>());
        found.ok().flatten().map(Found::place).unwrap_or_default()
    }
}

impl Found<'_> {
    fn place(self) -> Place {
        let code = |coded: &Coded<'_>| coded.iso_code.map(str::to_owned);
        Place {
            country: code(&self.country),
            region: self.subdivisions.first().and_then(code),
            city: self.city.names.en.map(str::to_owned),
        }
    }
}
