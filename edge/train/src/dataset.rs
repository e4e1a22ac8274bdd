//! A dataset: a real shop's log as catalog, requests and outcomes. It is input, read only; state lives elsewhere.
//!
//! ```text
//! manifest.json     format, source, counts, what is synthetic, hash of each file; written last
//! catalog.json      a catalog file: one line item and one ad per product
//! requests.jsonl    one request per basket, in time order
//! outcomes.jsonl    what was in that basket, same order
//! ```
//!
//! Invariants: requests are numbered 0, 1, … in the order of (time, customer); every outcome's item is an ad's item.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub const FORMAT: u32 = 1;
pub const MANIFEST: &str = "manifest.json";
pub const CATALOG: &str = "catalog.json";
pub const REQUESTS: &str = "requests.jsonl";
pub const OUTCOMES: &str = "outcomes.jsonl";

/// A file of a dataset, or one that a dataset is made from, that cannot be read or written; the file is to blame.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: {source}", file.display())]
    Io { file: PathBuf, source: std::io::Error },
    #[error("{}: line {line}: {problem}", file.display())]
    Line { file: PathBuf, line: u64, problem: String },
    #[error("{}: {problem}", file.display())]
    Whole { file: PathBuf, problem: String },
}

impl FileError {
    pub(crate) fn io(file: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { file: file.to_owned(), source }
    }

    pub(crate) fn line(file: &Path, line: u64, problem: impl Into<String>) -> Self {
        Self::Line { file: file.to_owned(), line, problem: problem.into() }
    }

    pub(crate) fn whole(file: &Path, problem: impl Into<String>) -> Self {
        Self::Whole { file: file.to_owned(), problem: problem.into() }
    }
}

/// What a dataset was made from and how. Σ `excluded` + `lines_imported` = `lines_read`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// What kind of source it was read from.
    pub source: String,
    pub lines_read: u64,
    pub lines_imported: u64,
    /// Lines that were left out, by reason.
    pub excluded: BTreeMap<String, u64>,
    pub requests: u64,
    pub customers: u64,
    pub products: u64,
    /// Products in baskets, each once per basket.
    pub outcomes: u64,
    /// Milliseconds since 1970 of the first and last request.
    pub first_ms: i64,
    pub last_ms: i64,
    /// What no source says and was made up.
    pub synthetic: Vec<String>,
    /// BLAKE3 of each file.
    pub files: BTreeMap<String, String>,
}

/// One basket's request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestLine {
    pub id: u64,
    pub time_ms: i64,
    pub customer: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub synthetic: Option<Surroundings>,
}

/// Joined to a request without any relation to it: the site and the browser of some exchange's bid request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surroundings {
    pub site: String,
    pub user_agent: String,
    pub device: String,
    pub os: String,
}

/// What one basket held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeLine {
    pub request: u64,
    pub items: Vec<BoughtLine>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoughtLine {
    pub item: String,
    pub quantity: i64,
    pub value_micros: i64,
}

/// One product, from the catalog file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Product {
    pub item: String,
    pub title: String,
    pub categories: Vec<String>,
}

/// A dataset in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dataset {
    pub manifest: Manifest,
    pub products: Vec<Product>,
    pub requests: Vec<RequestLine>,
    /// One per request.
    pub outcomes: Vec<OutcomeLine>,
}

impl Dataset {
    /// # Errors
    /// Which file and line is missing, changed since it was written, or not of the format.
    pub fn read(dir: &Path) -> Result<Self, FileError> {
        let manifest: Manifest = read_json(&dir.join(MANIFEST))?;
        if manifest.format != FORMAT {
            let problem = format!("has format {}, this version reads {FORMAT}", manifest.format);
            return Err(FileError::whole(&dir.join(MANIFEST), &problem));
        }
        for (name, hash) in &manifest.files {
            verify(&dir.join(name), hash)?;
        }
        let dataset = Self {
            manifest,
            products: read_products(&dir.join(CATALOG))?,
            requests: read_lines(&dir.join(REQUESTS))?,
            outcomes: read_lines(&dir.join(OUTCOMES))?,
        };
        dataset.check(dir)?;
        Ok(dataset)
    }

