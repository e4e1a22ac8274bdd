//! Frequency caps in Redis: one record per viewer, changed by compare-and-set, for as many processes as reach the server.
//!
//! A value is a stamp (a counter and a random number, both of the last change) and then the record in the codec of the embedded
//! fold. One `MGET` reads it with the **generation**; one script puts a changed one in its place, only under the same generation
//! and stamp. Whoever loses a race gets the newer record from the script and tries again on that. A server that lost everything
//! has no generation: a viewer without a record is new only where there is one. Where the counter went back, writes were lost.
//!
//! Records end by themselves a year after their last change, which is longer than any window, and are bounded in bytes. After a
//! failed call the server counts as silent for a moment, so that requests do not wait for it one by one; after more than
//! `TOLD_WITHIN` of that it is believed no more, since holds may have ended that were rendered.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration as Span, Instant};

use litfass_catalog::Catalog;
use litfass_catalog::limits::CAP_WINDOW_MAX;
use litfass_policy::CapCounts;
use litfass_types::{DecisionId, Duration, Timestamp, UserHash};
use redis::io::tcp::TcpSettings;
use redis::{Client, Connection, ConnectionInfo, FromRedisValue, IntoConnectionInfo};

use super::{
    CapRecord, CapStore, CapsAway, Confirmed, Looked, NotHeld, Notices, Render, SharedCapStore, TOLD_WITHIN, Wanted,
};
use crate::fold::{CapCounters, Reader, Writer};

/// A record with more bytes forgets the scopes shown longest ago.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Attempts at one change while others change the same record.
const RACES_MAX: usize = 64;
/// How long nobody asks a server that did not answer.
const SILENCE: Span = Span::from_millis(250);
/// A rebuild that does not go on for so long has died.
const LOCK_MS: u64 = 10_000;
/// Records written at once by a rebuild.
const CHUNK: usize = 256;
const STAMP_BYTES: usize = 16;

/// Puts a record in the place of the one that was read. Keys: record, generation; arguments: generation, stamp, value, life.
const SWAP: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {2, ''} end
if redis.call('GETRANGE', KEYS[1], 0, 15) ~= ARGV[2] then return {1, redis.call('GET', KEYS[1]) or ''} end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return {0, ''}";

/// Goes on with a rebuild that is still ours. Key: lock; arguments: token, life.
const STAY: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1";

/// Ends it. Keys: lock, generation; arguments: token, the new generation.
const OPEN: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('DEL', KEYS[1])
return 1";

/// Where the server is and how long it may take.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "the address may carry a password")]
pub struct RedisOptions {
    /// `redis://user:password@host:port/db`.
    pub url: String,
    /// Of one call, and of connecting.
    pub timeout: Span,
    pub hold_ttl: Duration,
    /// What all keys begin with.
    pub prefix: String,
}

/// The store. Cheap to ask from many threads: each takes a connection of its own.
pub struct RedisCaps {
    client: Client,
    options: RedisOptions,
    idle: Mutex<Vec<Connection>>,
    began: Instant,
    /// Milliseconds since `began` until which nobody asks.
    silent_until: AtomicU64,
    /// When it was first asked in vain, since when it has not answered.
    silent_since: AtomicU64,
    /// It was cut off for so long that it may lack what was rendered meanwhile.
    behind: AtomicBool,
    nonces: AtomicU64,
    noticed: Noticed,
}

#[derive(Debug, Default)]
struct Noticed {
    races: AtomicU64,
    went_back: AtomicU64,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    generation: Vec<u8>,
    /// Empty where there was none.
    stamp: Vec<u8>,
    record: CapRecord,
}

enum Swapped {
    Done,
    /// Somebody was faster.
    Raced(Box<Read>),
}

/// The address is not one, or names what this program cannot speak.
#[derive(Debug, thiserror::Error)]
#[error("not an address of a Redis server: {0}")]
pub struct BadAddress(String);

