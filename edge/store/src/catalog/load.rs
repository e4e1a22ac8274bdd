//! Loading a catalog file: all of it or nothing, and the second time nothing.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use litfass_catalog::model::Object;
use litfass_catalog::{AdOrder, Builder, ObjectKind, ObjectRef, Problem};
use litfass_types::{CatalogVersion, Timestamp};

use super::CatalogError;
use super::file::{self, Entry, FILE_BYTES_MAX, Misfit, Place, Sink, Stopped};
use super::limit::{Limit, StatedLimit};
use super::loaded::{Before, whole};
use super::payload::encode;
use super::read::each_current;
use super::store::{CatalogStore, Change, Stored, append_all, stored, stored_limit, version};
use crate::database::sql::Transaction;

/// Problems that are reported of one file.
const PROBLEMS_MAX: usize = 1_000;
/// How often a load starts again because another one was quicker.
const ATTEMPTS: usize = 5;

/// What a load did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadReport {
    /// Objects that were not there before.
    pub inserted: u64,
    /// Objects that were there and are different now.
    pub changed: u64,
    pub unchanged: u64,
    /// The catalog's version after it.
    pub version: CatalogVersion,
    /// Every limit that the file states, changed or not: each is to be sent as a command, and repeats where it was before. A limit that
    /// a file no longer states stays what it was.
    pub limits: Vec<Limit>,
}

impl CatalogStore {
    /// Loads the file at `path`.
    ///
    /// # Errors
    /// `Refused` with everything that is wrong with the file, or that it cannot be read, or the database's failure. In every
    /// case nothing was loaded.
    pub fn load(&mut self, path: &Path, now: Timestamp) -> Result<LoadReport, CatalogError> {
        self.load_bytes(&read_file(path)?, now)
    }

    /// Loads the file's content.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_bytes(&mut self, bytes: &[u8], now: Timestamp) -> Result<LoadReport, CatalogError> {
        for _ in 0..ATTEMPTS {
            let staged = self.database.read(|tx| stage(tx, bytes, now))?;
            if let Some(version) = self.database.write(|tx| commit(tx, &staged, bytes, now))? {
                return self.report(&staged, version);
            }
        }
        Err(CatalogError::Contended)
    }

    fn report(&self, staged: &Staged, version: CatalogVersion) -> Result<LoadReport, CatalogError> {
        let limits = self.database.read(|tx| {
            let limits = staged.stated.iter().map(|(object, limit)| stored_limit(tx, *object, limit.field));
            limits.filter_map(Result::transpose).collect::<Result<_, CatalogError>>()
        })?;
        let Staged { inserted, changed, unchanged, .. } = *staged;
        Ok(LoadReport { inserted, changed, unchanged, version, limits })
    }
}

/// Appends, with its rows of the audit log, if the catalog is still what the file was compared with; else `None`.
fn commit(
    tx: &Transaction<'_>,
    staged: &Staged,
    bytes: &[u8],
    now: Timestamp,
) -> Result<Option<CatalogVersion>, CatalogError> {
    if version(tx)? != staged.at {
        return Ok(None);
    }
    let before = Before::of(tx, &staged.different)?;
    let version = append_all(tx, staged.at, &staged.changes, &staged.new_limits, now)?;
    if version != staged.at {
        let Staged { inserted, changed, .. } = *staged;
        before.write(tx, now, whole(bytes, inserted, changed, staged.new_limits.len(), version.sequence))?;
    }
    Ok(Some(version))
}

/// Compares the file with the catalog as it is and validates what would come of it, without writing.
fn stage(tx: &Transaction<'_>, bytes: &[u8], now: Timestamp) -> Result<Staged, CatalogError> {
    let at = version(tx)?;
    let mut stager = Stager::new(tx, now);
    let read = file::read(bytes, &mut stager);
    if let Some(failure) = stager.failure.take() {
        return Err(failure);
    }
    read.map_err(|problem| CatalogError::Refused(vec![problem]))?;
    stager.finish(at)
}

fn read_file(path: &Path) -> Result<Vec<u8>, CatalogError> {
    let failed = |source| CatalogError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(CatalogError::FileTooLarge { path: path.to_owned(), bytes });
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    // A pipe has no length beforehand, and a file may grow while it is read.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(failed)?;
    let bytes = content.len() as u64;
    if bytes <= FILE_BYTES_MAX { Ok(content) } else { Err(CatalogError::FileTooLarge { path: path.to_owned(), bytes }) }
}

/// What a load will append.
struct Staged {
    at: CatalogVersion,
    changes: Vec<Change>,
    new_limits: Vec<(ObjectRef, StatedLimit)>,
    stated: Vec<(ObjectRef, StatedLimit)>,
    inserted: u64,
    changed: u64,
    unchanged: u64,
    /// Those that were there, and of which something is changed, be it a limit.
    different: BTreeSet<ObjectRef>,
}

/// Takes the file's objects, compares each with the store and puts it into the catalog to be.
struct Stager<'a, 't> {
    tx: &'a Transaction<'t>,
    now: Timestamp,
    builder: Builder,
    /// Where in the file each object stands.
    places: HashMap<ObjectRef, u32>,
    problems: Vec<String>,
    staged: Staged,
    failure: Option<CatalogError>,
}

