//! The keys and sessions in force, in memory: a request is checked without touching the database.
//!
//! A key is 256 random bits, so its hash needs neither salt nor slowness: there is nothing to guess. What changes through this
//! process is in force before the change is answered; what another process changed (the command line), a moment later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use litfass_store::database::Place;
use litfass_store::keys::{KeyError, KeyId, KeyRow, KeyStore, NewKey, Role, Scope, SessionRow};
use litfass_types::{Duration, Timestamp};

use super::Caller;
use super::rate::{Allowance, Bucket};
use crate::problem::{Code, Problem};
use crate::secrets::{Key, SecretError};

/// What every key begins with, so that a leaked one is recognised for what it is.
const PREFIX: &str = "lf_";
const KEY_CONTEXT: &str = "litfass 2026 api key";
const SESSION_CONTEXT: &str = "litfass 2026 session cookie";
const CSRF_CONTEXT: &str = "litfass 2026 form token";

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
    let text = format!("{PREFIX}{}", secret()?);
    let Wanted { role, scope, name, expires, rate } = wanted;
    let hash = blake3::derive_key(KEY_CONTEXT, text.as_bytes());
    let row = store.create(&NewKey { hash, role, scope, name, expires, rate }, who, now)?;
    Ok(Made { row, text })
}

fn secret() -> Result<String, SecretError> {
    Ok(Key::random()?.to_hex())
}

