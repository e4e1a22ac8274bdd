//! Says in idle partitions that time has passed. Whoever appends does so for all partitions, so that one process that lives is
//! enough.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use super::producing::Producing;
use super::ring::Rings;
use super::topics::Topics;
use crate::log::OpenError;

/// How many looks at the partitions fall into one pause.
const LOOKS: u32 = 4;

/// The thread that beats. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Heartbeat {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Beating {
    pause: Duration,
    rings: Arc<Rings>,
    producing: Arc<Producing>,
    topics: Arc<RwLock<Topics>>,
    stop: Arc<AtomicBool>,
}

impl Heartbeat {
    pub(super) fn start(
        pause: Duration,
        rings: Arc<Rings>,
        producing: Arc<Producing>,
        topics: Arc<RwLock<Topics>>,
    ) -> Result<Self, OpenError> {
        let stop = Arc::new(AtomicBool::new(false));
        let beating = Beating { pause, rings, producing, topics, stop: Arc::clone(&stop) };
        let thread = std::thread::Builder::new().name("log-heartbeat".to_owned()).spawn(move || beating.run());
        Ok(Self { stop, thread: Some(thread.map_err(OpenError::Thread)?) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        if thread.join().is_err() {
            tracing::error!("the thread of heartbeats ended in a panic");
        }
    }
}

impl Beating {
    fn run(self) {
        while !self.stop.load(Ordering::Acquire) {
            self.look();
            std::thread::park_timeout(self.pause / LOOKS);
        }
    }

    fn look(&self) {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner).clone();
        for number in topics.numbers() {
            let Some(place) = topics.place(number) else {
                continue;
            };
            if self.rings.idle(number).is_some_and(|idle| idle >= self.pause) {
                self.rings.was_beaten(number);
                self.producing.beat(&place, number);
            }
        }
    }
}
