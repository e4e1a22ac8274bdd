//! What `append` gives back: one result per entry, to be awaited or waited for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use litfass_types::Position;

use super::AppendError;

/// Resolves when every entry of one `append` has reached what was asked for or failed. Dropping it cancels nothing.
#[derive(Debug)]
pub struct Appended(Arc<Answers>);

/// The results so far.
#[derive(Debug)]
pub(super) struct Answers {
    state: Mutex<State>,
    complete: Condvar,
}

#[derive(Debug)]
struct State {
    results: Vec<Result<Position, AppendError>>,
    missing: usize,
    waker: Option<Waker>,
}

/// The place of one entry's result; an entry whose place is dropped unanswered counts as closed.
#[derive(Debug)]
pub(super) struct Answer {
    answers: Arc<Answers>,
    at: usize,
    given: bool,
}

impl Appended {
    /// With a place for the result of each of `n` entries.
    pub(super) fn expecting(n: usize) -> (Self, Vec<Answer>) {
        let results = vec![Err(AppendError::Closed); n];
        let state = Mutex::new(State { results, missing: n, waker: None });
        let answers = Arc::new(Answers { state, complete: Condvar::new() });
        let places = (0..n).map(|at| Answer { answers: Arc::clone(&answers), at, given: false }).collect();
        (Self(answers), places)
    }

    /// Blocks the thread. For callers that are not async.
    #[must_use]
    pub fn wait(self) -> Vec<Result<Position, AppendError>> {
        let mut state = self.0.state();
        while state.missing > 0 {
            state = self.0.complete.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.results)
    }
}

impl Future for Appended {
    type Output = Vec<Result<Position, AppendError>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state();
        if state.missing == 0 {
            return Poll::Ready(std::mem::take(&mut state.results));
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Answer {
    pub(super) fn give(mut self, result: Result<Position, AppendError>) {
        self.set(result);
    }

    fn set(&mut self, result: Result<Position, AppendError>) {
        self.given = true;
        let mut state = self.answers.state();
        if let Some(place) = state.results.get_mut(self.at) {
            *place = result;
        }
        state.missing -= 1;
        if state.missing == 0 {
            let waker = state.waker.take();
            drop(state);
            self.answers.complete.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.given {
            self.set(Err(AppendError::Closed));
        }
    }
}

impl Answers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
