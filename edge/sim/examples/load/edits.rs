//! Changes of the catalog over HTTP: how many are taken a second, and how long until decisions show them.
//!
//! A change is timed from before it is sent to the end of the first decision that shows it: a placement's floor is raised
//! beyond every bid, which empties the page, and lowered again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use litfass_sim::HttpDoor;
use serde_json::{Value, json};

use crate::catalog::PLACEMENT;
use crate::server::Server;
use crate::traffic::Shoppers;

const SINGLE: u64 = 300;
const BULK_ROWS: u64 = 10_000;
/// Even, so that the page is full again after them.
const FLIPS: u64 = 16;
const KILLS: u64 = 15;
/// Beyond every bid.
const PROHIBITIVE_MICROS: u64 = 1_000_000_000_000;
const USUAL_MICROS: u64 = 50_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// What editing came to.
pub(crate) struct Edited {
    pub(crate) singles_per_second: f64,
    pub(crate) rows_per_second: f64,
    /// Ascending.
    pub(crate) served: Vec<Duration>,
    /// Ascending; begun when the bulk was answered, which is then remade with every change until it is merged into a new base.
    pub(crate) served_after_bulk: Vec<Duration>,
    /// From sending a kill to its answer, ascending: no decision that begins later shows what was killed.
    pub(crate) killed: Vec<Duration>,
}

struct Desk<'a> {
    door: HttpDoor,
    shoppers: &'a Shoppers,
    asked: u64,
}

pub(crate) fn measure(server: &Server, shoppers: &Shoppers, line_items: u64) -> Result<Edited> {
    let mut desk = Desk { door: HttpDoor::new(server.address), shoppers, asked: 2_000_000 };
    let singles_per_second = desk.singles(line_items)?;
    let served = sorted(FLIPS, |n| desk.flip(n))?;
    let rows_per_second = desk.bulk(line_items)?;
    let served_after_bulk = sorted(FLIPS, |n| desk.flip(n))?;
    let killed = sorted(KILLS, |_| desk.kill())?;
    Ok(Edited { singles_per_second, rows_per_second, served, served_after_bulk, killed })
}

fn sorted(count: u64, change: impl FnMut(u64) -> Result<Duration>) -> Result<Vec<Duration>> {
    let mut took = (0..count).map(change).collect::<Result<Vec<_>>>()?;
    took.sort_unstable();
    Ok(took)
}

impl Desk<'_> {
    fn send(&mut self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let answer = self.door.exchange(&self.door.message(method, path, &body.to_string()))?;
        ensure!(answer.status < 300, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        Ok(answer.json())
    }

    /// One after the other over one connection, each on disk when it is answered.
    fn singles(&mut self, line_items: u64) -> Result<f64> {
        let start = Instant::now();
        for n in 1..=SINGLE.min(line_items) {
            self.send(
                "PATCH",
                &format!("/v1/line_items/{n}"),
                &json!({ "bid": { "micros": 300_000 + n, "per": "mille" } }),
            )?;
        }
        Ok(rate(SINGLE.min(line_items), start))
    }

    fn bulk(&mut self, line_items: u64) -> Result<f64> {
        let count = BULK_ROWS.min(line_items);
        let row = |n: u64| json!({ "id": n, "bid": { "micros": 400_000 + n, "per": "mille" } });
        let rows: Vec<Value> = (1..=count).map(row).collect();
        let start = Instant::now();
        let answer = self.send("POST", "/v1/line_items/bulk", &json!({ "rows": rows }))?;
        ensure!(answer["changed"] == count, "{} of {count} rows were changed", answer["changed"]);
        Ok(rate(count, start))
    }

    fn flip(&mut self, n: u64) -> Result<Duration> {
        let empties = n.is_multiple_of(2);
        let floor = if empties { PROHIBITIVE_MICROS } else { USUAL_MICROS };
        let start = Instant::now();
        self.send("PATCH", &format!("/v1/placements/{PLACEMENT}"), &json!({ "floor_micros": floor }))?;
        while self.campaigns_shown()?.is_empty() != empties {
            if start.elapsed() > PATIENCE {
                bail!("a change was not served within {PATIENCE:?}");
            }
        }
        Ok(start.elapsed())
    }

    /// Kills a campaign that is being shown; nobody is shown it any more.
    fn kill(&mut self) -> Result<Duration> {
        self.flip(1)?;
        let campaign = loop {
            if let Some(campaign) = self.campaigns_shown()?.first().copied() {
                break campaign;
            }
        };
        let start = Instant::now();
        self.send("POST", &format!("/v1/campaigns/{campaign}/kill"), &json!({}))?;
        let took = start.elapsed();
        self.asked -= 1;
        ensure!(!self.campaigns_shown()?.contains(&campaign), "campaign {campaign} was shown after it was killed");
        Ok(took)
    }

    /// The campaigns on the next shopper's page.
    fn campaigns_shown(&mut self) -> Result<Vec<u64>> {
        self.asked += 1;
        let request = self.shoppers.request(self.asked);
        let answer = self.send("POST", "/v1/decisions", &request)?;
        let ads = answer["placements"][0]["ads"].as_array().cloned().unwrap_or_default();
        Ok(ads.iter().filter_map(|ad| ad["campaign_id"].as_u64()).collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn rate(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}
