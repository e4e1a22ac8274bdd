//! Plays a crowd against a server: each thread asks at its share of the rate, shows, reports what happens, and counts.
//!
//! A thread that cannot keep up drops its backlog instead of flooding the server later. `stop` is honoured within a tenth of
//! a second, between requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use litfass_types::DecisionId;
use serde_json::{Value, json};

use crate::crowd::{Crowd, Purchase, Reaction, ShownAd, ViewedItem, Visit};
use crate::door::{Answer, Door, Unanswered};
use crate::load::load_at;
use crate::served::{Served, Tracking, token};
use crate::shop::Shop;
use crate::tally::{Counter, Tally, nano};

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Visits per second over all threads, mean over a day. Infinite: as fast as the server answers.
    pub rate_per_s: f64,
    /// Seconds of the shop's day per second; 0 keeps the load even.
    pub speed: u32,
    /// Minutes after midnight at which the shop's day begins.
    pub opens_minute: u32,
}

impl Pace {
    /// Sixty visits a second; a day goes by in six minutes, from ten in the morning.
    pub const DEMO: Self = Self { rate_per_s: 60.0, speed: 240, opens_minute: 600 };

    /// How long after `elapsed` one of `threads` waits for its next visit.
    fn gap(self, elapsed: Duration, threads: f64) -> Duration {
        let minutes = elapsed.as_secs().saturating_mul(u64::from(self.speed)) / 60;
        let minute = u32::try_from(minutes % 1_440).unwrap_or(0).saturating_add(self.opens_minute);
        let load = if self.speed == 0 { 1.0 } else { load_at(minute) };
        Duration::try_from_secs_f64(threads / (self.rate_per_s * load)).unwrap_or(Duration::MAX)
    }
}

const NAP: Duration = Duration::from_millis(50);
const BACKLOG_MAX: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Drives until `stop` is set or every crowd is at its end; one thread per seat (a door and the crowd that comes through it).
pub fn drive<D: Door, C: Crowd>(pace: Pace, seats: Vec<(D, C)>, tally: &Tally, stop: &AtomicBool) {
    let threads = f64::from(u32::try_from(seats.len()).unwrap_or(u32::MAX));
    thread::scope(|scope| {
        for (door, crowd) in seats {
            scope.spawn(move || Seat { door, crowd, tally }.run(pace, threads, stop));
        }
    });
}

struct Seat<'a, D, C> {
    door: D,
    crowd: C,
    tally: &'a Tally,
}

