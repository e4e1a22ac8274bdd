//! Several processes on one data directory: three decide, two take events and bill them, one has the catalog and the commands.
//! Each of them is killed again and again, and the money stays exact.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use litfass_types::{LineItemId, Seed};
use serde_json::json;

use crate::books::{self, Logged};
use crate::caller::{Ad, Caller, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::dice::Dice;
use crate::kill::{
    LIMITS, Promises, budgets_are_used_and_kept, ledger_and_log_agree, look, nothing_promised_is_lost, rand_seed,
    report, sellers, the_command_line_verifies,
};
use crate::process::{CONFIG, Home, Litfass, setting, wait_for};

const CALLERS: u64 = 3;
pub(crate) const DECIDE: [&str; 3] = ["decide_1", "decide_2", "decide_3"];
pub(crate) const EVENTS: [&str; 2] = ["events_1", "events_2"];
pub(crate) const ADMIN: &str = "office";

/// Starts a process of that name and roles.
pub(crate) type Serve = fn(&Home, &'static str, &str) -> Litfass;

/// The processes that run just now.
pub(crate) struct Site<'a> {
    home: &'a Home,
    serve: Serve,
    running: Mutex<BTreeMap<&'static str, Litfass>>,
}

impl<'a> Site<'a> {
    pub(crate) fn open(home: &'a Home) -> Self {
        Self::begin(home, |home, name, roles| home.serve_as(name, roles))
    }

    pub(crate) fn begin(home: &'a Home, serve: Serve) -> Self {
        let site = Self { home, serve, running: Mutex::default() };
        site.start(ADMIN);
        DECIDE.into_iter().chain(EVENTS).for_each(|name| site.start(name));
        site
    }

    pub(crate) fn start(&self, name: &'static str) {
        let roles = name.split('_').next().filter(|role| *role != ADMIN).unwrap_or("admin");
        let process = (self.serve)(self.home, name, roles);
        self.running().insert(name, process);
    }

    pub(crate) fn kill(&self, name: &str) {
        let process = self.running().remove(name).unwrap();
        process.kill();
    }

    /// One of those that are there.
    fn any(&self, names: &[&'static str], dice: &mut Dice) -> Option<SocketAddr> {
        let running = self.running();
        let there: Vec<_> = names.iter().filter_map(|name| running.get(name)).collect();
        let count = u64::try_from(there.len()).unwrap();
        (count > 0).then(|| there[usize::try_from(dice.below(count)).unwrap()].address)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<&'static str, Litfass>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn caller(&self, name: &str) -> Caller {
        self.running()[name].caller()
    }
}

/// Tells the visitors to stop, also where a test fails: it waits for them.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Visitors come for as long as `work` takes.
pub(crate) fn under_load(site: &Site<'_>, seed: Seed, promises: &Promises, work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let stop = &stop;
            scope.spawn(move || visitors(site, seed.derive(100 + caller), promises, stop));
        }
        let _stops = Stops(&stop);
        work();
    });
}

/// Page views, each asked of one process and reported to another, until told to stop.
fn visitors(site: &Site<'_>, seed: Seed, promises: &Promises, stop: &AtomicBool) {
    let mut dice = Dice::new(seed);
    while !stop.load(Ordering::Relaxed) {
        // Who was asked may be killed meanwhile: then nothing was promised.
        visit(site, &mut dice, promises);
    }
}

fn visit(site: &Site<'_>, dice: &mut Dice, promises: &Promises) -> Option<()> {
    let seen = look(&mut Caller::new(site.any(&DECIDE, dice)?), dice, promises)?;
    let rendered: Vec<Ad> = seen.into_iter().filter(|_| dice.percent(70)).collect();
    for ad in &rendered {
        report(&mut Caller::new(site.any(&EVENTS, dice)?), dice, promises, ad);
    }
    Some(())
}

/// Lets more answers come, kills one process, lets more come without it, and starts it again.
fn kills(site: &Site<'_>, seed: Seed, promises: &Promises, times: u64) {
    let mut dice = Dice::new(seed);
    let names: Vec<&'static str> = DECIDE.into_iter().chain(EVENTS).chain([ADMIN]).collect();
    for _ in 0..times {
        let name = names[usize::try_from(dice.below(names.len() as u64)).unwrap()];
        answers(promises, 50 + dice.below(200));
        site.kill(name);
        answers(promises, dice.below(100));
        site.start(name);
    }
    answers(promises, 500);
}

