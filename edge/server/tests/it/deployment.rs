//! Money and catalog in PostgreSQL, the log in Kafka, every process with a data directory and a clock of its own: three decide, two bill, one
//! has commands and pages. Processes are killed, the database and the broker crash and come back, while visitors come and budgets run
//! out. `cargo xtask verify processes` brings what it takes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use litfass_ledger::UnbilledId;
use litfass_types::{LineItemId, Seed};
use serde_json::json;

use crate::books::{self, Ended, Logged};
use crate::catalogs::{FLOOR_MICROS, Seller, catalog};
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::kafka::{broker, said};
use crate::kill::{Promises, ledger_and_log_agree, nothing_promised_is_lost, rand_seed, the_command_line_verifies};
use crate::process::{CONFIG, Home, Litfass, now_ms, setting};
use crate::processes::{ADMIN, DECIDE, EVENTS, Site, answers, comes_to_rest, under_load};

/// How many seconds each process's clock is off.
const CLOCKS: [(&str, i64); 6] =
    [(DECIDE[0], -15), (DECIDE[1], 0), (DECIDE[2], 15), (EVENTS[0], 12), (EVENTS[1], -10), (ADMIN, 5)];

/// Micros that may be spent on each limited line item: at some two to five thousandths an impression.
const CPM: [(u64, i64); 4] = [(1_001, 3_000_000), (1_002, 2_000_000), (1_003, 1_500_000), (1_004, 1_000_000)];
const CPC: (u64, i64) = (1_006, 10_000_000);
/// How long visitors go on coming so that budgets run out.
const EXHAUSTED_WITHIN: Duration = Duration::from_secs(600);

fn sellers() -> Vec<Seller> {
    let bid =
        |number: u64, per_floor: i64| Seller { bid_micros: per_floor * FLOOR_MICROS, ..Seller::by_the_mille(number) };
    let [own, lifetime, credit, daily] = CPM.map(|(_, micros)| micros);
    vec![
        Seller { line_item: json!({ "budget_micros": own }), ..bid(1, 5) },
        Seller { campaign: json!({ "lifetime_budget_micros": lifetime }), ..bid(2, 4) },
        Seller { credit_micros: credit, ..bid(3, 3) },
        Seller { campaign: json!({ "daily_budget_micros": daily }), ..bid(4, 3) },
        bid(5, 2),
        Seller { line_item: json!({ "budget_micros": CPC.1 }), ..Seller::by_the_click(6) },
        bid(7, 2),
    ]
}

fn home(database: &str) -> Home {
    let home = Home::new();
    let elsewhere = format!(
        "[database]\nurl = \"{database}\"\n[log]\nkafka_brokers = \"127.0.0.1:{}\"\nkafka_topic_prefix = \"apart-{}\"\nkafka_delivery_timeout = \"3s\"\n",
        said("KAFKA_PORT"),
        now_ms()
    );
    home.configure_whole(&format!("{}{elsewhere}", CONFIG.replace("[ledger]", "[ledger]\nholders = 3")));
    home.load(&catalog(&sellers()));
    home
}

/// On a data directory that has nothing in common with the others' but the secrets. The first one keeps what the suite looks at.
fn serve_apart(home: &Home, name: &'static str, roles: &str) -> Litfass {
    let (_, seconds) = CLOCKS.iter().find(|(of, _)| *of == name).unwrap();
    let data = if name == ADMIN { home.data() } else { home.data().with_file_name(name) };
    if !data.exists() {
        fs::create_dir(&data).unwrap();
        symlink(home.data().join("secrets"), data.join("secrets")).unwrap();
    }
    let clock = [("LD_PRELOAD", shifted_clock(home)), ("CLOCK_SHIFT", seconds.to_string())];
    home.serve_on_folder(&data, name, roles, &clock)
}

/// Builds what shifts a process's clock, once.
fn shifted_clock(home: &Home) -> String {
    let library = home.data().with_file_name("shifted_clock.so");
    if !library.exists() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/shifted_clock.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O2", source, "-ldl", "-o"]).arg(&library).status();
        assert!(built.unwrap().success());
    }
    library.into_os_string().into_string().unwrap()
}

