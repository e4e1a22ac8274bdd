//! The worked example of Boolean expression indexing (Whang et al. 2009) and what it leaves open, on definition and index.

use litfass_catalog::model::Object;
use litfass_catalog::targeting::{Assignment, matches};
use litfass_catalog::{Catalog, Schedule, Scratch, Targeting};
use litfass_types::{Duration, TenantId, Term, TermKind, Timestamp};

use crate::naive::{self, Ask};
use crate::world::{MONDAY, line_item, surroundings, version};

fn one_of(key: &str, values: &[&str]) -> Targeting {
    Targeting::In(TermKind::KeyValue, values.iter().map(|value| format!("{key}={value}")).collect())
}

fn none_of(key: &str, values: &[&str]) -> Targeting {
    Targeting::Not(Box::new(one_of(key, values)))
}

/// Ids of those that match, by the definition and by the index, which must agree. Ids are chosen to have funds.
fn matching(targetings: &[Targeting], terms: &[&str], placements: &[&str], now: Timestamp) -> Vec<usize> {
    let terms: Vec<Term> = terms.iter().map(|term| Term::new(TermKind::KeyValue, term)).collect();
    let placements: Vec<Term> = placements.iter().map(|id| Term::new(TermKind::Placement, id)).collect();
    let assignment = Assignment { terms: &terms, placements: &placements, hour_of_week: 0 };
    let defined: Vec<usize> = (0..targetings.len()).filter(|i| matches(&targetings[*i], &assignment)).collect();
    // Line items 12, 24, 36 … are all campaign 1's, of advertiser 2 and tenant 2; a sixth of them is unfunded or held back.
    let ids: Vec<u64> = (1..).map(|n| 12 * n).filter(|id| id % 7 != 0 && id % 5 != 0).take(targetings.len()).collect();
    let mut objects = surroundings();
    objects
        .extend(ids.iter().zip(targetings).map(|(id, targeting)| Object::LineItem(line_item(*id, targeting.clone()))));
    let catalog = Catalog::build(version(1), objects).unwrap();
    let ask = Ask { tenant: TenantId(2), terms, placements, now };
    let found = naive::ask(&catalog, &ask, &Schedule::at(&catalog, now), &mut Scratch::default());
    let indexed: Vec<usize> = (0..ids.len()).filter(|i| found.line_items.iter().any(|id| id.0 == ids[*i])).collect();
    if targetings.iter().all(|t| !matches!(t, Targeting::Daypart(_))) {
        assert_eq!(indexed, defined, "index and definition disagree");
    }
    indexed
}

fn six_conjunctions() -> Vec<Targeting> {
    vec![
        Targeting::All(vec![one_of("age", &["3"]), one_of("state", &["NY"])]),
        Targeting::All(vec![one_of("age", &["3"]), one_of("gender", &["F"])]),
        Targeting::All(vec![one_of("age", &["3"]), one_of("gender", &["M"]), none_of("state", &["CA"])]),
        Targeting::All(vec![one_of("state", &["CA"]), one_of("gender", &["M"])]),
        one_of("age", &["3", "4"]),
        none_of("state", &["CA", "NY"]),
    ]
}

#[test]
fn the_published_example_matches_its_fourth_and_fifth_conjunction() {
    assert_eq!(matching(&six_conjunctions(), &["age=3", "state=CA", "gender=M"], &[], MONDAY), [3, 4]);
}

#[test]
fn a_missing_attribute_fails_what_requires_it_and_passes_what_excludes_it() {
    assert_eq!(matching(&six_conjunctions(), &["age=3", "gender=M"], &[], MONDAY), [2, 4, 5]);
    assert_eq!(matching(&six_conjunctions(), &[], &[], MONDAY), [5]);
}

#[test]
fn an_exclusion_fails_if_any_of_several_values_is_excluded() {
    let targetings = [none_of("state", &["CA"]), one_of("state", &["NY"])];
    assert_eq!(matching(&targetings, &["state=NY", "state=CA"], &[], MONDAY), [1]);
}

#[test]
fn two_predicates_of_one_attribute_can_be_met_by_two_values() {
    let both = Targeting::All(vec![one_of("age", &["3"]), one_of("age", &["4"])]);
    let twice = Targeting::All(vec![one_of("age", &["3"]), one_of("age", &["3"])]);
    assert_eq!(matching(&[both.clone(), twice.clone()], &["age=3"], &[], MONDAY), [1]);
    assert_eq!(matching(&[both, twice], &["age=3", "age=4"], &[], MONDAY), [0, 1]);
}

#[test]
fn an_empty_list_never_matches_and_its_negation_always_does() {
    let never = one_of("age", &[]);
    let targetings = [
        never.clone(),
        Targeting::Not(Box::new(never.clone())),
        Targeting::Any(vec![never, one_of("age", &["3"])]),
        Targeting::Any(Vec::new()),
        Targeting::run_of_network(),
        Targeting::Not(Box::new(Targeting::run_of_network())),
    ];
    assert_eq!(matching(&targetings, &["age=3"], &[], MONDAY), [1, 2, 4]);
}

#[test]
fn negation_goes_through_all_and_any() {
    let age_and_state = vec![one_of("age", &["3"]), one_of("state", &["CA"])];
    let targetings = [
        Targeting::Not(Box::new(Targeting::All(age_and_state.clone()))),
        Targeting::Not(Box::new(Targeting::Any(age_and_state))),
    ];
    assert_eq!(matching(&targetings, &["age=3"], &[], MONDAY), [0]);
    assert_eq!(matching(&targetings, &["age=3", "state=CA"], &[], MONDAY), [0_usize; 0]);
    assert_eq!(matching(&targetings, &[], &[], MONDAY), [0, 1]);
}

#[test]
fn a_page_matches_if_one_of_its_placements_does() {
    let at = |ids: &[&str]| Targeting::In(TermKind::Placement, ids.iter().map(|id| (*id).to_owned()).collect());
    let not_at = |ids| Targeting::Not(Box::new(at(ids)));
    let targetings = [
        at(&["4"]),
        not_at(&["4"]),
        Targeting::All(vec![not_at(&["4"]), not_at(&["5"])]),
        Targeting::All(vec![at(&["4", "5"]), not_at(&["4"])]),
        Targeting::All(vec![at(&["4"]), at(&["5"])]),
    ];
    assert_eq!(matching(&targetings, &[], &["4"], MONDAY), [0]);
    assert_eq!(matching(&targetings, &[], &["4", "5"], MONDAY), [0, 1, 3]);
    assert_eq!(matching(&targetings, &[], &["6", "4"], MONDAY), [0, 1, 2]);
    assert_eq!(matching(&targetings, &[], &[], MONDAY), [1, 2]);
}

#[test]
fn a_daypart_is_read_in_the_advertisers_time_zone() {
    // Advertiser 2 lives in New York, where Monday midnight UTC is Sunday 19:00.
    let sunday_evening = Targeting::Daypart(vec![6 * 24 + 19]);
    let targetings = [sunday_evening.clone(), Targeting::Not(Box::new(sunday_evening))];
    assert_eq!(matching(&targetings, &[], &[], MONDAY), [0]);
    assert_eq!(matching(&targetings, &[], &[], MONDAY + Duration::hours(1)), [1]);
    assert_eq!(matching(&targetings, &[], &[], MONDAY - Duration(1)), [1]);
}