pub(crate) fn answers(promises: &Promises, more: u64) {
    let until = promises.answers.load(Ordering::Relaxed) + more;
    wait_for("answers under load", || (promises.answers.load(Ordering::Relaxed) >= until).then_some(()));
}

fn home() -> Home {
    let home = Home::new();
    home.configure_whole(&CONFIG.replace("[ledger]", "[server]\nstand_in_after = \"1s\"\n[ledger]\nholders = 3"));
    home.load(&catalog(&sellers()));
    home
}

#[test]
fn processes_that_are_killed_one_by_one_lose_and_double_bill_nothing() {
    let (seed, times) = (setting("LITFASS_SEED", rand_seed()), setting("LITFASS_KILLS", 50) / 4);
    println!("LITFASS_SEED={seed}, {times} kills");
    let (home, promises) = (home(), Promises::default());
    let site = Site::open(&home);
    under_load(&site, Seed(seed), &promises, || kills(&site, Seed(seed), &promises, times));
    // One decides no more: its leases are closed all the same, for somebody stands in for its part of the log.
    site.kill(DECIDE[0]);
    comes_to_rest(&home);
    drop(site);
    let (promised, logged) = (promises.list.into_inner().unwrap(), Logged::read(&home.data()));
    println!("{} decisions, {} entries", logged.decisions.len(), logged.events.len());
    nothing_promised_is_lost(&promised, &logged);
    ledger_and_log_agree(&home, &logged);
    budgets_are_used_and_kept(&home, &logged);
    tell_what_was_billed(&home);
    the_command_line_verifies(&home);
}

pub(crate) fn comes_to_rest(home: &Home) {
    let ends = books::ends(&home.data());
    wait_for("the ledger to have read the log", || books::has_caught_up(&home.data(), &ends).then_some(()));
    wait_for("every lease to be closed", || (!books::is_leased(&*books::open_ledger(&home.data()))).then_some(()));
}

fn tell_what_was_billed(home: &Home) {
    let (ended, _) = books::ended(&home.data());
    for (line_item, limit) in LIMITS {
        let ended = ended.get(&LineItemId(line_item)).copied().unwrap_or_default();
        println!("{line_item}: {ended:?} of {} nanos", limit * 1_000);
    }
}

#[test]
fn every_process_answers_for_its_roles_and_says_who_answers_for_the_others() {
    let home = home();
    let site = Site::open(&home);
    let ads = site.caller(DECIDE[0]).decide_filled(&page(HOME, 1, "u"));
    let elsewhere = site.caller(EVENTS[0]).send("POST", "/v1/decisions", &page(HOME, 1, "u").to_string());
    assert_eq!(elsewhere.status, 421);
    assert!(elsewhere.json()["detail"].as_str().unwrap().contains("the role decide"), "{}", elsewhere.json());
    assert_eq!(site.caller(DECIDE[1]).send("GET", &ads[0].impression, "").status, 421);
    assert_eq!(site.caller(EVENTS[1]).send("GET", &ads[0].impression, "").status, 200);
    assert_eq!(site.caller(EVENTS[0]).get("/v1/campaigns").status, 421);
    assert_eq!(site.caller(ADMIN).get("/v1/campaigns").status, 200);
    let explained = site.caller(ADMIN).explanation(&ads[0].decision);
    assert!(explained.to_string().contains(&format!("{}", ads[0].line_item)), "{explained}");
}

#[test]
fn an_edit_in_one_process_is_served_by_the_others_once_its_limits_are_in_force() {
    let home = home();
    let site = Site::open(&home);
    let rich =
        Seller { bid_micros: 100_000_000, line_item: json!({ "budget_micros": 150_000 }), ..Seller::by_the_mille(9) };
    home.load(&catalog(&[sellers(), vec![rich.clone()]].concat()));
    for name in DECIDE {
        let mut caller = site.caller(name);
        let mut first = || caller.decide(&page(HOME, 1, "u"))["placements"][0]["ads"][0]["line_item_id"].as_u64();
        wait_for("the new line item to be served", || (first() == Some(rich.line_item_id())).then_some(()));
    }
}
