//! Where money, catalog, API keys and audit log are kept: in the data directory, or in a PostgreSQL database. It is chosen once,
//! when the process starts.
//!
//! Invariant: a data directory that belongs to one database is never opened with another, or with none: its log would be billed
//! again.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use litfass_ledger::Terms;
#[cfg(feature = "postgres")]
use litfass_store::catalog::CatalogStore;
use litfass_store::database::Place;
#[cfg(feature = "postgres")]
use litfass_store::database::Server;
use litfass_store::ledger::{Interrupter, Ledger, LedgerReader, SqliteLedger, SqliteLedgerReader};
#[cfg(feature = "postgres")]
use litfass_store::ledger::{PostgresLedger, PostgresLedgerReader};
use litfass_store::log::Clock;
#[cfg(feature = "postgres")]
use litfass_store::storage::write_atomic;
use litfass_store::storage::{Disk, read_whole};
use serde::{Deserialize, Serialize};

use crate::config::{Config, DatabaseUrl};
use crate::data_dir::DataDir;

#[derive(Debug)]
pub enum Vault {
    File(PathBuf),
    #[cfg(feature = "postgres")]
    Server(DatabaseUrl, Readers, Place),
}

/// What one question may take that somebody asks.
pub const LONGEST: Duration = Duration::from_secs(30);

/// Readers of a server; each keeps its connections for whoever asks next.
#[cfg(feature = "postgres")]
#[derive(Debug)]
pub struct Readers {
    prompt: Arc<PostgresLedgerReader>,
    /// The server ends what takes longer than `LONGEST`.
    bounded: Arc<PostgresLedgerReader>,
}

#[cfg(feature = "postgres")]
impl Readers {
    fn open(url: &DatabaseUrl) -> Result<Self> {
        let reader = PostgresLedgerReader::open(url.address().unwrap_or_default());
        let prompt = Arc::new(reader.with_context(|| format!("the ledger in {url}"))?);
        let bounded = Arc::new(prompt.within(LONGEST));
        Ok(Self { prompt, bounded })
    }
}

/// Where catalog, keys and audit log are.
///
/// # Errors
/// When the database is not there, or this program was built without what it takes to reach it.
pub fn place(config: &Config, data: &DataDir) -> Result<Place> {
    let url = &config.database.url;
    let Some(address) = url.address() else {
        let (found, mark) = (belongs_to(data)?, data.path().join(IN_POSTGRES));
        ensure!(
            found.is_none(),
            "{}: the money lies in PostgreSQL, and database.url does not say where",
            mark.display()
        );
        return Ok(Place::File(data.database()));
    };
    on_server(url, address, data)
}

/// In the data directory: which database in PostgreSQL it belongs to.
const IN_POSTGRES: &str = "postgres.json";

/// Which database a data directory belongs to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct InPostgres {
    pub identity: String,
    /// Where it was first found, without a password.
    pub url: String,
}

/// `None` where it keeps everything itself.
///
/// # Errors
/// When the file that says so cannot be read.
pub fn belongs_to(data: &DataDir) -> Result<Option<InPostgres>> {
    let path = data.path().join(IN_POSTGRES);
    let Some(bytes) = read_whole(&Disk, &path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

/// Binds the directory to a database, for ever.
#[cfg(feature = "postgres")]
fn bind(data: &DataDir, to: &InPostgres) -> Result<()> {
    let path = data.path().join(IN_POSTGRES);
    if let Some(known) = belongs_to(data)? {
        let (named, url) = (path.display(), &to.url);
        ensure!(
            known.identity == to.identity,
            "{named}: belongs to the database that was at {}, and {url} is another one",
            known.url
        );
        return Ok(());
    }
    let own = CatalogStore::open(&data.database())?.version()?.sequence;
    ensure!(
        own == 0,
        "{}: holds a catalog and a ledger of its own; database.url would begin others",
        data.database().display()
    );
    Ok(write_atomic(&Disk, &path, &serde_json::to_vec_pretty(to)?)?)
}

#[cfg(feature = "postgres")]
fn on_server(url: &DatabaseUrl, address: &str, data: &DataDir) -> Result<Place> {
    let server = Server::open(address, url.to_string()).with_context(|| url.to_string())?;
    bind(data, &InPostgres { identity: server.identity().to_owned(), url: url.to_string() })?;
    Ok(Place::Server(Arc::new(server)))
}

#[cfg(not(feature = "postgres"))]
fn on_server(url: &DatabaseUrl, _: &str, _: &DataDir) -> Result<Place> {
    anyhow::bail!("database.url: {url} cannot be reached: this program was built without the feature `postgres`")
}

impl Vault {
    /// # Errors
    /// When the database is not there, or this program was built without what it takes to reach it.
    pub fn open(config: &Config, data: &DataDir) -> Result<Self> {
        match place(config, data)? {
            Place::File(path) => Ok(Self::File(path)),
            #[cfg(feature = "postgres")]
            place @ Place::Server(_) => {
                let url = config.database.url.clone();
                let readers = Readers::open(&url)?;
                Ok(Self::Server(url, readers, place))
            }
        }
    }

    /// Where catalog, keys and audit log are.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::File(path) => Place::File(path.clone()),
            #[cfg(feature = "postgres")]
            Self::Server(.., place) => place.clone(),
        }
    }

    /// # Errors
    /// When it cannot be opened or was written by a later version.
    pub fn ledger(&self, terms: Terms, clock: &Clock) -> Result<Arc<dyn Ledger>> {
        match self {
            Self::File(path) => {
                let clock = clock.clone();
                let ledger = SqliteLedger::open(path, terms, Box::new(move || clock.now()));
                Ok(Arc::new(ledger.with_context(|| self.to_string())?))
            }
            // Grants are dated by the server's own clock: it is the same for all processes.
            #[cfg(feature = "postgres")]
            Self::Server(url, ..) => {
                let ledger = PostgresLedger::open(url.address().unwrap_or_default(), terms);
                Ok(Arc::new(ledger.with_context(|| self.to_string())?))
            }
        }
    }

    /// On a connection that nothing else waits for, for a question that must not take longer than `LONGEST`; with what ends it. A
    /// server ends it by itself.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn bounded_reader(&self) -> Result<(Arc<dyn LedgerReader>, Stopped)> {
        match self {
            Self::File(path) => {
                let reader = SqliteLedgerReader::open(path).with_context(|| self.to_string())?;
                let stopped = Stopped(Some(reader.interrupter()));
                Ok((Arc::new(reader), stopped))
            }
            #[cfg(feature = "postgres")]
            Self::Server(_, readers, _) => Ok((Arc::<PostgresLedgerReader>::clone(&readers.bounded), Stopped(None))),
        }
    }

    /// # Errors
    /// When it cannot be opened.
    pub fn reader(&self) -> Result<Arc<dyn LedgerReader>> {
        match self {
            Self::File(path) => Ok(Arc::new(SqliteLedgerReader::open(path).with_context(|| self.to_string())?)),
            #[cfg(feature = "postgres")]
            Self::Server(_, readers, _) => Ok(Arc::<PostgresLedgerReader>::clone(&readers.prompt)),
        }
    }
}

/// Ends what a connection of the file is doing when the answer is there or not wanted any more.
#[derive(Debug)]
pub struct Stopped(Option<Interrupter>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.iter().for_each(Interrupter::interrupt);
    }
}

impl fmt::Display for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the ledger in {}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Server(url, ..) => write!(f, "the ledger in {url}"),
        }
    }
}
