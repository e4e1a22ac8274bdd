//! The pages in a real browser: the live page fills and moves, and one click opens why an ad won.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chromiumoxide::browser::{Browser, BrowserConfig};
use chromiumoxide::page::Page;
use futures_util::StreamExt;
use tempfile::TempDir;

use crate::process::{Home, PATIENCE};

/// Nothing but this test's page, and nothing kept or fetched beside it.
const FLAGS: [&str; 6] = [
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
];

/// Where the browser is: `LITFASS_CHROMIUM` as `cargo xtask test` sets it, else on the path.
fn chromium() -> PathBuf {
    if let Some(set) = std::env::var_os("LITFASS_CHROMIUM") {
        return PathBuf::from(set);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found =
        std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|file| file.is_file());
    found.expect("Chromium is needed: `cargo xtask test` installs it, or set LITFASS_CHROMIUM")
}

/// The browser; whoever drops it ends it. Its profile is fresh.
pub(crate) async fn launch() -> (Browser, TempDir) {
    let profile = tempfile::tempdir().unwrap();
    let config = BrowserConfig::builder()
        .chrome_executable(chromium())
        .user_data_dir(profile.path())
        .new_headless_mode()
        .no_sandbox()
        .args(FLAGS)
        .launch_timeout(PATIENCE)
        .window_size(1_280, 1_600)
        .build()
        .unwrap();
    let (browser, mut handler) = Browser::launch(config).await.unwrap();
    tokio::spawn(async move { while handler.next().await.is_some() {} });
    (browser, profile)
}

/// Evaluates until the answer is not null.
pub(crate) async fn wait_for(page: &Page, what: &str, script: &str) -> serde_json::Value {
    let start = Instant::now();
    loop {
        let answer = page.evaluate(script).await.ok().and_then(|result| result.value().cloned());
        match answer {
            Some(value) if !value.is_null() => return value,
            _ => assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The total of decisions as a number, null while it is not one.
const TOTAL: &str = "(() => { const shown = document.querySelector('#decisions-total'); \
    const digits = shown && shown.textContent.replace(/[^0-9]/g, ''); return digits ? Number(digits) : null; })()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_page_moves_and_a_decision_opens_with_its_fates() {
    let home = Home::new();
    let server = home.demo();
    let (mut browser, _profile) = launch().await;
    let page = browser.new_page(format!("http://{}/", server.address)).await.unwrap();

    let first = wait_for(&page, "a total of decisions", TOTAL).await;
    let more = format!("(() => {{ const total = {TOTAL}; return total > {first} ? total : null; }})()");
    wait_for(&page, "the total to grow without a reload", &more).await;

    let link = "(() => { const link = document.querySelector('#last-decisions a'); return link && link.getAttribute('href'); })()";
    wait_for(&page, "a last decision", link).await;
    // The list moves every second, so the click goes through the document and not to where the link was a moment ago.
    page.evaluate("document.querySelector('#last-decisions a').click()").await.unwrap();
    let arrived = "location.pathname.startsWith('/decisions/') ? location.pathname : null";
    wait_for(&page, "the decision's page", arrived).await;
    let fates = "(() => { const fates = document.querySelector('#fates'); return fates && fates.textContent.trim() || null; })()";
    let fates = wait_for(&page, "why each candidate won or lost", fates).await;
    assert!(fates.as_str().is_some_and(|text| text.chars().any(char::is_alphabetic)), "{fates}");

    browser.close().await.unwrap();
    browser.wait().await.unwrap();
    assert!(server.stop().success(), "the demo stops cleanly");
}
