//! A database of a test's own, of each kind that there is: what is promised of catalog, keys and audit log holds on all of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use litfass_store::audit::AuditLog;
use litfass_store::catalog::CatalogStore;
use litfass_store::database::Place;
use litfass_store::keys::KeyStore;
use litfass_store::migrate;
use tempfile::TempDir;

pub(crate) enum Own {
    File(TempDir),
    #[cfg(feature = "postgres")]
    Server(String),
}

impl Own {
    pub(crate) fn file() -> Self {
        let own = Self::File(tempfile::tempdir().unwrap());
        migrate::to_current(&own.path()).unwrap();
        own
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn server() -> Self {
        Self::Server(crate::ledger::cluster::cluster().database())
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::File(folder) => folder.path().join("litfass.db"),
            #[cfg(feature = "postgres")]
            Self::Server(url) => panic!("{url} is no file"),
        }
    }

    /// With connections of its own, as another process has it.
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::File(_) => Place::File(self.path()),
            #[cfg(feature = "postgres")]
            Self::Server(url) => {
                let server = litfass_store::database::Server::open(url, "a server".to_owned()).unwrap();
                Place::Server(std::sync::Arc::new(server))
            }
        }
    }

    pub(crate) fn catalog(&self) -> CatalogStore {
        CatalogStore::open(self.place()).unwrap()
    }

    pub(crate) fn keys(&self) -> KeyStore {
        KeyStore::open(self.place()).unwrap()
    }

    pub(crate) fn audit(&self) -> AuditLog {
        AuditLog::open(self.place()).unwrap()
    }

    /// As an administrator of the database may.
    pub(crate) fn script(&self, sql: &str) -> Result<(), String> {
        match self {
            Self::File(_) => {
                let connection = rusqlite::Connection::open(self.path()).unwrap();
                connection.execute_batch(sql).map_err(|error| error.to_string())
            }
            #[cfg(feature = "postgres")]
            Self::Server(url) => {
                let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
                client.batch_execute(sql).map_err(|error| error.as_db_error().unwrap().to_string())
            }
        }
    }

    /// As one may who has no scruples: nothing guards the rows.
    pub(crate) fn forge(&self, sql: &str) {
        let unguarded = match self {
            Self::File(_) => {
                "DROP TRIGGER IF EXISTS audit_stays; DROP TRIGGER IF EXISTS audit_remains;
                 DROP TRIGGER IF EXISTS audit_chain_stays; DROP TRIGGER IF EXISTS audit_chain_remains;
                 DROP TRIGGER IF EXISTS catalog_changes_stay; DROP TRIGGER IF EXISTS catalog_changes_remain;"
            }
            #[cfg(feature = "postgres")]
            Self::Server(_) => "SET session_replication_role = replica;",
        };
        self.script(&format!("{unguarded}{sql}")).unwrap();
    }
}

/// Makes a test of each function on every database.
macro_rules! on_every_database {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $name() { super::$name(&$crate::own::Own::file()) })*
        }
        #[cfg(feature = "postgres")]
        mod real_postgres {
            $(#[test] fn $name() { super::$name(&$crate::own::Own::server()) })*
        }
    };
}
pub(crate) use on_every_database;