    fn check(&self, dir: &Path) -> Result<(), FileError> {
        let numbered = self.requests.iter().zip(0..).position(|(r, n)| r.id != n);
        if let Some(at) = numbered {
            return Err(FileError::line(&dir.join(REQUESTS), at as u64 + 1, "id: requests are numbered from 0"));
        }
        if let Some(at) = self.requests.windows(2).position(|w| matches!(w, [a, b] if a.time_ms > b.time_ms)) {
            return Err(FileError::line(
                &dir.join(REQUESTS),
                at as u64 + 2,
                "time_ms: earlier than the request before",
            ));
        }
        let paired = self.outcomes.len() == self.requests.len();
        let matching = self.outcomes.iter().zip(0..).position(|(o, n)| o.request != n);
        match matching {
            Some(at) => {
                Err(FileError::line(&dir.join(OUTCOMES), at as u64 + 1, "request: not the number of this line"))
            }
            None if !paired => Err(FileError::whole(&dir.join(OUTCOMES), "has not one line per request")),
            None => Ok(()),
        }
    }
}

fn verify(file: &Path, expected: &str) -> Result<(), FileError> {
    let found = hash_of(file)?;
    if found == expected {
        return Ok(());
    }
    Err(FileError::whole(file, format!("its BLAKE3 is {found}, the manifest says {expected}: it was changed or cut")))
}

/// BLAKE3 of a file as hexadecimal digits.
pub(crate) fn hash_of(file: &Path) -> Result<String, FileError> {
    let mut hasher = blake3::Hasher::new();
    let source = fs::File::open(file).map_err(FileError::io(file))?;
    hasher.update_reader(source).map_err(FileError::io(file))?;
    Ok(hasher.finalize().to_hex().to_string())
}

pub(crate) fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, FileError> {
    let bytes = fs::read(file).map_err(FileError::io(file))?;
    serde_json::from_slice(&bytes).map_err(|e| FileError::whole(file, e.to_string()))
}

fn read_lines<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, FileError> {
    let source = fs::File::open(file).map_err(FileError::io(file))?;
    let parse = |(line, number): (std::io::Result<String>, u64)| {
        let text = line.map_err(FileError::io(file))?;
        serde_json::from_str(&text).map_err(|e| FileError::line(file, number, e.to_string()))
    };
    BufReader::new(source).lines().zip(1..).map(parse).collect()
}

/// The part of a catalog file that says what the products are.
#[derive(Deserialize)]
struct CatalogPart {
    creatives: Vec<CreativePart>,
    ads: Vec<AdPart>,
}

#[derive(Deserialize)]
struct CreativePart {
    id: u64,
    title: String,
}

#[derive(Deserialize)]
struct AdPart {
    id: u64,
    creative: u64,
    item: Option<String>,
    #[serde(default)]
    categories: Vec<String>,
}

fn read_products(file: &Path) -> Result<Vec<Product>, FileError> {
    let catalog: CatalogPart = read_json(file)?;
    let titles: BTreeMap<u64, String> = catalog.creatives.into_iter().map(|c| (c.id, c.title)).collect();
    let product = |ad: AdPart| {
        let item = ad.item.ok_or_else(|| FileError::whole(file, format!("ads: ad {} has no item", ad.id)))?;
        let title = titles.get(&ad.creative).cloned();
        let title =
            title.ok_or_else(|| FileError::whole(file, format!("ads: ad {} has an unknown creative", ad.id)))?;
        Ok(Product { item, title, categories: ad.categories })
    };
    catalog.ads.into_iter().map(product).collect()
}

/// Writes one JSON document.
pub(crate) fn write_json(file: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| FileError::whole(file, e.to_string()))?;
    bytes.push(b'\n');
    fs::write(file, bytes).map_err(FileError::io(file))
}

/// Writes one JSON document per line.
pub(crate) fn write_lines<T: Serialize>(file: &Path, lines: impl Iterator<Item = T>) -> Result<(), FileError> {
    let mut out = BufWriter::new(fs::File::create(file).map_err(FileError::io(file))?);
    for line in lines {
        serde_json::to_writer(&mut out, &line).map_err(|e| FileError::whole(file, e.to_string()))?;
        out.write_all(b"\n").map_err(FileError::io(file))?;
    }
    out.flush().map_err(FileError::io(file))
}
