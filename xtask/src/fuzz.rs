//! `cargo xtask verify openapi`: the OpenAPI document against the answers of a running server, by schemathesis.
//!
//! Every operation is called with what its schema allows and with what it does not: once with addresses of any kind, once with
//! those of objects that exist. An answer that is not described, in status, type or schema, is a violation, as is any 5xx.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{step, workspace};

const PACKAGE: &str = "schemathesis==4.32.5";
/// Generated per operation and pass, beside what the schema's own corners give.
const EXAMPLES_MAX: u32 = 20;
/// One of each kind, so that what is asked of number 1 is there.
const CATALOG: &str = r#"{
  "tenants": [{ "id": 1, "name": "Shop" }],
  "advertisers": [{ "id": 1, "tenant": 1, "name": "Lumen", "credit_limit_micros": 100000000 }],
  "campaigns": [{ "id": 1, "advertiser": 1, "name": "Autumn" }],
  "line_items": [{ "id": 1, "campaign": 1, "name": "All", "bid": { "micros": 2000000, "per": "mille" }, "pacing": "asap" }],
  "creatives": [{ "id": 1, "advertiser": 1, "format": "sponsored_item", "title": "Lamp", "text": "Bright",
                  "landing_url": "https://shop.example/1" }],
  "ads": [{ "id": 1, "line_item": 1, "creative": 1 }],
  "placements": [{ "id": 1, "tenant": 1, "name": "home", "slots_max": 3 }]
}"#;
/// A key of schemathesis' own is never limited: what it sends is what is judged.
const SERVER: &str = "[access]\nrate = 1000000\n";

/// A 400 or 422 that names the field is an answer to what a schema cannot say (this one or that one, no later than, of the same
/// tenant), so it is no violation where the schema allows the request. A row of a batch is refused by itself, in a 200.
fn settings(key: &str, parameters: &str) -> String {
    format!(
        "seed = 1\ncontinue-on-failure = true\nwarnings = false\n\
         [headers]\nAuthorization = \"Bearer {key}\"\n\
         [parameters]\n{parameters}\n\
         [generation]\nmax-examples = {EXAMPLES_MAX}\n\
         [checks.positive_data_acceptance]\n\
         expected-statuses = [\"2xx\", \"3xx\", 400, 401, 403, 404, 409, 410, 412, 413, 422]\n\
         [[operations]]\ninclude-path-regex = \"/bulk$|^/v1/events$\"\n\
         [operations.checks.negative_data_rejection]\nenabled = false\n"
    )
}

pub(crate) fn verify() -> Result<()> {
    let folder = workspace::root().join("target/openapi");
    let schemathesis = installed(&folder)?;
    step::run(step::cargo().args(["build", "--quiet", "--bin", "litfass"]))?;
    for (pass, parameters) in [("any", ""), ("existing", "\"path.id\" = 1")] {
        let home = folder.join(pass);
        let (server, key) = Server::start(&home)?;
        fs::write(home.join("schemathesis.toml"), settings(&key, parameters))?;
        let mut run = step::command(&schemathesis);
        run.arg("--config-file").arg(home.join("schemathesis.toml")).args(["run", "--no-color", "--phases"]);
        run.args(["coverage,fuzzing", &format!("{}/openapi.json", server.url)]).current_dir(&home);
        println!("addresses: {pass}");
        step::run(&mut run)?;
    }
    Ok(())
}

/// The fuzzer, in an environment of its own.
fn installed(folder: &Path) -> Result<PathBuf> {
    let venv = folder.join("venv");
    if !venv.join("bin/pip").exists() {
        step::run(step::command("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    step::run(step::command(venv.join("bin/pip")).args(["install", "--quiet", PACKAGE]))?;
    Ok(venv.join("bin/schemathesis"))
}

/// The binary on a directory of its own; killed when this is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// With a catalog, and a key that calls of `DELETE /v1/keys/1` leave alone.
    fn start(home: &Path) -> Result<(Self, String)> {
        if home.exists() {
            fs::remove_dir_all(home).context("removing the run before")?;
        }
        fs::create_dir_all(home)?;
        fs::write(home.join("catalog.json"), CATALOG)?;
        fs::write(home.join("litfass.toml"), SERVER)?;
        step::run(litfass(home).args(["catalog", "load", "catalog.json", "--data-dir", "data"]))?;
        let created = |name: &str| {
            let arguments = ["admin", "create-key", "--role", "admin", "--name", name, "--data-dir", "data"];
            step::capture(litfass(home).args(arguments))
        };
        created("spare")?;
        let said = created("fuzzer")?;
        let key = said.lines().find(|line| line.starts_with("lf_")).context("no key was printed")?.to_owned();
        let mut run = litfass(home);
        run.args(["run", "--config", "litfass.toml", "--data-dir", "data", "--listen", "127.0.0.1:0"]);
        run.stdout(Stdio::piped()).stderr(fs::File::create(home.join("server.log"))?);
        let mut child = run.spawn().context("the server does not start")?;
        let output = child.stdout.take().context("the server says nothing")?;
        let first = BufReader::new(output).lines().next().transpose()?.unwrap_or_default();
        let server = Self { child, url: first.trim_start_matches("listening on ").to_owned() };
        ensure!(server.url.starts_with("http://"), "the server says {first:?}");
        Ok((server, key))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the run has noticed.
        self.child.kill().unwrap_or(());
        let _ended = self.child.wait();
    }
}

fn litfass(home: &Path) -> std::process::Command {
    let mut command = step::command(binary());
    command.current_dir(home);
    command
}

fn binary() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| workspace::root().join("target")).join("debug/litfass")
}