impl<D: Door, C: Crowd> Seat<'_, D, C> {
    fn run(&mut self, pace: Pace, threads: f64, stop: &AtomicBool) {
        let begun = Instant::now();
        let mut due = begun;
        while wait_until(due, stop) {
            let Some(visit) = self.crowd.next() else { return };
            if let Err(_unanswered) = self.visit(&visit) {
                self.tally.add(Counter::Unanswered, 1);
                due = Instant::now() + RETRY_AFTER;
                continue;
            }
            due += pace.gap(begun.elapsed(), threads);
            due = due.max(Instant::now().checked_sub(BACKLOG_MAX).unwrap_or(begun));
        }
    }

    /// Ask, show, report. What is reported together goes in one batch at the end.
    fn visit(&mut self, visit: &Visit) -> Result<(), Unanswered> {
        self.tally.add(Counter::Visit, 1);
        let answer = self.door.decide(&visit.body)?;
        if self.fine(&answer).is_none() {
            return Ok(());
        }
        let Some(served) = Served::read(&answer.body) else {
            self.tally.add(Counter::Refused, 1);
            return Ok(());
        };
        self.tally.add(Counter::Decision, 1);
        self.tally.add(Counter::SlotAsked, u64::from(visit.slots));
        self.tally.add(Counter::Shown, served.ads.len() as u64);
        let reactions = self.crowd.react(&served.ads);
        for (ad, reaction) in served.ads.iter().zip(&reactions) {
            self.remember(served.decision, ad, reaction);
        }
        let mut batch = Batch::default();
        for (tracking, reaction) in served.tracking.iter().zip(&reactions).filter(|(_, reaction)| reaction.rendered) {
            self.report(tracking, reaction, visit, &mut batch)?;
        }
        if let (Some(user), Some(viewed)) = (&visit.user, &visit.viewed) {
            batch.view(user, viewed);
        }
        self.send(&batch)
    }

    fn remember(&self, decision: DecisionId, ad: &ShownAd, reaction: &Reaction) {
        if let Some(odds) = reaction.odds {
            self.tally.remember(decision, ad.placement, ad.slot, odds);
        }
    }

    fn report(
        &mut self,
        to: &Tracking,
        reaction: &Reaction,
        visit: &Visit,
        batch: &mut Batch,
    ) -> Result<(), Unanswered> {
        self.tally.add(Counter::Rendered, 1);
        if self.tracked(&to.impression)? {
            self.tally.add(Counter::Impression, 1);
            if let Some(odds) = reaction.odds {
                self.tally.add(Counter::Known, 1);
                self.tally.add(Counter::ExpectedClicks, nano(odds.click));
            }
        }
        if reaction.viewable {
            batch.viewable(token(&to.viewable));
        }
        if reaction.clicked && self.tracked(&to.click)? {
            self.tally.add(Counter::Click, 1);
            self.tally.add(Counter::ExpectedConversions, reaction.odds.map_or(0, |odds| nano(odds.conversion)));
            if let Some(purchase) = &reaction.bought {
                batch.conversion(purchase, token(&to.click), visit.user.as_deref());
            }
        }
        Ok(())
    }

    fn tracked(&mut self, url: &str) -> Result<bool, Unanswered> {
        let answer = self.door.track(url)?;
        Ok(self.fine(&answer).is_some())
    }

    fn send(&mut self, batch: &Batch) -> Result<(), Unanswered> {
        if batch.events.is_empty() {
            return Ok(());
        }
        let answer = self.door.events(&json!({"events": batch.events}))?;
        let Some(answer) = self.fine(&answer) else { return Ok(()) };
        let results = answer.body["results"].as_array().map_or(&[][..], Vec::as_slice);
        for ((counter, worth), result) in batch.counts.iter().zip(results) {
            if result["status"] == "rejected" {
                self.tally.add(Counter::Refused, 1);
            } else {
                self.tally.add(*counter, 1);
                self.tally.add(Counter::Sales, *worth);
            }
        }
        Ok(())
    }

    fn fine<'b>(&self, answer: &'b Answer) -> Option<&'b Answer> {
        if answer.is_fine() {
            return Some(answer);
        }
        self.tally.add(Counter::Refused, 1);
        None
    }
}

/// Events that go together, with what an acknowledgement of each counts as.
#[derive(Default)]
struct Batch {
    events: Vec<Value>,
    counts: Vec<(Counter, u64)>,
}

impl Batch {
    fn push(&mut self, event: Value, counter: Counter, sales_micros: u64) {
        self.events.push(event);
        self.counts.push((counter, sales_micros));
    }

    fn viewable(&mut self, token: &str) {
        self.push(json!({"type": "viewable", "token": token}), Counter::Viewable, 0);
    }

    fn view(&mut self, user: &str, viewed: &ViewedItem) {
        let event = json!({"type": "view", "user_id": user, "tenant": Shop::TENANT, "item": viewed.item, "category": viewed.category});
        self.push(event, Counter::View, 0);
    }

    /// By the click's token, or by user where the purchase says so and there is one.
    fn conversion(&mut self, purchase: &Purchase, token: &str, user: Option<&str>) {
        let items: Vec<Value> = purchase
            .items
            .iter()
            .map(|bought| json!({"item": bought.item, "category": bought.category, "quantity": bought.quantity}))
            .collect();
        let mut event = json!({
            "type": "conversion", "order_id": purchase.order_id, "value_micros": purchase.value_micros, "items": items,
        });
        match user {
            Some(user) if !purchase.by_token => {
                event["user_id"] = json!(user);
                event["tenant"] = json!(Shop::TENANT);
            }
            _ => event["token"] = json!(token),
        }
        self.push(event, Counter::Conversion, purchase.value_micros.max(0).unsigned_abs());
    }
}

/// False where `stop` was set first.
fn wait_until(due: Instant, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        match due.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => thread::sleep(left.min(NAP)),
            _ => return true,
        }
    }
}
