//! Connections to a PostgreSQL server: opened when they are needed, kept while they work, each with its prepared statements.
//!
//! A connection that was idle may be dead without anybody knowing, because the server was restarted; that shows when a
//! transaction begins, where nothing has happened yet, so another one is opened.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use postgres::config::SslMode;
use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use postgres::{Client, Config, Error, Row, Statement};

use super::DatabaseError;
use super::tls::{self, Asked, Tls};

/// How long a call waits for another process's lock, as with the other database.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '10s'";
/// A process that hangs within a transaction keeps others from its accounts no longer than that.
const IDLE_TIMEOUT: &str = "SET idle_in_transaction_session_timeout = '30s'";
/// Rows are looked up by their keys, some thousands at once, in tables of any size: an index, always. A plan that was made while
/// a table was empty would read it from end to end for ever.
const BY_KEY: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                      SET enable_mergejoin = off; SET enable_bitmapscan = off; SET jit = off";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A host that vanished without a word is given up after that; the system would wait a quarter of an hour.
const GONE_AFTER: Duration = Duration::from_secs(30);
const IDLE_MAX: usize = 8;
/// Statements of a key table are of no use once its day was dropped.
const STATEMENTS_MAX: usize = 512;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    Writing,
    Reading,
}

impl Use {
    const fn begins(self) -> &'static str {
        match self {
            Self::Writing => "START TRANSACTION ISOLATION LEVEL READ COMMITTED",
            Self::Reading => "START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// Connections to one database for one use.
pub(crate) struct Pool {
    address: Address,
    purpose: Use,
    idle: Mutex<Vec<Session>>,
}

/// A connection with its prepared statements; between being taken from its pool and given back it has a transaction.
pub(crate) struct Session {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// Where a server is, and how the way to it is kept from others.
#[derive(Clone)]
pub(crate) struct Address {
    config: Config,
    tls: Tls,
}

impl Address {
    /// # Errors
    /// Where it is none, or asks for TLS that there is not.
    pub(crate) fn parse(url: &str) -> Result<Self, DatabaseError> {
        let (rest, asked) = tls::split(url)?;
        let mut config = Config::from_str(&rest).map_err(|error| DatabaseError::new(NoAddress(error), false))?;
        config.ssl_mode(if asked == Asked::Nothing { SslMode::Disable } else { SslMode::Require });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(GONE_AFTER);
        }
        if config.get_application_name().is_none() {
            config.application_name("litfass");
        }
        Ok(Self { config, tls: tls::connector(&asked)? })
    }

    /// The same server, which ends a statement that takes longer.
    pub(crate) fn within(&self, limit: Duration) -> Self {
        let mut limited = self.clone();
        limited.config.options(&format!("-c statement_timeout={}", limit.as_millis()));
        limited
    }
}

/// The operator's: an address that cannot be connected to.
#[derive(Debug, thiserror::Error)]
#[error("the address of the database: {0}")]
struct NoAddress(#[source] Error);

impl Pool {
    pub(crate) const fn new(address: Address, purpose: Use) -> Self {
        Self { address, purpose, idle: Mutex::new(Vec::new()) }
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// Runs one transaction and commits it where `run` succeeds; else nothing has happened, unless the connection broke while
    /// committing: then nobody knows.
    ///
    /// It runs on a thread of its own, for which the caller's waits: the driver has a small runtime inside, which cannot begin on
    /// a thread that runs asynchronous tasks. That costs some ten microseconds.
    pub(crate) fn transact<T: Send, E: From<Error> + Send>(
        &self,
        run: impl FnOnce(&mut Session) -> Result<T, E> + Send,
    ) -> Result<T, E> {
        std::thread::scope(|scope| match scope.spawn(|| self.transact_here(run)).join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    fn transact_here<T, E: From<Error>>(&self, run: impl FnOnce(&mut Session) -> Result<T, E>) -> Result<T, E> {
        let mut session = self.begin()?;
        let done = run(&mut session);
        if done.is_ok() {
            session.client.batch_execute("COMMIT").map_err(E::from)?;
            self.keep(session);
        } else if session.client.batch_execute("ROLLBACK").is_ok() {
            self.keep(session);
        }
        done
    }

    /// A connection on which a transaction has begun.
    fn begin(&self) -> Result<Session, Error> {
        while let Some(mut session) = self.pop() {
            if session.client.batch_execute(self.purpose.begins()).is_ok() {
                return Ok(session);
            }
        }
        let mut session = self.connect()?;
        session.client.batch_execute(self.purpose.begins())?;
        Ok(session)
    }

    fn pop(&self) -> Option<Session> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn connect(&self) -> Result<Session, Error> {
        let Address { config, tls } = self.address.clone();
        let mut client = config.connect(tls)?;
        client.batch_execute(&format!("{LOCK_TIMEOUT}; {IDLE_TIMEOUT}"))?;
        if self.purpose == Use::Writing {
            client.batch_execute(BY_KEY)?;
        }
        Ok(Session { client, statements: HashMap::new() })
    }

    fn keep(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && session.statements.len() < STATEMENTS_MAX {
            idle.push(session);
        }
    }
}

/// Saying goodbye to the server blocks, and whoever drops the last owner may be a thread that must not.
impl Drop for Pool {
    fn drop(&mut self) {
        let idle = std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !idle.is_empty() {
            drop(std::thread::spawn(move || drop(idle)));
        }
    }
}

impl Session {
    fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(crate) fn query(&mut self, sql: &str, bind: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(sql)?;
        self.client.query(&statement, bind)
    }

    /// Row by row, without keeping them.
    pub(crate) fn each<E: From<Error>>(
        &mut self,
        sql: &str,
        bind: &[&(dyn ToSql + Sync)],
        mut take: impl FnMut(&Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let statement = self.prepare(sql)?;
        let mut rows = self.client.query_raw(&statement, bind.iter().copied())?;
        while let Some(row) = rows.next()? {
            take(&row)?;
        }
        Ok(())
    }

    pub(crate) fn execute(&mut self, sql: &str, bind: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        let statement = self.prepare(sql)?;
        self.client.execute(&statement, bind)
    }

    /// Statements without parameters.
    pub(crate) fn script(&mut self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql)
    }
}

/// Scripts that make tables what this version needs, one per version, in order; a script that was released never changes.
pub(crate) struct Migrations<'a> {
    /// Says which were run.
    pub(crate) table: &'a str,
    /// Only one process at a time changes tables: whoever holds this.
    pub(crate) lock: i64,
    pub(crate) scripts: &'a [&'a str],
}

/// The tables were written by a later version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newer {
    pub(crate) found: u32,
    pub(crate) known: u32,
}

impl Pool {
    /// Brings tables to this program's version.
    pub(crate) fn migrate(&self, migrations: &Migrations<'_>) -> Result<Result<(), Newer>, Error> {
        self.transact(|session| migrations.run(session))
    }
}

impl Migrations<'_> {
    fn run(&self, session: &mut Session) -> Result<Result<(), Newer>, Error> {
        let (table, known) = (self.table, u32::try_from(self.scripts.len()).unwrap_or(u32::MAX));
        if self.version(session)? == Some(known) {
            return Ok(Ok(()));
        }
        session.execute("SELECT pg_advisory_xact_lock($1)", &[&self.lock])?;
        session.script(&format!("CREATE TABLE IF NOT EXISTS {table} (version INTEGER PRIMARY KEY)"))?;
        let found = self.version(session)?.unwrap_or(0);
        if found > known {
            return Ok(Err(Newer { found, known }));
        }
        for (version, script) in (1_u32..).zip(self.scripts).filter(|(version, _)| *version > found) {
            session.script(script)?;
            session.execute(&format!("INSERT INTO {table} (version) VALUES ($1)"), &[&version.cast_signed()])?;
        }
        Ok(Ok(()))
    }

    /// None before the first migration.
    fn version(&self, session: &mut Session) -> Result<Option<u32>, Error> {
        let table = self.table;
        if session.query("SELECT 1 WHERE to_regclass($1::text) IS NOT NULL", &[&table])?.is_empty() {
            return Ok(None);
        }
        let rows = session.query(&format!("SELECT coalesce(max(version), 0) FROM {table}"), &[])?;
        let version: i32 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(Some(u32::try_from(version).unwrap_or(u32::MAX)))
    }
}

/// Another transaction came first, and this one was rolled back: the same may have another outcome at once.
pub(crate) fn came_second(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            // A row that was not there when it was read.
            SqlState::UNIQUE_VIOLATION,
            // A key table that was dropped when it was written to.
            SqlState::UNDEFINED_TABLE,
        ]
        .contains(code)
    })
}

/// The connection is of no use any more.
pub(crate) fn disconnected(error: &Error) -> bool {
    error.code().is_none_or(|code| is_of(code, &["08", "57"]))
}

/// Whether it passes by itself.
pub(crate) fn passes(error: &Error) -> bool {
    let waited = |code: &SqlState| *code == SqlState::LOCK_NOT_AVAILABLE || is_of(code, &["53"]);
    error.code().is_some_and(waited) || came_second(error) || disconnected(error)
}

/// 08 connection, 53 resources, 57 an operator's intervention such as a restart.
fn is_of(code: &SqlState, classes: &[&str]) -> bool {
    classes.iter().any(|class| code.code().starts_with(class))
}

/// What a server or the way to it reported, in words that say what.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Reported(pub(crate) Error);

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_db_error(), std::error::Error::source(&self.0)) {
            (Some(reported), _) => write!(f, "{reported}"),
            (None, Some(cause)) => write!(f, "{}: {cause}", self.0),
            (None, None) => self.0.fmt(f),
        }
    }
}

impl From<Error> for DatabaseError {
    fn from(error: Error) -> Self {
        let passes = passes(&error);
        Self::new(Reported(error), passes)
    }
}
