//! The small worlds, to their end; and a world that breaks a rule, to see that it is noticed.

use litfass_explore::{Bounds, Breach, Found, Quest, SMALL, explore};

/// Prints what was gone through, or panics with the way to what does not hold.
#[expect(clippy::print_stdout, reason = "figures of a test that passed are shown with --nocapture")]
fn holds(name: &str) {
    let world = world(name);
    match explore(world, Quest::default()) {
        Found::Nothing(report) => {
            println!("{name}: {report:?}");
            assert!(report.complete && report.states > 1_000, "{name} was not gone through");
        }
        Found::Broken(_, counterexample) => panic!("{counterexample}"),
    }
}

fn world(name: &str) -> &'static Bounds {
    SMALL.iter().find(|world| world.name == name).expect("a small world")
}

#[test]
fn holders_and_line_items_that_share_the_last_coins_never_pass_a_limit() {
    holds("shared");
}

#[test]
fn copies_and_late_readers_bill_nothing_twice() {
    holds("copies");
}

#[test]
fn limits_that_change_under_leases_hold() {
    holds("limits");
}

#[test]
fn adjustments_refunds_and_deposits_keep_the_books() {
    holds("money");
}

#[test]
fn clicks_beyond_their_holds_wait_and_end() {
    holds("clicks");
}

#[test]
fn what_a_crashed_holder_leased_comes_back() {
    holds("crash");
}

#[test]
fn a_failed_over_database_is_completed_from_the_log() {
    holds("failover");
}

#[test]
fn a_sealed_partition_leaves_the_watermark_once_it_was_read() {
    holds("seal");
}

#[test]
fn limits_set_before_a_failover_find_no_more_spent_than_they_did() {
    holds("again");
}

#[test]
fn funds_that_moved_before_a_failover_move_again() {
    holds("funds");
}

#[test]
fn a_partition_opened_late_begins_where_the_others_are() {
    holds("open");
}

#[test]
fn a_partition_opened_with_its_clock_behind_bills_nothing_whose_keys_are_gone() {
    holds("behind");
}

#[test]
fn clocks_that_disagree_cost_no_promise() {
    holds("skew");
}

#[test]
fn a_broken_rule_is_told_with_the_shortest_way_to_it() {
    let quest = Quest { breach: Some(Breach::AncestorsApart), ..Quest::default() };
    let Found::Broken(_, broken) = explore(world("shared"), quest) else {
        panic!("levels that disagree went unseen");
    };
    assert!(broken.names("levels agree"), "{broken}");
    let told = broken.to_string();
    assert!(told.contains("holder 0 leases budget of item"), "{told}");
    assert_eq!(broken.acts.len(), 1, "{told}");
}
