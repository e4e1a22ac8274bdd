//! The pages through their public functions: what they must contain, and what must never get out of a text.

use super::sample::{ID, explanation, live};
use super::view::{Audience, LiveView};
use super::{ASSETS, decision_page, live_page, missing_page};

const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"' & <b>";

/// Every way in which the hostile text could still be markup.
fn carries_markup(page: &str) -> bool {
    ["<img", "& <b>", "&amp; <b>", "</script><img"].iter().any(|raw| page.contains(raw))
}

#[test]
fn a_hostile_title_stays_text_on_the_live_page() {
    let page = live_page(&live(HOSTILE));
    assert!(!carries_markup(&page));
    assert!(page.contains("\\u003c/script>\\u003cimg src=x"));
}

#[test]
fn a_hostile_title_stays_text_on_the_page_of_a_decision() {
    let mut view = explanation(HOSTILE);
    view.id = HOSTILE.to_owned();
    view.request[0].value = HOSTILE.to_owned();
    view.placements[0].name = HOSTILE.to_owned();
    let page = decision_page(&view);
    assert!(!carries_markup(&page));
    assert!(page.contains("&lt;/script&gt;&lt;img src=x"));
}

#[test]
fn a_hostile_address_stays_text_on_the_page_that_says_there_is_nothing() {
    assert!(!carries_markup(&missing_page(HOSTILE)));
}

#[test]
fn the_first_view_inside_the_page_is_the_view() {
    let view = live("Trail running shoes 420");
    let page = live_page(&view);
    let start = page.find("id=\"live-initial\" type=\"application/json\">").unwrap();
    let json = page[start..].split_once('>').unwrap().1.split_once("</script>").unwrap().0;
    let read: LiveView = serde_json::from_str(json).unwrap();
    assert!(read.totals == view.totals && read.decisions == view.decisions && read.campaigns == view.campaigns);
}

#[test]
fn every_element_that_the_script_writes_is_on_the_page() {
    let script = ASSETS.iter().find(|asset| asset.path.ends_with("live.js")).unwrap().body;
    let page = live_page(&LiveView::default());
    let named: Vec<&str> = script
        .split("$(\"")
        .chain(script.split("total(\""))
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(id, _)| id))
        .filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
        .collect();
    assert!(named.len() > 25, "{named:?}");
    for id in named {
        assert!(page.contains(&format!("id=\"{id}\"")), "no element has the id {id}");
    }
}

#[test]
fn pages_load_nothing_from_elsewhere_and_run_nothing_inline() {
    for page in [live_page(&live("A")), decision_page(&explanation("A")), missing_page("decision")] {
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("style=\""));
        for script in page.split("<script").skip(1) {
            assert!(
                script.starts_with(" type=\"module\" src=\"/console/live.js\"")
                    || script.starts_with(" id=\"live-initial\" type=\"application/json\"")
            );
        }
    }
    assert!(ASSETS.iter().all(|asset| !asset.body.contains("https://")));
}

#[test]
fn the_page_says_whose_requests_it_shows() {
    let page = |audience| live_page(&LiveView { audience, ..LiveView::default() });
    assert!(
        page(Audience::Shop { seed: 7, shoppers: 2_400, speed: 240 }).contains("2,400 simulated shoppers (seed 7)")
    );
    let dataset = Audience::Dataset { name: "a real shop".into(), synthetic: "bids".into(), replayed: 0, requests: 9 };
    assert!(page(dataset).contains("showing an ad has no effect in a recorded log"));
    assert!(page(Audience::Callers).contains("your own callers"));
}

#[test]
fn the_page_of_a_decision_names_prices_rivals_and_every_candidate() {
    let page = decision_page(&explanation("Trail running shoes 420"));
    for part in [
        ID,
        "id=\"fates\"",
        "0.2145 per click",
        "runner-up: Wide-fit vegan sneakers 250, Nordhof &amp; Co.",
        "others were worth more in every slot",
        "22",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("line item 10004").count(), 60);
    assert!(page.contains("30 that did not enter the auction"));
}
