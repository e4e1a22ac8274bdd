//! The log in Kafka, end to end: three processes decide, two bill, one has the commands, and both they and the broker are killed.
//! `cargo xtask verify kafka` starts the broker and says where.

use std::process::{Command, Stdio};

use litfass_types::Seed;

use crate::books::Logged;
use crate::catalogs::catalog;
use crate::dice::Dice;
use crate::kill::{Promises, budgets_are_used_and_kept, ledger_and_log_agree, nothing_promised_is_lost, rand_seed};
use crate::kill::{sellers, the_command_line_verifies};
use crate::process::{CONFIG, Home, now_ms, setting};
use crate::processes::{ADMIN, DECIDE, EVENTS, Site, answers, comes_to_rest, under_load};

pub(crate) fn said(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask verify kafka` sets it"))
}

/// A start may take longer than the script waits, where others need the machine too.
pub(crate) fn broker(word: &str) {
    let told = || Command::new(said("LITFASS_KAFKA")).arg(word).stdout(Stdio::null()).status().unwrap().success();
    assert!((0..5).any(|_| told()), "the broker could not be told to {word}");
}

/// On topics that no other test has.
fn home() -> Home {
    let home = Home::new();
    let log = format!(
        "[log]\nkafka_brokers = \"127.0.0.1:{}\"\nkafka_topic_prefix = \"test-{}\"\nkafka_delivery_timeout = \"3s\"\n",
        said("KAFKA_PORT"),
        now_ms()
    );
    home.configure_whole(&format!("{}{log}", CONFIG.replace("[ledger]", "[ledger]\nholders = 3")));
    home.load(&catalog(&sellers()));
    home
}

/// The broker goes and comes back; then one of the processes does.
fn kills(site: &Site<'_>, seed: Seed, promises: &Promises, times: u64) {
    let mut dice = Dice::new(seed);
    for round in 0..times {
        answers(promises, 100 + dice.below(200));
        broker("kill");
        broker("start");
        answers(promises, 100 + dice.below(100));
        let names = [DECIDE[0], EVENTS[0], ADMIN, EVENTS[1], DECIDE[1]];
        let name = names[usize::try_from(round).unwrap() % names.len()];
        site.kill(name);
        answers(promises, dice.below(100));
        site.start(name);
    }
    answers(promises, 500);
}

#[test]
fn on_kafka_nothing_is_lost_or_billed_twice_though_the_broker_is_killed() {
    let (seed, times) = (setting("LITFASS_SEED", rand_seed()), setting("LITFASS_KILLS", 5));
    println!("LITFASS_SEED={seed}, the broker and a process killed {times} times");
    let (home, promises) = (home(), Promises::default());
    let site = Site::open(&home);
    under_load(&site, Seed(seed), &promises, || kills(&site, Seed(seed), &promises, times));
    comes_to_rest(&home);
    drop(site);
    let (promised, logged) = (promises.list.into_inner().unwrap(), Logged::read(&home.data()));
    println!("{} decisions, {} entries", logged.decisions.len(), logged.events.len());
    nothing_promised_is_lost(&promised, &logged);
    ledger_and_log_agree(&home, &logged);
    budgets_are_used_and_kept(&home, &logged);
    the_command_line_verifies(&home);
}

#[test]
fn a_data_directory_keeps_the_log_that_it_began_with() {
    let (in_kafka, in_segments) = (home(), Home::new());
    in_kafka.serve().stop();
    let with_kafka = std::fs::read_to_string(in_kafka.config()).unwrap();
    in_kafka.configure("");
    let refused = in_kafka.refuses_to_serve();
    assert!(refused.contains("kafka.json: the log lies in Kafka"), "{refused}");
    in_kafka.configure_whole(&with_kafka.replace("\"test-", "\"other-test-"));
    let refused = in_kafka.refuses_to_serve();
    assert!(refused.contains("belongs to test-") && refused.contains("other-test-"), "{refused}");
    in_segments.serve().stop();
    in_segments.configure_whole(&with_kafka);
    let refused = in_segments.refuses_to_serve();
    assert!(refused.contains("holds a log in segments"), "{refused}");
}
