//! From the tables to a catalog in memory, and what has changed since.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use litfass_catalog::model::Object;
use litfass_catalog::{AdOrder, Builder, Catalog, ObjectKind, ObjectRef, Problem};
use litfass_types::{CatalogVersion, Timestamp};

use super::CatalogError;
use super::limit::Limit;
use super::load::parent;
use super::payload::{BadPayload, decode};
use super::store::{CatalogStore, kind_of, limits_since, stored, version};
use crate::database::sql::{Row, Transaction, bind};

/// What has changed after some sequence number.
#[derive(Clone, PartialEq, Debug)]
pub struct Changes {
    pub version: CatalogVersion,
    /// Each object once, as it is now.
    pub objects: Vec<Object>,
    /// Limits to be set by command; those of a later sequence later.
    pub limits: Vec<Limit>,
}

/// One row of the list of changes, undecoded.
pub(super) struct RawChange {
    pub(super) sequence: u64,
    pub(super) object: ObjectRef,
    pub(super) created: Timestamp,
    pub(super) payload: Vec<u8>,
}

impl RawChange {
    pub(super) fn read(row: &Row<'_>) -> Result<Self, CatalogError> {
        let sequence = row.unsigned(0)?;
        let object = ObjectRef { kind: kind_of(row.narrow(1)?, sequence)?, id: row.unsigned(2)? };
        Ok(Self { sequence, object, created: row.time(3)?, payload: row.bytes(4)? })
    }

    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn decode(&self) -> Result<Object, CatalogError> {
        decode(self.object.kind, self.object.id, self.created, &self.payload).map_err(|e| self.damaged(&e))
    }

    pub(super) fn damaged(&self, reason: &BadPayload) -> CatalogError {
        CatalogError::Damaged { sequence: self.sequence, object: self.object.to_string(), reason: reason.to_string() }
    }
}

/// Parents before what hangs on them, each kind by id.
const CURRENT: &str = "SELECT c.sequence, c.kind, c.id, c.created_ms, c.payload
    FROM catalog_current AS n JOIN catalog_changes AS c ON c.sequence = n.sequence ORDER BY n.kind, n.id";

const CHANGED: &str = "SELECT c.sequence, c.kind, c.id, c.created_ms, c.payload
    FROM catalog_changes AS c JOIN catalog_current AS n ON n.kind = c.kind AND n.id = c.id AND n.sequence = c.sequence
    WHERE c.sequence > ?1 ORDER BY c.sequence";

/// Rows that pass from the reading to the building thread at once.
const BATCH: usize = 1_024;
/// Batches that may wait between the two.
const BATCHES_WAITING: usize = 8;

impl CatalogStore {
    /// The whole catalog as it stands: one thread reads, another decodes and builds.
    ///
    /// # Errors
    /// When the database fails, a change cannot be read, or what is stored is no valid catalog.
    pub fn read_catalog(&self) -> Result<Catalog, CatalogError> {
        self.database.read(|tx| {
            let at = version(tx)?;
            let mut builder = Builder::new();
            each_current(tx, &mut |object| builder.push(object))?;
            builder.finish(at, AdOrder::ByLineItem).map_err(|problems| inconsistent(&problems))
        })
    }

    /// The catalog as it stands without the objects that do not fit it and what hangs on those, and which they are. What is in
    /// the store was validated when it was written; should something not fit all the same, no other waits for it.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn read_fitting(&self) -> Result<(Catalog, BTreeSet<ObjectRef>), CatalogError> {
        self.database.read(|tx| fitting(version(tx)?, |visit| each_current(tx, visit)))
    }

    /// The objects as they are now; what is not there is left out.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub(super) fn current(&self, objects: &BTreeSet<ObjectRef>) -> Result<Vec<Object>, CatalogError> {
        self.database.read(|tx| {
            let read = |object: &ObjectRef| stored(tx, *object)?.map(|stored| stored.object(*object)).transpose();
            objects.iter().filter_map(|object| read(object).transpose()).collect()
        })
    }

    /// Everything that changed after `since`.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn changes_since(&self, since: u64) -> Result<Changes, CatalogError> {
        self.database.read(|tx| {
            let objects = tx.list(CHANGED, bind![since], |row| RawChange::read(row)?.decode())?;
            Ok(Changes { version: version(tx)?, objects, limits: limits_since(tx, since)? })
        })
    }

    /// Every limit in force: what a serving process sends as commands when it starts. Those that were sent before repeat.
    ///
    /// # Errors
    /// When the database fails.
    pub fn limits(&self) -> Result<Vec<Limit>, CatalogError> {
        self.database.read(|tx| limits_since(tx, 0))
    }
}

/// Builds what `each` visits, parents before what hangs on them, again and again without what does not fit.
pub(super) fn fitting(
    at: CatalogVersion,
    mut each: impl FnMut(&mut (dyn FnMut(Object) + Send)) -> Result<(), CatalogError>,
) -> Result<(Catalog, BTreeSet<ObjectRef>), CatalogError> {
    let mut left_out = BTreeSet::new();
    loop {
        let mut builder = Builder::new();
        each(&mut |object| {
            if left_out.contains(&object.reference()) || stands_on(&object).any(|above| left_out.contains(&above)) {
                left_out.insert(object.reference());
            } else {
                builder.push(object);
            }
        })?;
        let problems = match builder.finish(at, AdOrder::ByLineItem) {
            Ok(catalog) => return Ok((catalog, left_out)),
            Err(problems) => problems,
        };
        problems.iter().for_each(|problem| tracing::error!("left out of the catalog: {problem}"));
        let before = left_out.len();
        left_out.extend(problems.iter().map(|problem| problem.object));
        if left_out.len() == before {
            return Err(inconsistent(&problems));
        }
    }
}

/// What has to be in a catalog for this object to be in it.
fn stands_on(object: &Object) -> impl Iterator<Item = ObjectRef> {
    let shows = if let Object::Ad(ad) = object { Some(ad.creative.0) } else { None };
    parent(object).into_iter().chain(shows.map(|id| ObjectRef { kind: ObjectKind::Creative, id }))
}

pub(super) fn inconsistent(problems: &[Problem]) -> CatalogError {
    CatalogError::Inconsistent(problems.iter().map(Problem::to_string).collect())
}

/// Visits every object that the transaction sees. The calling thread reads; another one decodes and visits.
pub(super) fn each_current(tx: &Transaction<'_>, visit: &mut (dyn FnMut(Object) + Send)) -> Result<(), CatalogError> {
    let (sender, receiver) = sync_channel(BATCHES_WAITING);
    std::thread::scope(|scope| {
        let visiting = scope.spawn(move || visit_batches(&receiver, visit));
        let read = read_batches(tx, &sender);
        drop(sender);
        // What stopped the visitor is why the reader could not go on.
        let visited = visiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        visited.and(read)
    })
}

fn read_batches(tx: &Transaction<'_>, sender: &SyncSender<Vec<RawChange>>) -> Result<(), CatalogError> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut heard = true;
    tx.each(CURRENT, &[], |row| {
        batch.push(RawChange::read(row)?);
        if batch.len() == BATCH && heard {
            heard = sender.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_ok();
        }
        // Nobody listens only where the visitor has failed, and then says why.
        if heard { Ok(()) } else { Err(CatalogError::Contended) }
    })?;
    sender.send(batch).unwrap_or(());
    Ok(())
}

fn visit_batches(receiver: &Receiver<Vec<RawChange>>, visit: &mut dyn FnMut(Object)) -> Result<(), CatalogError> {
    for raw in receiver.iter().flatten() {
        visit(raw.decode()?);
    }
    Ok(())
}