/// By what a request says who sends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown<'a> {
    Nothing,
    Key(&'a str),
    /// The cookie of a session.
    Session(&'a str),
}

#[derive(Debug)]
pub struct Keys {
    store: Mutex<KeyStore>,
    in_force: ArcSwap<InForce>,
    began: Instant,
    /// Whether only this machine can reach the server.
    loopback: bool,
    /// What a key may send that names no rate of its own.
    allowance: Allowance,
}

/// A key, and how much of its rate is used up.
#[derive(Clone, Debug)]
struct Entry {
    row: Arc<KeyRow>,
    bucket: Arc<Bucket>,
}

#[derive(Debug, Default)]
struct InForce {
    version: u64,
    by_hash: BTreeMap<[u8; 32], Entry>,
    by_id: BTreeMap<KeyId, Entry>,
    sessions: BTreeMap<[u8; 32], SessionRow>,
}

impl InForce {
    /// The version first: what changes meanwhile is read once more. Buckets go on as they were.
    fn read(store: &KeyStore, before: &Self) -> Result<Self, KeyError> {
        let version = store.version()?;
        let entry = |row: KeyRow| {
            let bucket = before.by_id.get(&row.id).map(|entry| Arc::clone(&entry.bucket)).unwrap_or_default();
            Entry { row: Arc::new(row), bucket }
        };
        let by_hash: BTreeMap<_, _> = store.all()?.into_iter().map(|row| (row.hash, entry(row))).collect();
        let by_id = by_hash.values().map(|entry| (entry.row.id, entry.clone())).collect();
        let sessions = store.sessions()?.into_iter().map(|session| (session.hash, session)).collect();
        Ok(Self { version, by_hash, by_id, sessions })
    }

    fn of_session(&self, cookie: &str, now: Timestamp) -> Option<Entry> {
        let session = self.sessions.get(&session_hash(cookie)).filter(|session| now < session.expires)?;
        self.by_id.get(&session.key).cloned()
    }
}

impl Keys {
    /// # Errors
    /// When the database cannot be read.
    pub fn open(place: impl Into<Place>, loopback: bool, allowance: Allowance) -> Result<Self, KeyError> {
        let store = KeyStore::open(place)?;
        let in_force = ArcSwap::from_pointee(InForce::read(&store, &InForce::default())?);
        Ok(Self { store: Mutex::new(store), in_force, began: Instant::now(), loopback, allowance })
    }

    /// Whether a key was ever made; a revoked one counts, so that revoking the last does not open the server.
    #[must_use]
    pub fn exist(&self) -> bool {
        !self.in_force.load().by_hash.is_empty()
    }

    /// Who it is that shows this, if they may send one more request now.
    ///
    /// # Errors
    /// 401 where the key is missing, unknown, expired or revoked; 429 where it sends more than it may.
    pub fn caller(&self, shown: Shown<'_>, now: Timestamp) -> Result<Caller, Problem> {
        let in_force = self.in_force.load();
        let (found, csrf) = match shown {
            Shown::Key(text) => {
                let hash = blake3::derive_key(KEY_CONTEXT, text.as_bytes());
                let known = in_force.by_hash.get(&hash).cloned();
                (Some(known.ok_or_else(|| refused("this API key is not known"))?), None)
            }
            Shown::Session(cookie) => (in_force.of_session(cookie, now), Some(csrf_token(cookie))),
            Shown::Nothing => (None, None),
        };
        match found {
            Some(entry) => self.admitted(&entry, csrf, now),
            None if self.loopback && in_force.by_hash.is_empty() => Ok(Caller::OPEN),
            None => Err(refused("give an API key: Authorization: Bearer lf_…")),
        }
    }

    fn admitted(&self, entry: &Entry, csrf: Option<String>, now: Timestamp) -> Result<Caller, Problem> {
        let row = &entry.row;
        if !row.is_valid(now) {
            return Err(refused(if row.revoked.is_some() {
                "this API key was revoked"
            } else {
                "this API key has expired"
            }));
        }
        let allowance = Allowance { per_second: row.rate.unwrap_or(self.allowance.per_second), ..self.allowance };
        let now_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        entry.bucket.take(now_ns, allowance).map_err(|wait| {
            let rate = allowance.per_second;
            Problem::new(Code::TooManyRequests, format!("this key may send {rate} requests a second")).retry_after(wait)
        })?;
        Ok(Caller { key: Some(row.id), role: row.role, scope: row.scope, csrf })
    }

    /// Every key that was ever made, by id.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<KeyRow>> {
        self.in_force.load().by_id.values().map(|entry| Arc::clone(&entry.row)).collect()
    }

    #[must_use]
    pub fn get(&self, id: KeyId) -> Option<Arc<KeyRow>> {
        self.in_force.load().by_id.get(&id).map(|entry| Arc::clone(&entry.row))
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

    /// Blocks until it is on disk and in force; none where there is no such key. Its sessions end with it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revoke(&self, id: KeyId, who: &str, now: Timestamp) -> Result<Option<KeyRow>, KeyError> {
        let mut store = self.store();
        let revoked = store.revoke(id, who, now)?;
        self.publish(&store)?;
        Ok(revoked)
    }

    /// A session of that key: the text of its cookie, kept as a hash only. Blocks until it is on disk.
    ///
    /// # Errors
    /// When there is no randomness, or the database fails.
    pub fn begin_session(&self, key: KeyId, now: Timestamp, life: Duration) -> anyhow::Result<String> {
        let cookie = secret()?;
        let mut store = self.store();
        store.begin_session(&SessionRow { hash: session_hash(&cookie), key, expires: now + life }, now)?;
        self.publish(&store)?;
        Ok(cookie)
    }

    /// Blocks until it is on disk and in force.
    ///
    /// # Errors
    /// When the database fails.
    pub fn end_session(&self, cookie: &str) -> Result<(), KeyError> {
        let mut store = self.store();
        store.end_session(&session_hash(cookie))?;
        self.publish(&store)
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
        let before = self.in_force.load();
        self.in_force.store(Arc::new(InForce::read(store, &before)?));
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, KeyStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn session_hash(cookie: &str) -> [u8; 32] {
    blake3::derive_key(SESSION_CONTEXT, cookie.as_bytes())
}

/// What a form of that session sends along: known to its pages, and to nobody who has not read them.
fn csrf_token(cookie: &str) -> String {
    blake3::Hash::from_bytes(blake3::derive_key(CSRF_CONTEXT, cookie.as_bytes())).to_hex().to_string()
}

fn refused(why: &str) -> Problem {
    Problem::new(Code::Unauthenticated, why)
}
