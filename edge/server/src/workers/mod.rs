//! What runs beside the requests: one thread each, told to stop by one flag.
//!
//! None of them owns money or decides: they carry log entries to the ledger and the folds, and publish the next world. Each
//! may be killed at any instant; what it had not finished it does again.

pub mod admin;
pub mod audited;
pub mod billing;
pub mod caps;
pub mod catalog;
pub mod forecast;
pub mod keys;
pub mod learn;
pub mod leases;
pub mod pacing;
pub mod profile;
pub mod promotion;
pub mod pulse;
pub mod reading;
pub mod retention;
pub mod signals;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use litfass_store::ledger::LedgerError;
use litfass_store::log::EventLog;
use pulse::{Pulse, State};

/// Asks threads to stop, and wakes those that wait.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(AtomicBool, Mutex<()>, Condvar)>);

impl Stop {
    pub fn stop(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        let _held = self.0.1.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.2.notify_all();
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Waits that long, or until asked to stop; true while there is reason to go on.
    #[must_use]
    pub fn pause(&self, span: Duration) -> bool {
        let held = self.0.1.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.2.wait_timeout_while(held, span, |()| !self.is_stopped());
        drop(waited);
        !self.is_stopped()
    }
}

/// How often partitions without a writer are looked for.
const TEND: Duration = Duration::from_secs(1);

/// # Errors
/// As `EventLog::tend`.
pub fn tend(log: &dyn EventLog) -> anyhow::Result<Duration> {
    log.tend()?;
    Ok(TEND)
}

/// Whether decisions wait for what a worker does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// It carries money or state from one place to the next.
    Prompt,
    /// It makes tables that are good for seconds, in bursts that would hold up requests: it takes what time is left.
    Background,
}

impl Urgency {
    fn apply(self, name: &'static str) {
        let niceness: i32 = match self {
            Self::Prompt => return,
            Self::Background => 10,
        };
        // On Linux a thread has a niceness of its own.
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness) {
            tracing::warn!(worker = name, %error, "its priority could not be lowered");
        }
    }
}

/// The threads of one node. Joining them is what a clean stop waits for.
#[derive(Debug, Default)]
pub struct Workers {
    pub stop: Stop,
    /// How each of them is.
    pub pulse: Arc<Pulse>,
    threads: Vec<JoinHandle<()>>,
}

/// How long a worker rests after a dependency failed, before it tries again.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Whether the ledger only has to be completed from the log first, which is said elsewhere.
fn is_patient(error: &anyhow::Error) -> bool {
    error.downcast_ref::<LedgerError>().is_some_and(|error| error.catching_up().is_some())
}

impl Workers {
    /// Whose state somebody else looks at too.
    #[must_use]
    pub fn watched(pulse: Arc<Pulse>) -> Self {
        Self { pulse, ..Self::default() }
    }

    /// Runs `step` until asked to stop. A step says how long to rest; a failed one is logged and tried again.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn spawn(
        &mut self,
        name: &'static str,
        urgency: Urgency,
        mut step: impl FnMut() -> anyhow::Result<Duration> + Send + 'static,
    ) -> std::io::Result<()> {
        let (stop, beat) = (self.stop.clone(), self.pulse.watch(name));
        let run = move || {
            urgency.apply(name);
            while !stop.is_stopped() {
                let rest = match step() {
                    Ok(rest) => beat.is(State::Well, rest),
                    Err(error) if is_patient(&error) => beat.is(State::Well, AFTER_FAILURE),
                    Err(error) => {
                        tracing::error!(worker = name, "{error:#}");
                        beat.is(State::Failing, AFTER_FAILURE)
                    }
                };
                if !rest.is_zero() && !stop.pause(rest) {
                    break;
                }
            }
            beat.ends();
        };
        self.threads.push(std::thread::Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(())
    }

    /// Asks all to stop and waits until they have.
    pub fn finish(self) {
        self.stop.stop();
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or("worker").to_owned();
            if thread.join().is_err() {
                tracing::error!(worker = name, "ended by a panic");
            }
        }
    }
}
