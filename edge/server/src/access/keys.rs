//! The keys in force, in memory: a request is checked without touching the database.
//!
//! A key is 256 random bits, so its hash needs neither salt nor slowness: there is nothing to guess. What changes through this
//! process is in force before the change is answered; what another process changed (the command line), a moment later.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use litfass_store::keys::{KeyError, KeyId, KeyRow, KeyStore, NewKey, Role, Scope};
use litfass_types::Timestamp;

use super::Caller;
use crate::problem::{Code, Problem};
use crate::secrets::{Key, SecretError};

/// What every key begins with, so that a leaked one is recognised for what it is.
const PREFIX: &str = "lf_";
const HASH_CONTEXT: &str = "litfass 2026 api key";

/// A key that was just made: the only time that its text is known.
#[derive(Debug)]
pub struct Made {
    pub row: KeyRow,
    pub text: String,
}

/// What somebody asks a new key to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub role: Role,
    pub scope: Scope,
    pub name: String,
    pub expires: Option<Timestamp>,
    pub rate: Option<u32>,
}

impl Wanted {
    /// # Errors
    /// In words, where a role makes no sense in that scope.
    pub fn check(&self) -> Result<(), &'static str> {
        match (self.role, self.scope) {
            (Role::Advertiser, Scope::Platform | Scope::Tenant(_)) => {
                Err("the role advertiser takes a tenant and an advertiser")
            }
            (Role::Admin | Role::Serving, Scope::Advertiser(..)) => {
                Err("only the roles advertiser and reporting can be narrowed to one advertiser")
            }
            _ => Ok(()),
        }
    }
}

/// Makes a key in the database; its text is in the answer and nowhere else.
///
/// # Errors
/// When there is no randomness, or the database fails.
pub fn make(store: &mut KeyStore, wanted: Wanted, who: &str, now: Timestamp) -> anyhow::Result<Made> {
    let text = fresh()?;
    let Wanted { role, scope, name, expires, rate } = wanted;
    let row = store.create(&NewKey { hash: hash(&text), role, scope, name, expires, rate }, who, now)?;
    Ok(Made { row, text })
}

fn fresh() -> Result<String, SecretError> {
    Ok(format!("{PREFIX}{}", Key::random()?.to_hex()))
}

/// What is kept of a key or a session's secret.
fn hash(text: &str) -> [u8; 32] {
    blake3::derive_key(HASH_CONTEXT, text.as_bytes())
}

#[derive(Debug)]
pub struct Keys {
    store: Mutex<KeyStore>,
    in_force: ArcSwap<InForce>,
    /// Whether only this machine can reach the server.
    loopback: bool,
}

#[derive(Debug)]
struct InForce {
    version: u64,
    by_hash: BTreeMap<[u8; 32], Arc<KeyRow>>,
}

impl InForce {
    /// The version first: what changes meanwhile is read once more.
    fn read(store: &KeyStore) -> Result<Self, KeyError> {
        let version = store.version()?;
        let by_hash = store.all()?.into_iter().map(|row| (row.hash, Arc::new(row))).collect();
        Ok(Self { version, by_hash })
    }
}

impl Keys {
    /// # Errors
    /// When the database cannot be read.
    pub fn open(database: &Path, loopback: bool) -> Result<Self, KeyError> {
        let store = KeyStore::open(database)?;
        let in_force = ArcSwap::from_pointee(InForce::read(&store)?);
        Ok(Self { store: Mutex::new(store), in_force, loopback })
    }

    /// Whether a key was ever made; a revoked one counts, so that revoking the last does not open the server.
    #[must_use]
    pub fn exist(&self) -> bool {
        !self.in_force.load().by_hash.is_empty()
    }

    /// Who it is that shows this key.
    ///
    /// # Errors
    /// 401 where the key is missing, unknown, expired or revoked.
    pub fn caller(&self, shown: Option<&str>, now: Timestamp) -> Result<Caller, Problem> {
        let Some(text) = shown else {
            let open = self.loopback && !self.exist();
            return if open { Ok(Caller::OPEN) } else { Err(refused("give an API key: Authorization: Bearer lf_…")) };
        };
        let found = self.in_force.load().by_hash.get(&hash(text)).cloned();
        let row = found.ok_or_else(|| refused("this API key is not known"))?;
        if row.is_valid(now) {
            return Ok(Caller { key: Some(row.id), role: row.role, scope: row.scope });
        }
        Err(refused(if row.revoked.is_some() { "this API key was revoked" } else { "this API key has expired" }))
    }

    /// Every key that was ever made, by id.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<KeyRow>> {
        let mut rows: Vec<_> = self.in_force.load().by_hash.values().cloned().collect();
        rows.sort_unstable_by_key(|row| row.id);
        rows
    }

    #[must_use]
    pub fn get(&self, id: KeyId) -> Option<Arc<KeyRow>> {
        self.in_force.load().by_hash.values().find(|row| row.id == id).cloned()
    }

    /// Blocks until it is on disk and in force.
    ///
    /// # Errors
    /// When there is no randomness, or the database fails.
    pub fn create(&self, wanted: Wanted, who: &str, now: Timestamp) -> anyhow::Result<Made> {
        let mut store = self.store();
        let made = make(&mut store, wanted, who, now)?;
        self.publish(&store)?;
        Ok(made)
    }

    /// Blocks until it is on disk and in force; none where there is no such key.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revoke(&self, id: KeyId, who: &str, now: Timestamp) -> Result<Option<KeyRow>, KeyError> {
        let mut store = self.store();
        let revoked = store.revoke(id, who, now)?;
        self.publish(&store)?;
        Ok(revoked)
    }

    /// Takes over what other processes changed.
    ///
    /// # Errors
    /// When the database fails.
    pub fn refresh(&self) -> Result<(), KeyError> {
        let store = self.store();
        if store.version()? == self.in_force.load().version { Ok(()) } else { self.publish(&store) }
    }

    /// With the store's lock held, so that an older state never follows a newer one.
    fn publish(&self, store: &MutexGuard<'_, KeyStore>) -> Result<(), KeyError> {
        self.in_force.store(Arc::new(InForce::read(store)?));
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, KeyStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(why: &str) -> Problem {
    Problem::new(Code::Unauthenticated, why)
}