impl fmt::Debug for RedisCaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCaps").field("noticed", &self.noticed).finish_non_exhaustive()
    }
}

impl RedisCaps {
    /// Connects to nobody yet. `seed` tells this process's changes from those of others.
    ///
    /// # Errors
    /// When the address is not one.
    pub fn new(options: RedisOptions, seed: u64) -> Result<Self, BadAddress> {
        let bad = |error: redis::RedisError| BadAddress(error.to_string());
        let info: ConnectionInfo = options.url.as_str().into_connection_info().map_err(bad)?;
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self {
            client: Client::open(info).map_err(bad)?,
            options,
            idle: Mutex::default(),
            began: Instant::now(),
            silent_until: AtomicU64::new(0),
            silent_since: AtomicU64::new(u64::MAX),
            behind: AtomicBool::new(false),
            nonces: AtomicU64::new(seed),
            noticed: Noticed::default(),
        })
    }

    // ── one record ──

    fn read(&self, user: UserHash) -> Result<Read, CapsAway> {
        let keys = [self.generation(), self.key(user)];
        let (generation, value): (Option<Vec<u8>>, Option<Vec<u8>>) =
            self.call(|connection| redis::cmd("MGET").arg(&keys).query(connection))?;
        if self.behind.load(Ordering::Relaxed) {
            return Err(CapsAway::Lost);
        }
        Ok(read_value(generation.ok_or(CapsAway::Lost)?, &value.unwrap_or_default()))
    }

    /// Puts the record in the place of what was read.
    fn swap(&self, user: UserHash, read: &Read, mut record: CapRecord) -> Result<Swapped, CapsAway> {
        let value = self.value(counter(&read.stamp) + 1, &mut record);
        let life = life_ms();
        let keys = [self.key(user), self.generation()];
        let arguments: [&[u8]; 4] = [&read.generation, &read.stamp, &value, life.as_bytes()];
        let (answer, newer): (i64, Vec<u8>) =
            self.call(|connection| script(SWAP, &keys, &arguments).query(connection))?;
        match answer {
            0 => Ok(Swapped::Done),
            1 => {
                let newer = read_value(read.generation.clone(), &newer);
                let counted = if counter(&newer.stamp) < counter(&read.stamp) {
                    &self.noticed.went_back
                } else {
                    &self.noticed.races
                };
                counted.fetch_add(1, Ordering::Relaxed);
                Ok(Swapped::Raced(Box::new(newer)))
            }
            _ => Err(CapsAway::Lost),
        }
    }

    /// Changes the record until nobody else did meanwhile. `change` says what came of it, and nothing is written where it fails.
    fn change<T, E: From<CapsAway>>(
        &self,
        user: UserHash,
        mut read: Read,
        mut change: impl FnMut(&mut CapRecord) -> Result<T, E>,
    ) -> Result<T, E> {
        for _ in 0..RACES_MAX {
            let mut record = read.record.clone();
            let outcome = change(&mut record)?;
            match self.swap(user, &read, record)? {
                Swapped::Done => return Ok(outcome),
                Swapped::Raced(newer) => read = *newer,
            }
        }
        Err(CapsAway::Silent.into())
    }

    /// Stamp and record, no longer than a record may be.
    fn value(&self, counter: u64, record: &mut CapRecord) -> Vec<u8> {
        let mut bytes = record.to_bytes();
        while bytes.len() > RECORD_BYTES_MAX - STAMP_BYTES && record.scopes() > 0 {
            record.keep(record.scopes() * 7 / 8);
            bytes = record.to_bytes();
        }
        let mut value = counter.to_le_bytes().to_vec();
        value.extend(self.nonce().to_le_bytes());
        value.extend(bytes);
        value
    }

    // ── the server ──

    fn write_all(&self, chunk: &mut Vec<(UserHash, CapRecord)>, token: &[u8]) -> Result<bool, CapsAway> {
        let mut pipe = redis::pipe();
        for (user, mut record) in chunk.drain(..) {
            let value = self.value(1, &mut record);
            pipe.cmd("SET").arg(self.key(user)).arg(value).arg("PX").arg(life_ms()).ignore();
        }
        if !pipe.is_empty() {
            self.call(|connection| pipe.query::<()>(connection))?;
        }
        let life = LOCK_MS.to_string();
        let stays: i64 =
            self.call(|connection| script(STAY, &[self.lock()], &[token, life.as_bytes()]).query(connection))?;
        Ok(stays == 1)
    }

    fn call<T: FromRedisValue>(
        &self,
        ask: impl FnOnce(&mut Connection) -> redis::RedisResult<T>,
    ) -> Result<T, CapsAway> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if now < self.silent_until.load(Ordering::Relaxed) {
            return Err(CapsAway::Silent);
        }
        let asked = self.connection().and_then(|mut connection| {
            let answer = ask(&mut connection)?;
            self.idle().push(connection);
            Ok(answer)
        });
        if asked.is_ok() {
            let since = self.silent_since.swap(u64::MAX, Ordering::Relaxed);
            let was_cut_off = now.saturating_sub(since) > TOLD_WITHIN.0.unsigned_abs();
            self.behind.fetch_or(was_cut_off, Ordering::Relaxed);
        }
        asked.map_err(|error| {
            tracing::warn!(%error, "caps: the Redis server does not answer");
            let silence = u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX);
            self.silent_until.store(now + silence, Ordering::Relaxed);
            self.silent_since.fetch_min(now, Ordering::Relaxed);
            // What is idle has most likely broken too.
            self.idle().clear();
            CapsAway::Silent
        })
    }

    fn connection(&self) -> redis::RedisResult<Connection> {
        if let Some(idle) = self.idle().pop() {
            return Ok(idle);
        }
        let timeout = Some(self.options.timeout);
        let connection = self.client.get_connection_with_timeout(self.options.timeout)?;
        connection.set_read_timeout(timeout)?;
        connection.set_write_timeout(timeout)?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never the same twice, in this process or another.
    fn nonce(&self) -> u64 {
        self.nonces.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
    }

    fn key(&self, user: UserHash) -> Vec<u8> {
        let mut key = self.named("v:");
        key.push(user.key_version);
        key.extend(user.hash.to_le_bytes());
        key
    }

    fn generation(&self) -> Vec<u8> {
        self.named("generation")
    }

    fn lock(&self) -> Vec<u8> {
        self.named("rebuild")
    }

    fn named(&self, name: &str) -> Vec<u8> {
        format!("{}:caps:{name}", self.options.prefix).into_bytes()
    }
}

