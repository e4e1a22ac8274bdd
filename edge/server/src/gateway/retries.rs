//! A decision that is asked for twice under one name is made once: whoever timed out and asks again gets the same ads, with
//! no second hold and no second count against a cap.
//!
//! Invariants: one (key, request id) has one answer while it is remembered, also when the first call is still in progress; a
//! decision once begun is finished, even if its caller has gone away; a failed one promised nothing and is made anew. It is
//! remembered in memory for `window`, and all together take about `bytes_max` at most: beyond that the key that holds the most
//! loses its oldest, so that no key is forgotten for another one's sake. A restart forgets them all.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use litfass_store::keys::KeyId;
use litfass_types::{Duration, Timestamp};
use tokio::sync::OnceCell;

use crate::problem::{Code, Problem};

/// Who asked; none where the server is open.
type Who = Option<KeyId>;

/// About what a remembered call takes beside its name, twice, and its answer.
const CALL_BYTES: usize = 256;
/// So often within a window those of keys that ask no more are looked at.
const SWEEPS: i64 = 8;

#[derive(Clone, Debug)]
pub struct Retries {
    window: Duration,
    bytes_max: usize,
    calls: Arc<Mutex<Calls>>,
}

#[derive(Debug)]
struct Calls {
    by_key: BTreeMap<Who, Own>,
    bytes: usize,
    swept: Timestamp,
}

/// What one key asked.
#[derive(Debug, Default)]
struct Own {
    by_name: BTreeMap<String, Held>,
    /// Oldest first.
    begun: VecDeque<(Timestamp, String)>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    call: Arc<Call>,
    bytes: usize,
}

#[derive(Debug)]
struct Call {
    /// A digest of what was asked.
    asked: [u8; 32],
    answer: OnceCell<Bytes>,
}

impl Retries {
    #[must_use]
    pub fn new(window: Duration, bytes_max: usize) -> Self {
        let calls = Calls { by_key: BTreeMap::new(), bytes: 0, swept: Timestamp(i64::MIN) };
        Self { window, bytes_max, calls: Arc::new(Mutex::new(calls)) }
    }

    /// The answer to that call of somebody who may ask it: `make`'s, or the one that was made before.
    ///
    /// # Errors
    /// 409 where the name was used for another question; what `make` says.
    pub async fn answer<F>(
        &self,
        (key, name): (Who, String),
        asked: &[u8],
        now: Timestamp,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Bytes, Problem>
    where
        F: Future<Output = Result<Bytes, Problem>> + Send + 'static,
    {
        let asked = *blake3::hash(asked).as_bytes();
        let call = self.call(key, &name, asked, now);
        if call.asked != asked {
            let why = "this request_id was used for another request a moment ago";
            return Err(Problem::new(Code::RequestIdReused, why).at("request_id"));
        }
        let own = self.clone();
        // On a task of its own: it goes on when the caller hangs up.
        let made = tokio::spawn(async move {
            let answer = call.answer.get_or_try_init(make).await.cloned()?;
            own.calls().weigh(key, &name, &call, answer.len(), own.bytes_max);
            Ok(answer)
        });
        made.await.map_err(Problem::internal)?
    }

    /// What is remembered takes about so much.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.calls().bytes
    }

    fn call(&self, key: Who, name: &str, asked: [u8; 32], now: Timestamp) -> Arc<Call> {
        let mut calls = self.calls();
        calls.forget_before(now - self.window, key);
        if now - Duration(self.window.0 / SWEEPS) >= calls.swept {
            calls.sweep(now - self.window);
            calls.swept = now;
        }
        if let Some(known) = calls.by_key.get(&key).and_then(|own| own.by_name.get(name)) {
            return Arc::clone(&known.call);
        }
        let call = Arc::new(Call { asked, answer: OnceCell::new() });
        calls.remember(key, name, &call, now);
        calls.make_room(self.bytes_max);
        call
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    fn remember(&mut self, key: Who, name: &str, call: &Arc<Call>, now: Timestamp) {
        let bytes = CALL_BYTES + 2 * name.len();
        let own = self.by_key.entry(key).or_default();
        own.begun.push_back((now, name.to_owned()));
        own.by_name.insert(name.to_owned(), Held { call: Arc::clone(call), bytes });
        own.bytes += bytes;
        self.bytes += bytes;
    }

    /// Counts an answer, once, where it is remembered.
    fn weigh(&mut self, key: Who, name: &str, call: &Arc<Call>, answer: usize, bytes_max: usize) {
        let Some(own) = self.by_key.get_mut(&key) else { return };
        let Some(held) = own.by_name.get_mut(name).filter(|held| Arc::ptr_eq(&held.call, call)) else { return };
        let bytes = CALL_BYTES + 2 * name.len() + answer;
        let more = bytes - held.bytes;
        held.bytes = bytes;
        own.bytes += more;
        self.bytes += more;
        self.make_room(bytes_max);
    }

    fn make_room(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && let Some(largest) = self.by_key.iter().max_by_key(|(_, own)| own.bytes).map(|(key, _)| *key)
        {
            self.forget_oldest(largest);
        }
    }

    fn forget_oldest(&mut self, key: Who) {
        let Some(own) = self.by_key.get_mut(&key) else { return };
        let oldest = own.begun.pop_front().and_then(|(_, name)| own.by_name.remove(&name));
        let bytes = oldest.map_or(0, |held| held.bytes);
        own.bytes -= bytes;
        self.bytes -= bytes;
        if own.begun.is_empty() {
            self.by_key.remove(&key);
        }
    }

    fn forget_before(&mut self, before: Timestamp, key: Who) {
        let oldest = |calls: &Self| calls.by_key.get(&key)?.begun.front().map(|(begun, _)| *begun);
        while oldest(self).is_some_and(|begun| begun < before) {
            self.forget_oldest(key);
        }
    }

    fn sweep(&mut self, before: Timestamp) {
        let keys: Vec<_> = self.by_key.keys().copied().collect();
        keys.into_iter().for_each(|key| self.forget_before(before, key));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
    }

    fn name(id: &str) -> (Option<KeyId>, String) {
        (Some(KeyId(1)), id.to_owned())
    }

    /// Counts how often an answer was made.
    struct Maker(Arc<AtomicU32>);

    impl Maker {
        fn make(&self) -> impl FnOnce() -> std::future::Ready<Result<Bytes, Problem>> + Send + 'static {
            let made = Arc::clone(&self.0);
            move || std::future::ready(Ok(Bytes::from(made.fetch_add(1, Ordering::SeqCst).to_string())))
        }
    }