/// What fails next, and what is asked for meanwhile.
fn fail(round: u64, site: &Site<'_>, database: &Cluster, dice: &mut Dice, promises: &Promises) {
    answers(promises, 100 + dice.below(200));
    // Each once, then as the dice fall.
    match if round < 3 { round } else { dice.below(4) } {
        0 => {
            database.restart();
            println!("the database crashed and came back");
        }
        1 => {
            broker("kill");
            broker("start");
            println!("the broker was killed and came back");
        }
        _ => {
            let (name, _) = dice.pick(&CLOCKS);
            site.kill(name);
            answers(promises, dice.below(100));
            site.start(name);
            println!("{name} was killed and came back");
        }
    }
}

#[test]
fn processes_apart_with_clocks_apart_lose_and_double_bill_nothing_whatever_fails() {
    let (seed, times) = (setting("LITFASS_SEED", rand_seed()), setting("LITFASS_KILLS", 20));
    println!("LITFASS_SEED={seed}, {times} failures");
    let database = Cluster::start(&[]);
    let (home, promises) = (home(&database.database()), Promises::default());
    let site = Site::begin(&home, serve_apart);
    let mut dice = Dice::new(Seed(seed));
    under_load(&site, Seed(seed), &promises, || {
        (0..times).for_each(|round| fail(round, &site, &database, &mut dice, &promises));
        until_exhausted(&home);
    });
    comes_to_rest(&home);
    drop(site);
    let (promised, logged) = (promises.list.into_inner().unwrap(), Logged::read(&home.data()));
    println!("{} decisions, {} entries", logged.decisions.len(), logged.events.len());
    tell(&home);
    nothing_promised_is_lost(&promised, &logged);
    ledger_and_log_agree(&home, &logged);
    nothing_is_beyond_its_budget(&home);
    the_command_line_verifies(&home);
}

fn billed(home: &Home) -> BTreeMap<LineItemId, Ended> {
    books::ended(&home.data()).0
}

/// In percent of its limit, rounded down.
fn share(billed: &BTreeMap<LineItemId, Ended>, (line_item, micros): (u64, i64)) -> i128 {
    let nanos = billed.get(&LineItemId(line_item)).map_or(0, |ended| ended.billed.nanos);
    nanos * 100 / (i128::from(micros) * 1_000)
}

/// Every limit by the mille is used to 98 hundredths at least, in time.
fn until_exhausted(home: &Home) {
    let began = Instant::now();
    loop {
        let billed = billed(home);
        let shares = CPM.map(|limit| share(&billed, limit));
        if shares.iter().all(|share| *share >= 98) {
            println!(
                "every budget by the mille was used up {:.0} s after the last failure",
                began.elapsed().as_secs_f64()
            );
            return;
        }
        assert!(began.elapsed() < EXHAUSTED_WITHIN, "percent of each budget that was billed: {shares:?}");
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn nothing_is_beyond_its_budget(home: &Home) {
    let billed = billed(home);
    for (line_item, micros) in CPM.into_iter().chain([CPC]) {
        let spent = billed[&LineItemId(line_item)].billed.nanos;
        assert!(spent <= i128::from(micros) * 1_000, "{line_item} spent {spent} nanos of {micros} micros");
    }
}

fn tell(home: &Home) {
    let all = billed(home);
    for (line_item, micros) in CPM.into_iter().chain([CPC]) {
        let ended = all[&LineItemId(line_item)];
        let Ended { billed, unbilled } = ended;
        let percent = share(&all, (line_item, micros));
        println!(
            "{line_item}: {percent} % of {micros} micros billed for {} events; {} delivered beyond it",
            billed.events, unbilled.events
        );
    }
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for delivery in books::open_ledger(&home.data()).delivery().unwrap() {
        *reasons.entry("waiting".to_owned()).or_default() += delivery.pending.events;
        for (UnbilledId { shortage, .. }, count) in delivery.unbilled {
            *reasons.entry(format!("{shortage:?}")).or_default() += count.events;
        }
    }
    println!("not billed, by reason: {reasons:?}");
}
