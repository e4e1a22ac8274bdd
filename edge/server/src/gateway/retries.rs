//! A decision that is asked for twice under one name is made once: whoever timed out and asks again gets the same ads, with
//! no second hold and no second count against a cap.
//!
//! Invariants: one (key, request id) has one answer while it is remembered, also when the first call is still in progress; a
//! decision once begun is finished, even if its caller has gone away; a failed one promised nothing and is made anew. It is
//! remembered in memory for `window`, and the oldest go first beyond `calls_max`; a restart forgets them all.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use litfass_store::keys::KeyId;
use litfass_types::{Duration, Timestamp};
use tokio::sync::OnceCell;

use crate::problem::{Code, Problem};

/// Who asked, and what they called it.
type Name = (Option<KeyId>, String);

#[derive(Debug)]
pub struct Retries {
    window: Duration,
    calls_max: usize,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    by_name: BTreeMap<Name, Arc<Call>>,
    /// Oldest first.
    begun: VecDeque<(Timestamp, Name)>,
}

#[derive(Debug)]
struct Call {
    /// A digest of what was asked.
    asked: [u8; 32],
    answer: OnceCell<Bytes>,
}

impl Retries {
    #[must_use]
    pub fn new(window: Duration, calls_max: usize) -> Self {
        Self { window, calls_max, calls: Mutex::default() }
    }

    /// The answer to that call: `make`'s, or the one that was made before.
    ///
    /// # Errors
    /// 409 where the name was used for another question; what `make` says.
    pub async fn answer<F>(
        &self,
        (key, id): (Option<KeyId>, String),
        asked: &[u8],
        now: Timestamp,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Bytes, Problem>
    where
        F: Future<Output = Result<Bytes, Problem>> + Send + 'static,
    {
        let asked = *blake3::hash(asked).as_bytes();
        let call = self.call((key, id), asked, now);
        if call.asked != asked {
            let why = "this request_id was used for another request a moment ago";
            return Err(Problem::new(Code::RequestIdReused, why).at("request_id"));
        }
        // On a task of its own: it goes on when the caller hangs up.
        let made = tokio::spawn(async move { call.answer.get_or_try_init(make).await.cloned() });
        made.await.map_err(|e| Problem::new(Code::Internal, e.to_string()))?
    }

    fn call(&self, name: Name, asked: [u8; 32], now: Timestamp) -> Arc<Call> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.forget(|begun, _| begun < now - self.window);
        if let Some(known) = calls.by_name.get(&name) {
            return Arc::clone(known);
        }
        calls.forget(|_, count| count >= self.calls_max);
        let call = Arc::new(Call { asked, answer: OnceCell::new() });
        calls.begun.push_back((now, name.clone()));
        calls.by_name.insert(name, Arc::clone(&call));
        call
    }
}

impl Calls {
    /// The oldest, for as long as that holds of when it began and how many there are.
    fn forget(&mut self, goes: impl Fn(Timestamp, usize) -> bool) {
        while let Some((begun, _)) = self.begun.front()
            && goes(*begun, self.begun.len())
        {
            let oldest = self.begun.pop_front();
            oldest.and_then(|(_, name)| self.by_name.remove(&name));
        }
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
        let (retries, maker) = (Retries::new(Duration::seconds(60), 10), Maker(Arc::default()));
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
        let (retries, maker) = (Retries::new(Duration::seconds(60), 2), Maker(Arc::default()));
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
        let (retries, maker) = (Arc::new(Retries::new(Duration::seconds(60), 2)), Maker(Arc::default()));
        runtime().block_on(async {
            let (go, wait) = tokio::sync::oneshot::channel::<()>();
            let made = maker.make();
            let slow = move || async move {
                wait.await.ok();
                made().await
            };
            let call = tokio::spawn({
                let retries = Arc::clone(&retries);
                async move { retries.answer(name("a"), b"x", NOW, slow).await }
            });
            while retries.calls.lock().unwrap().by_name.is_empty() {
                tokio::task::yield_now().await;
            }
            call.abort();
            let again = retries.answer(name("a"), b"x", NOW, maker.make());
            go.send(()).ok();
            assert_eq!(again.await.unwrap(), "0");
            assert_eq!(maker.0.load(Ordering::SeqCst), 1, "made once");
        });
    }
}
