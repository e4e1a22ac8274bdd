//! `cargo xtask screenshots`: the pictures in docs/images, taken from the pages of a demo that has run for a while.
//!
//! Everything of the demo is gone afterwards; the pictures before are overwritten.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{browser, step, workspace};

const FOLDER: &str = "docs/images";
/// Decisions after which the pages have something to show.
const DECISIONS: u64 = 4_000;
/// How often the demo is looked at until then, a second apart.
const LOOKS_MAX: u32 = 600;
const WIDTH: u32 = 1_280;
/// A picture that is larger does not belong into a repository.
const BYTES_MAX: u64 = 200 << 10;

/// A page, and how much of it is shown.
struct Picture {
    name: &'static str,
    path: String,
    height: u32,
}

pub(crate) fn run() -> Result<()> {
    let chromium = browser::ready()?;
    let folder = workspace::root().join(FOLDER);
    fs::create_dir_all(&folder)?;
    let demo = Demo::start()?;
    let live = demo.with_something_to_show()?;
    for picture in demo.pictures(&live)? {
        let file = folder.join(picture.name).with_extension("png");
        take(&chromium, &demo.url(&picture.path), picture.height, &file)?;
        let bytes = fs::metadata(&file)?.len();
        ensure!(bytes <= BYTES_MAX, "{} has {bytes} bytes, more than {BYTES_MAX}", file.display());
    }
    Ok(())
}

fn take(chromium: &Path, url: &str, height: u32, file: &Path) -> Result<()> {
    let mut browser = step::command(chromium);
    browser.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--timeout=8000"]);
    browser.arg(format!("--window-size={WIDTH},{height}")).arg(format!("--screenshot={}", file.display())).arg(url);
    step::capture(&mut browser).map(|_| ())
}

/// The campaign that has spent most of what was planned by now.
fn closest_to_plan(live: &Value) -> Option<u64> {
    let share = |campaign: &&Value| {
        let (spent, planned) = (campaign["spent_micros"].as_u64()?, campaign["planned_micros"].as_u64()?);
        (spent * 1_000).checked_div(planned)
    };
    let campaigns = live["campaigns"].as_array()?.iter().filter(|campaign| share(campaign).is_some());
    campaigns.max_by_key(share)?["id"].as_u64()
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace::root().join("target"), PathBuf::from)
}

/// A demo on a folder of its own; ended, and its folder removed, when dropped.
struct Demo {
    process: Child,
    address: String,
    folder: PathBuf,
}

impl Demo {
    fn start() -> Result<Self> {
        step::run(step::cargo().args(["build", "--quiet", "--release", "--bin", "litfass"]))?;
        let folder = workspace::root().join("target/screenshots");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let address = format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let mut demo = step::command(target().join("release/litfass"));
        demo.args(["demo", "--listen", &address, "--data-dir"]).arg(folder.join("data"));
        let log = fs::File::create(folder.join("log"))?;
        let process = demo.stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self { process, address, folder })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> Result<String> {
        step::capture(Command::new("curl").args(["-sf", &self.url(path)]))
    }

    /// What the live page knows, once a model was trained and enough was decided.
    fn with_something_to_show(&self) -> Result<Value> {
        for _ in 0..LOOKS_MAX {
            let live = self.get("/v1/live").ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
            let ready = |live: &Value| {
                live["totals"]["decisions"].as_u64() >= Some(DECISIONS) && live["training"][0].is_object()
            };
            if let Some(live) = live.filter(ready) {
                return Ok(live);
            }
            sleep(Duration::from_secs(1));
        }
        anyhow::bail!("the demo has nothing to show yet; {}/log says why", self.folder.display())
    }

    fn pictures(&self, live: &Value) -> Result<Vec<Picture>> {
        let decision = live["decisions"][0]["id"].as_str().context("no decision on the live page")?;
        let campaign = closest_to_plan(live).context("no campaign on the live page that has a plan")?;
        let page = self.get(&format!("/campaigns/{campaign}"))?;
        let why_not = page.split('"').find(|part| part.starts_with("/line-items/")).context("no line item")?;
        let picture = |name, path: String, height| Picture { name, path, height };
        Ok(vec![
            picture("live", "/".to_owned(), 760),
            picture("campaigns", "/campaigns".to_owned(), 560),
            picture("campaign", format!("/campaigns/{campaign}"), 760),
            picture("why-not", why_not.to_owned(), 760),
            picture("decision", format!("/decisions/{decision}"), 820),
        ])
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        if let Err(problem) = ended.map(|_| ()).and_then(|()| fs::remove_dir_all(&self.folder)) {
            eprintln!("the demo in {} did not end cleanly: {problem}", self.folder.display());
        }
    }
}
