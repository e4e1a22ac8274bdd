//! Sends prebuilt requests, either as fast as a number of connections can, or at the times a Poisson process says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use litfass_sim::HttpDoor;
use litfass_types::Seed;

use crate::machine;
use crate::server::Server;

/// Whole requests, as bytes.
pub(crate) struct Load {
    messages: Vec<Vec<u8>>,
    again: bool,
}

impl Load {
    /// For requests that count once.
    pub(crate) const fn each_once(messages: Vec<Vec<u8>>) -> Self {
        Self { messages, again: false }
    }

    pub(crate) const fn again_and_again(messages: Vec<Vec<u8>>) -> Self {
        Self { messages, again: true }
    }

    fn get(&self, index: usize) -> Option<&[u8]> {
        let index = if self.again { index % self.messages.len() } else { index };
        self.messages.get(index).map(Vec::as_slice)
    }
}

/// What one run measured.
pub(crate) struct Run {
    /// Requests answered with success.
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    /// From the intended send time to the last byte, microseconds.
    pub(crate) latency_us: Histogram<u64>,
    /// Shares of their core.
    pub(crate) server_cpu: f64,
    pub(crate) generator_cpu: f64,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    pub(crate) fn per_second(&self) -> f64 {
        self.done as f64 / self.seconds
    }
}

/// When each request is to be sent, after the start.
enum Schedule {
    /// As soon as a connection is free.
    Closed,
    Open(Vec<Duration>),
}

pub(crate) fn as_fast_as_possible(server: &Server, load: &Load, connections: usize, span: Duration) -> Result<Run> {
    run(server, load, connections, span, &Schedule::Closed)
}

pub(crate) fn at_rate(server: &Server, load: &Load, connections: usize, rate: f64, span: Duration) -> Result<Run> {
    run(server, load, connections, span, &Schedule::Open(arrivals(rate, span)))
}

/// Times of a Poisson process.
fn arrivals(rate: f64, span: Duration) -> Vec<Duration> {
    let mut at = 0.0;
    let mut times = Vec::new();
    for n in 0_u64.. {
        #[expect(clippy::cast_precision_loss, reason = "a draw")]
        let uniform = (Seed(1).derive(n).below(1 << 52) + 1) as f64 / (1_u64 << 52) as f64;
        at -= uniform.ln() / rate;
        if at >= span.as_secs_f64() {
            break;
        }
        times.push(Duration::from_secs_f64(at));
    }
    times
}

fn run(server: &Server, load: &Load, connections: usize, span: Duration, schedule: &Schedule) -> Result<Run> {
    let (server_cpu, own_cpu) = (server.cpu_seconds()?, machine::cpu_seconds(std::process::id())?);
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let each: Vec<Connection> = std::thread::scope(|scope| {
        let work = || {
            let mut connection = Connection::new(server);
            connection.work(load, schedule, &next, start, span);
            connection
        };
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    ensure!(each.len() == connections, "a connection's thread failed");
    let share = |before: f64, after: f64| (after - before) / seconds;
    let mut run = Run {
        done: 0,
        refused: 0,
        seconds,
        latency_us: histogram(),
        server_cpu: share(server_cpu, server.cpu_seconds()?),
        generator_cpu: share(own_cpu, machine::cpu_seconds(std::process::id())?),
    };
    for connection in each {
        run.done += connection.done;
        run.refused += connection.refused;
        run.latency_us.add(&connection.latency_us)?;
    }
    Ok(run)
}

/// Up to a minute, to three digits.
fn histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, 60_000_000, 3) {
        Ok(histogram) => histogram,
        Err(problem) => unreachable!("the bounds are constants: {problem}"),
    }
}

struct Connection {
    door: HttpDoor,
    done: u64,
    refused: u64,
    latency_us: Histogram<u64>,
}

impl Connection {
    fn new(server: &Server) -> Self {
        Self { door: HttpDoor::new(server.address), done: 0, refused: 0, latency_us: histogram() }
    }

    fn work(&mut self, load: &Load, schedule: &Schedule, next: &AtomicUsize, start: Instant, span: Duration) {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let intended = match schedule {
                Schedule::Closed => Instant::now(),
                Schedule::Open(times) => match times.get(index) {
                    Some(at) => start + *at,
                    None => return,
                },
            };
            let Some(message) = load.get(index) else { return };
            if matches!(schedule, Schedule::Closed) && intended - start >= span {
                return;
            }
            std::thread::sleep(intended.saturating_duration_since(Instant::now()));
            self.send(message, intended);
        }
    }

    fn send(&mut self, message: &[u8], intended: Instant) {
        match self.door.exchange(message) {
            Ok(response) if (200..400).contains(&response.status) => self.done += 1,
            Ok(_) | Err(_) => self.refused += 1,
        }
        let took = u64::try_from(intended.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.latency_us.saturating_record(took);
    }
}