impl Sink for Stager<'_, '_> {
    fn take(&mut self, place: Place, entry: Result<Entry, Misfit>) -> Result<(), Stopped> {
        let taken = match entry {
            Ok(entry) => self.entry(entry),
            Err(misfit) => {
                self.problem(format!("{place}.{}: {}", misfit.field, misfit.message));
                Ok(())
            }
        };
        taken.map_err(|failure| {
            self.failure = Some(failure);
            Stopped
        })
    }
}

impl<'a, 't> Stager<'a, 't> {
    fn new(tx: &'a Transaction<'t>, now: Timestamp) -> Self {
        let staged = Staged {
            at: CatalogVersion::default(),
            changes: Vec::new(),
            new_limits: Vec::new(),
            stated: Vec::new(),
            inserted: 0,
            changed: 0,
            unchanged: 0,
            different: BTreeSet::new(),
        };
        let (places, problems) = (HashMap::new(), Vec::new());
        Self { tx, now, builder: Builder::new(), places, problems, staged, failure: None }
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    fn entry(&mut self, entry: Entry) -> Result<(), CatalogError> {
        let object = entry.object.reference();
        match self.places.entry(object) {
            Slot::Occupied(first) => {
                let first = Place { index: *first.get(), ..entry.place };
                self.problem(format!("{}.id: {object} is given in {first} already", entry.place));
                return Ok(());
            }
            Slot::Vacant(slot) => slot.insert(entry.place.index),
        };
        let before = (self.staged.inserted, self.staged.changed, self.staged.new_limits.len());
        self.object(entry.place, entry.object)?;
        entry.limits.into_iter().try_for_each(|limit| self.limit(object, limit))?;
        let after = (self.staged.inserted, self.staged.changed, self.staged.new_limits.len());
        if before.0 == after.0 && before != after {
            self.staged.different.insert(object);
        }
        Ok(())
    }

    fn object(&mut self, place: Place, object: Object) -> Result<(), CatalogError> {
        let reference = object.reference();
        let before = stored(self.tx, reference)?;
        let created = before.as_ref().map_or(self.now, |stored| stored.created);
        let beside = before.as_ref().map(|stored| stored.beside(reference)).transpose()?.unwrap_or_default();
        let payload = beside.after(encode(&object));
        match &before {
            None => self.staged.inserted += 1,
            Some(stored) if stored.payload == payload => self.staged.unchanged += 1,
            Some(stored) => {
                self.staged.changed += 1;
                self.check_parent(place, stored, &object)?;
            }
        }
        if before.is_none_or(|stored| stored.payload != payload) {
            self.staged.changes.push(Change { object: reference, created, payload });
        }
        self.builder.push(object);
        Ok(())
    }

    /// An object stays beneath its parent: budgets and records hang on where it stands.
    fn check_parent(&mut self, place: Place, before: &Stored, now: &Object) -> Result<(), CatalogError> {
        let reference = now.reference();
        let before = before.object(reference)?;
        if let (Some(before), Some(now)) = (parent(&before), parent(now))
            && before != now
        {
            self.problem(format!("{place}.{}: stays beneath {before}; make a new object instead", before.kind.name()));
        }
        Ok(())
    }

    fn limit(&mut self, object: ObjectRef, limit: StatedLimit) -> Result<(), CatalogError> {
        self.staged.stated.push((object, limit));
        let before = stored_limit(self.tx, object, limit.field)?;
        if before.is_none_or(|before| before.micros != limit.micros) {
            self.staged.new_limits.push((object, limit));
        }
        Ok(())
    }

    /// Validates the whole catalog to be: the file's objects and those of the store that the file does not name.
    fn finish(mut self, at: CatalogVersion) -> Result<Staged, CatalogError> {
        if !self.problems.is_empty() {
            return Err(CatalogError::Refused(self.problems));
        }
        if !self.staged.changes.is_empty() {
            let (places, builder) = (&self.places, &mut self.builder);
            each_current(self.tx, &mut |object| {
                if !places.contains_key(&object.reference()) {
                    builder.push(object);
                }
            })?;
            let places = std::mem::take(&mut self.places);
            let built = self.builder.finish(at, AdOrder::ByLineItem);
            built.map_err(|problems| CatalogError::Refused(problems.iter().map(|p| placed(p, &places)).collect()))?;
        }
        Ok(Staged { at, ..self.staged })
    }
}

/// The problem under its path in the file, where the object is in it.
fn placed(problem: &Problem, places: &HashMap<ObjectRef, u32>) -> String {
    let Some(index) = places.get(&problem.object) else { return problem.to_string() };
    let place = Place { kind: problem.object.kind, index: *index };
    if problem.field.is_empty() {
        return format!("{place}: {}", problem.message);
    }
    format!("{place}.{}: {}", problem.field, problem.message)
}

/// What the object hangs on.
pub(super) fn parent(object: &Object) -> Option<ObjectRef> {
    let (kind, id) = match object {
        Object::Tenant(_) => return None,
        Object::Advertiser(o) => (ObjectKind::Tenant, o.tenant.0),
        Object::Campaign(o) => (ObjectKind::Advertiser, o.advertiser.0),
        Object::LineItem(o) => (ObjectKind::Campaign, o.campaign.0),
        Object::Creative(o) => (ObjectKind::Advertiser, o.advertiser.0),
        Object::Ad(o) => (ObjectKind::LineItem, o.line_item.0),
        Object::Placement(o) => (ObjectKind::Tenant, o.tenant.0),
        Object::Segment(o) => (ObjectKind::Tenant, o.tenant.0),
    };
    Some(ObjectRef { kind, id })
}