fn life_ms() -> String {
    CAP_WINDOW_MAX.0.to_string()
}

fn script(source: &str, keys: &[Vec<u8>], arguments: &[&[u8]]) -> redis::Cmd {
    let mut eval = redis::cmd("EVAL");
    eval.arg(source).arg(keys.len()).arg(keys).arg(arguments);
    eval
}

fn counter(stamp: &[u8]) -> u64 {
    stamp.first_chunk().map_or(0, |counter| u64::from_le_bytes(*counter))
}

/// A damaged record counts as none: it is written anew with the next change.
fn read_value(generation: Vec<u8>, value: &[u8]) -> Read {
    let (stamp, rest) = value.split_at_checked(STAMP_BYTES).unwrap_or_default();
    let mut reader = Reader::new(rest);
    let record = if stamp.is_empty() { Ok(CapRecord::default()) } else { CapRecord::read(&mut reader) };
    let record = record.unwrap_or_else(|error| {
        tracing::error!(%error, "caps: a record in Redis is damaged; its viewer starts anew");
        CapRecord::default()
    });
    Read { generation, stamp: stamp.to_vec(), record }
}

impl CapRecord {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write(&mut out);
        out.finish()
    }
}

impl From<CapsAway> for NotHeld {
    fn from(_: CapsAway) -> Self {
        Self::Away
    }
}

