//! The admin API's way to the catalog: edits and look-ups on connections of their own, off the requests' threads.
//!
//! What an edit commits is told to the worker that serves the catalog, so nobody waits for its next poll.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use litfass_store::catalog::{CatalogError, CatalogStore};
use litfass_store::database::Place;

/// Wakes the worker that follows the catalog store.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<(Mutex<bool>, Condvar)>);

impl Told {
    pub fn tell(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Waits until told, that long at most.
    pub fn wait(&self, span: Duration) {
        let told = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(told, span, |told| !*told);
        let (mut told, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *told = false;
    }
}

#[derive(Debug)]
pub struct Editor {
    writing: Mutex<CatalogStore>,
    /// Apart, so that a look-up does not wait for a large edit.
    reading: Mutex<CatalogStore>,
    pub told: Told,
}

impl Editor {
    /// # Errors
    /// When the database cannot be opened, or its index not be brought up to date.
    pub fn open(database: &Place) -> Result<Self, CatalogError> {
        let writing = CatalogStore::open(database)?;
        writing.bring_index_up_to_date()?;
        let reading = CatalogStore::open(database)?;
        Ok(Self { writing: Mutex::new(writing), reading: Mutex::new(reading), told: Told::default() })
    }

    /// The one connection that changes the catalog; blocks while another edit is in progress.
    pub fn writing(&self) -> MutexGuard<'_, CatalogStore> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn reading(&self) -> MutexGuard<'_, CatalogStore> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
