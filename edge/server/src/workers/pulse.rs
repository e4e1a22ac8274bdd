//! How the workers are, as readiness and the metrics see it.
//!
//! Invariant: a thread that ends without having been asked to, by a panic or otherwise, is noticed at once: its beat says so
//! when it is dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a worker's last step said of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Well,
    /// Its last step failed; it tries again.
    Failing,
    /// It ended and does nothing any more.
    Dead,
}

/// The state of every worker by its name.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<BTreeMap<&'static str, State>>);

/// One worker's side.
#[derive(Debug)]
pub struct Beat {
    pulse: Arc<Pulse>,
    name: &'static str,
    was_asked: bool,
}

impl Pulse {
    /// From now on the worker counts as alive, until what is returned is dropped.
    #[must_use]
    pub fn watch(self: &Arc<Self>, name: &'static str) -> Beat {
        self.states().insert(name, State::Well);
        Beat { pulse: Arc::clone(self), name, was_asked: false }
    }

    /// By name.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, State)> {
        self.states().iter().map(|(name, state)| (*name, *state)).collect()
    }

    /// Those that are not well, by name.
    #[must_use]
    pub fn ailing(&self) -> Vec<(&'static str, State)> {
        self.all().into_iter().filter(|(_, state)| *state != State::Well).collect()
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beat {
    /// Notes the state and hands `then` on.
    pub fn is<T>(&self, state: State, then: T) -> T {
        self.pulse.states().insert(self.name, state);
        then
    }

    /// The worker was asked to stop and did.
    pub fn ends(mut self) {
        self.was_asked = true;
        self.pulse.states().remove(self.name);
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        if !self.was_asked {
            self.pulse.states().insert(self.name, State::Dead);
            tracing::error!(worker = self.name, "ended without having been asked to: this process has to be restarted");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::workers::{Urgency, Workers};

    #[test]
    fn a_worker_that_panics_is_dead_and_one_that_fails_recovers() {
        let mut workers = Workers::default();
        let pulse = Arc::clone(&workers.pulse);
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (said, heard) = std::sync::mpsc::channel();
        workers
            .spawn("panics", Urgency::Prompt, move || {
                gone.recv().map(|()| Duration::ZERO).map_err(|_| panic!("as told"))
            })
            .unwrap();
        let mut steps = 0;
        let watched = Arc::clone(&pulse);
        let fails_once = move || {
            steps += 1;
            anyhow::ensure!(steps > 1, "the first time");
            said.send(watched.ailing()).unwrap_or(());
            Ok(Duration::from_secs(60))
        };
        workers.spawn("fails once", Urgency::Prompt, fails_once).unwrap();
        assert!(heard.recv().unwrap().contains(&("fails once", State::Failing)));
        drop(go);
        while pulse.ailing() != [("panics", State::Dead)] {
            std::thread::yield_now();
        }
        workers.finish();
        assert_eq!(pulse.ailing(), [("panics", State::Dead)], "stopping the others says nothing of them");
    }
}