impl SharedCapStore for RedisCaps {
    fn look_alive(&self) -> Result<(), CapsAway> {
        self.silent_until.store(0, Ordering::Relaxed);
        let generation: Option<Vec<u8>> =
            self.call(|connection| redis::cmd("GET").arg(self.generation()).query(connection))?;
        if self.behind.load(Ordering::Relaxed) {
            self.doubt()?;
            self.behind.store(false, Ordering::Relaxed);
            return Err(CapsAway::Lost);
        }
        generation.map(|_| ()).ok_or(CapsAway::Lost)
    }

    fn rebuild(&self, from: &CapCounters) -> Result<bool, CapsAway> {
        let token = self.nonce().to_le_bytes().to_vec();
        let taken: Option<String> = self.call(|connection| {
            let mut set = redis::cmd("SET");
            set.arg(self.lock()).arg(&token).arg("NX").arg("PX").arg(LOCK_MS).query(connection)
        })?;
        if taken.is_none() {
            return Ok(false);
        }
        let mut chunk = Vec::with_capacity(CHUNK);
        for (user, record) in from.records() {
            chunk.push((user, record));
            if chunk.len() == CHUNK && !self.write_all(&mut chunk, &token)? {
                return Ok(false);
            }
        }
        if !self.write_all(&mut chunk, &token)? {
            return Ok(false);
        }
        let generation = self.nonce().to_le_bytes().to_vec();
        let keys = [self.lock(), self.generation()];
        let opened: i64 = self.call(|connection| script(OPEN, &keys, &[&token, &generation]).query(connection))?;
        Ok(opened == 1)
    }

    fn doubt(&self) -> Result<(), CapsAway> {
        self.call(|connection| redis::cmd("DEL").arg(self.generation()).query(connection))
    }

    fn take_notices(&self) -> Notices {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Notices { races: take(&self.noticed.races), went_back: take(&self.noticed.went_back) }
    }
}

impl CapStore for RedisCaps {
    fn look(&self, user: UserHash, catalog: &Catalog, now: Timestamp) -> Result<(CapCounts, Looked), CapsAway> {
        let read = self.read(user)?;
        Ok((read.record.counts_in(catalog, now), Looked { read: Some(Box::new(read)) }))
    }

    fn hold(
        &self,
        user: UserHash,
        looked: Looked,
        decision: DecisionId,
        wanted: &[Wanted],
        now: Timestamp,
    ) -> Result<(), NotHeld> {
        let read = match looked.read {
            Some(read) => *read,
            None => self.read(user)?,
        };
        let until = now + self.options.hold_ttl;
        self.change(user, read, |record| record.hold(decision, wanted, now, until).map_err(NotHeld::Reached))
    }

    fn release(&self, user: UserHash, decision: DecisionId, _: Timestamp) {
        let released = self.read(user).and_then(|read| {
            self.change(user, read, |record| {
                record.release(decision);
                Ok::<_, CapsAway>(())
            })
        });
        if let Err(error) = released {
            tracing::debug!(%error, "caps: a hold was not given back and ends by itself");
        }
    }

    fn confirm(&self, user: UserHash, render: &Render) -> Result<Confirmed, CapsAway> {
        let Render { decision, slot, counted, at } = *render;
        let read = self.read(user)?;
        let confirmed =
            self.change(user, read, |record| Ok::<_, CapsAway>(record.confirm(decision, slot, counted, at)))?;
        let should_last = at <= decision.time() + self.options.hold_ttl;
        Ok(if confirmed == Confirmed::Late && should_last { Confirmed::Missing } else { confirmed })
    }

    fn erase(&self, user: UserHash) -> Result<(), CapsAway> {
        self.call(|connection| redis::cmd("DEL").arg(self.key(user)).query(connection))
    }
}
