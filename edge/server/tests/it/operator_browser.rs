//! The operator's pages in a real browser: from the start page to why a line item does not serve in three clicks, and the same
//! without a mouse.

use chromiumoxide::browser::Browser;
use chromiumoxide::page::Page;
use serde_json::{Value, json};

use crate::browser::{launch, wait_for};
use crate::operator::{HOSTILE, shop};
use crate::process::{Home, Litfass};

/// The visible text of what the script finds.
fn text_of(selector: &str) -> String {
    format!(
        "(() => {{ const found = document.querySelector({selector:?}); return found && found.textContent.trim() || null; }})()"
    )
}

async fn at(page: &Page, path: &str) {
    let arrived = format!("location.pathname === {path:?} && document.readyState === 'complete' ? true : null");
    wait_for(page, path, &arrived).await;
}

/// As a person with a mouse: to where the link is, and down.
async fn click(page: &Page, selector: &str) {
    page.find_element(selector).await.unwrap().click().await.unwrap();
}

async fn press(page: &Page, key: &str) {
    page.find_element("body").await.unwrap().press_key(key).await.unwrap();
}

/// Tab until what has the focus fits, then Enter.
async fn tab_to(page: &Page, selector: &str) {
    let here = format!("document.activeElement !== null && document.activeElement.matches({selector:?})");
    for _ in 0..60 {
        press(page, "Tab").await;
        let found = page.evaluate(here.as_str()).await.unwrap();
        if found.value() == Some(&Value::Bool(true)) {
            return press(page, "Enter").await;
        }
    }
    panic!("the keyboard does not reach {selector}");
}

/// Shows a key at the form that any page leads to.
async fn log_in(browser: &Browser, server: &Litfass, key: &str) -> Page {
    let page = browser.new_page(format!("http://{}/", server.address)).await.unwrap();
    at(&page, "/login").await;
    let field = page.find_element("#key").await.unwrap();
    field.click().await.unwrap().type_str(key).await.unwrap().press_key("Enter").await.unwrap();
    at(&page, "/").await;
    page
}

async fn closed(mut browser: Browser) {
    browser.close().await.unwrap();
    browser.wait().await.unwrap();
}

/// A shop in which the second line item is kept out by its targeting, and somebody has asked.
fn asked() -> (Home, Litfass, String) {
    let home = shop();
    let key = home.key(&["--role", "admin"]);
    let server = home.serve();
    let mut caller = server.caller().with_key(&key);
    let paused = caller.send("POST", "/v1/line_items/1002/pause", "");
    assert_eq!(paused.status, 200);
    crate::process::wait_for("the pause to be served", || {
        let answer = caller.decide(&crate::caller::page(crate::catalogs::HOME, 5, "u"));
        crate::caller::ads(&answer).iter().all(|ad| ad.line_item != 1_002).then_some(())
    });
    caller.decide(&crate::caller::page(crate::catalogs::HOME, 5, "u"));
    (home, server, key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_clicks_lead_from_the_start_page_to_why_a_line_item_does_not_serve() {
    let (_home, server, key) = asked();
    let (browser, _profile) = launch().await;
    let page = log_in(&browser, &server, &key).await;

    click(&page, "nav a[href='/campaigns']").await;
    at(&page, "/campaigns").await;
    let shown = wait_for(&page, "the hostile name", &text_of("a[href='/campaigns/101']")).await;
    assert_eq!(shown, json!(HOSTILE), "a name is text");
    click(&page, "a[href='/campaigns/102']").await;
    at(&page, "/campaigns/102").await;
    click(&page, "a[href='/line-items/1002/why-not']").await;
    at(&page, "/line-items/1002/why-not").await;
    let because = wait_for(&page, "why", &text_of("#because")).await;
    assert!(because.as_str().is_some_and(|text| text.starts_with("Most often: ")), "{because}");
    closed(browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keyboard_alone_leads_to_why_and_stops_a_campaign() {
    let (_home, server, key) = asked();
    let (browser, _profile) = launch().await;
    let page = log_in(&browser, &server, &key).await;

    tab_to(&page, "nav a[href='/campaigns']").await;
    at(&page, "/campaigns").await;
    tab_to(&page, "a[href='/campaigns/101']").await;
    at(&page, "/campaigns/101").await;
    tab_to(&page, "button.pause").await;
    let stopped = "document.querySelector('button.resume') ? true : null";
    wait_for(&page, "the campaign to be paused", stopped).await;
    tab_to(&page, "a[href='/line-items/1001/why-not']").await;
    at(&page, "/line-items/1001/why-not").await;
    closed(browser).await;
}