    #[test]
    fn a_name_has_one_answer_until_its_window_ends() {
        let (retries, maker) = (Retries::new(Duration::seconds(60), 10_000), Maker(Arc::default()));
        runtime().block_on(async {
            let ask = async |id: &str, asked: &[u8], at| retries.answer(name(id), asked, at, maker.make()).await;
            assert_eq!(ask("a", b"x", NOW).await.unwrap(), "0");
            assert_eq!(ask("a", b"x", NOW + Duration::seconds(60)).await.unwrap(), "0");
            assert_eq!(ask("b", b"x", NOW).await.unwrap(), "1");
            assert_eq!(ask("a", b"y", NOW).await.unwrap_err().code(), Code::RequestIdReused);
            assert_eq!(ask("a", b"y", NOW + Duration::seconds(61)).await.unwrap(), "2", "the window is over");
            let other = retries.answer((Some(KeyId(2)), "a".to_owned()), b"z", NOW, maker.make()).await;
            assert_eq!(other.unwrap(), "3", "another key's name is another name");
        });
    }

    #[test]
    fn what_failed_is_made_anew_and_only_so_many_are_remembered() {
        // Two, each with a name and an answer of one letter.
        let (retries, maker) = (Retries::new(Duration::seconds(60), 2 * (CALL_BYTES + 3)), Maker(Arc::default()));
        runtime().block_on(async {
            let fails = || std::future::ready(Err(Problem::new(Code::RecordNotAppended, "")));
            assert!(retries.answer(name("a"), b"x", NOW, fails).await.is_err());
            let ask = async |id: &str| retries.answer(name(id), b"x", NOW, maker.make()).await.unwrap();
            assert_eq!([ask("a").await, ask("b").await, ask("a").await], ["0", "1", "0"]);
            assert_eq!([ask("c").await, ask("a").await], ["2", "3"], "the oldest made room");
        });
    }

    #[test]
    fn a_caller_who_hangs_up_does_not_stop_the_decision() {
        let (retries, maker) = (Retries::new(Duration::seconds(60), 10_000), Maker(Arc::default()));
        runtime().block_on(async {
            let (go, wait) = tokio::sync::oneshot::channel::<()>();
            let made = maker.make();
            let slow = move || async move {
                wait.await.ok();
                made().await
            };
            let call = tokio::spawn({
                let retries = retries.clone();
                async move { retries.answer(name("a"), b"x", NOW, slow).await }
            });
            while retries.bytes() == 0 {
                tokio::task::yield_now().await;
            }
            call.abort();
            let again = retries.answer(name("a"), b"x", NOW, maker.make());
            go.send(()).ok();
            assert_eq!(again.await.unwrap(), "0");
            assert_eq!(maker.0.load(Ordering::SeqCst), 1, "made once");
        });
    }

    /// An answer of so many bytes.
    fn long(bytes: usize) -> impl FnOnce() -> std::future::Ready<Result<Bytes, Problem>> + Send + 'static {
        move || std::future::ready(Ok(Bytes::from(vec![b'x'; bytes])))
    }

    #[test]
    fn what_is_remembered_is_bounded_by_bytes_and_the_key_with_the_most_makes_room() {
        let (retries, maker) = (Retries::new(Duration::seconds(60), 20_000), Maker(Arc::default()));
        runtime().block_on(async {
            let quiet = |id: &str| (Some(KeyId(2)), id.to_owned());
            assert_eq!(retries.answer(quiet("a"), b"x", NOW, maker.make()).await.unwrap(), "0");
            for call in 0..100 {
                retries.answer(name(&format!("loud {call}")), b"x", NOW, long(3_000)).await.unwrap();
                assert!(retries.bytes() <= 20_000);
            }
            retries.answer(name("huge"), b"x", NOW, long(1_000_000)).await.unwrap();
            assert!(retries.bytes() <= 20_000);
            assert_eq!(retries.answer(quiet("a"), b"x", NOW, maker.make()).await.unwrap(), "0", "another key's flood");
        });
    }

    #[test]
    fn what_keys_asked_that_ask_no_more_is_forgotten_too() {
        let (retries, maker) = (Retries::new(Duration::seconds(60), 10_000), Maker(Arc::default()));
        runtime().block_on(async {
            for key in 1..10 {
                retries.answer((Some(KeyId(key)), "a".to_owned()), b"x", NOW, maker.make()).await.unwrap();
            }
            retries.answer(name("b"), b"x", NOW + Duration::seconds(61), maker.make()).await.unwrap();
            assert_eq!(retries.bytes(), CALL_BYTES + 2 + 1, "only the last is there");
        });
    }
}
