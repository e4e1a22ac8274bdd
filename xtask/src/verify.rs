//! `cargo xtask verify AREA…`: the long tier, run before an issue is closed.

use anyhow::{Context, Result};

use crate::{bench, fuzz, kafka, mutants, postgres, quickstart, step, traces, workspace};

/// One area of the long tier.
struct Area {
    name: &'static str,
    shows: &'static str,
    run: fn() -> Result<()>,
}

const AREAS: [Area; 14] = [
    Area {
        name: "power-loss",
        shows: "nothing acknowledged is lost, over 10,000 seeds of lost writes",
        run: power_loss,
    },
    Area { name: "kill", shows: "500 times kill -9 under load, money and log agree", run: kill },
    Area {
        name: "money",
        shows: "nothing billed beyond a budget, in millions of states of thirteen small worlds and over 10,000 simulated ones",
        run: money,
    },
    Area {
        name: "kafka",
        shows: "the event log in Kafka, killed in between: the port's contract, then a site of six processes",
        run: kafka,
    },
    Area {
        name: "processes",
        shows: "six processes apart on PostgreSQL and Kafka, clocks 30 s apart, everything killed in between: the money is exact",
        run: processes,
    },
    Area {
        name: "tls",
        shows: "an address of PostgreSQL gets the encryption that it asks for, or no connection (needs openssl)",
        run: tls,
    },
    Area {
        name: "mutants",
        shows: "twenty-one broken rules of the money, each named by the invariant that fails",
        run: mutants::verify,
    },
    Area { name: "real-shop", shows: "the ranking against the rules, on a real shop's log", run: real_shop },
    Area { name: "replay", shows: "100,000 recorded decisions made again without a difference", run: replay },
    Area { name: "why-not", shows: "10,000 requests against a naive evaluator, 50 line items", run: why_not },
    Area {
        name: "quickstart",
        shows: "every command of the quick start, from a clean clone, prints what the page says",
        run: quickstart::verify,
    },
    Area {
        name: "traces",
        shows: "a decision is one trace, also to OpenTelemetry's own collector (needs Go)",
        run: traces::verify,
    },
    Area {
        name: "openapi",
        shows: "every operation's answers are as docs/openapi.json says, whatever is sent",
        run: fuzz::verify,
    },
    Area { name: "bench", shows: "the speeds, with their quality numbers", run: || bench::run(&[]) },
];

pub(crate) fn run(names: &[String]) -> Result<()> {
    if names.is_empty() {
        AREAS.iter().for_each(|area| println!("{:<12} {}", area.name, area.shows));
        return Ok(());
    }
    for name in names {
        let area = AREAS.iter().find(|area| area.name == name).with_context(|| format!("no area `{name}`"))?;
        (area.run)()?;
    }
    Ok(())
}

fn power_loss() -> Result<()> {
    let mut command = step::cargo();
    command.args(["test", "--release", "-p", "litfass-store", "-p", "litfass-train", "-p", "litfass-server"]);
    command.args(["--test", "it", "power_loss", "--", "--nocapture"]);
    step::run(command.env("LITFASS_SEEDS", "10000"))
}

fn kill() -> Result<()> {
    let mut command = step::cargo();
    command.args(["test", "--release", "-p", "litfass-server", "--test", "it", "kill", "--", "--nocapture"]);
    step::run(command.env("LITFASS_KILLS", "500"))
}

/// What some of the larger worlds do not come to the end within; it takes some gigabyte of memory.
const STATES_MAX: &str = "20000000";

/// The larger of the small worlds, optimised with overflow checks as the dev profile has it, then many seeds of a large one.
fn money() -> Result<()> {
    let mut explore = step::cargo();
    explore.args(["run", "--quiet", "-p", "litfass-explore", "--example", "explore", "--", "--large"]);
    explore.args(["--states", STATES_MAX]);
    step::run(&mut explore)?;
    simulate()
}

/// An interrupted run goes on where it stopped, as long as the tree is the same commit.
fn simulate() -> Result<()> {
    let tree = step::capture(step::command("git").args(["describe", "--always", "--dirty", "--exclude", "*"]))?;
    let mut simulate = step::cargo();
    simulate.args(["run", "--quiet", "--release", "--", "simulate", "budget", "--seeds", "10000"]);
    if !tree.contains("dirty") {
        let kept = workspace::root().join("target/verify-money");
        std::fs::create_dir_all(&kept)?;
        simulate.arg("--progress").arg(kept.join(tree.trim()).with_extension("json"));
    }
    step::run(&mut simulate)
}

fn kafka() -> Result<()> {
    let broker = kafka::Broker::start()?;
    let mut contract = step::cargo();
    contract.args(["test", "-p", "litfass-store", "--features", "kafka", "--test", "it", "event_log::kafka"]);
    // One by one: some of them kill the broker.
    step::run(broker.known_to(contract.args(["--", "--test-threads=1", "--nocapture"])))?;
    let mut whole = step::cargo();
    whole.args(["test", "-p", "litfass-server", "--features", "kafka", "--test", "it", "kafka::"]);
    step::run(broker.known_to(whole.args(["--", "--test-threads=1", "--nocapture"])))
}

fn processes() -> Result<()> {
    let (broker, postgres) = (kafka::Broker::start()?, postgres::ready()?);
    let mut test = step::cargo();
    test.args(["test", "-p", "litfass-server", "--features", "kafka", "--test", "it", "deployment::"]);
    test.envs(postgres.iter().map(|folder| ("LITFASS_POSTGRES", folder)));
    step::run(broker.known_to(test.args(["--", "--nocapture"])))
}

fn tls() -> Result<()> {
    let mut test = step::cargo();
    test.args(["test", "-p", "litfass-store", "--features", "tls", "--test", "it", "real_postgres_tls"]);
    step::run(test.envs(postgres::ready()?.iter().map(|folder| ("LITFASS_POSTGRES", folder))))
}

/// The committed fixture in both builds, then a long log.
fn replay() -> Result<()> {
    for profile in ["dev", "release"] {
        let mut fixture = step::cargo();
        fixture.args(["test", "--profile", profile, "-p", "litfass-server", "--test", "it", "replay"]);
        step::run(&mut fixture)?;
    }
    let mut log = step::cargo();
    log.args(["test", "--release", "-p", "litfass-server", "--test", "it", "every_recorded", "--", "--nocapture"]);
    step::run(log.env("LITFASS_DECISIONS", "100000"))
}

fn why_not() -> Result<()> {
    let mut command = step::cargo();
    command.args(["test", "--release", "-p", "litfass-server", "--test", "it", "why_not_counts", "--", "--nocapture"]);
    step::run(command.env("LITFASS_REQUESTS", "10000"))
}

fn real_shop() -> Result<()> {
    let shared = workspace::shared().context("the real data is not there: ../shared or LITFASS_SHARED")?;
    let log = shared.join("data/online_retail/online_retail.csv.zst");
    let requests = shared.join("data/bid_requests/datacratic-20000.sanitised.ndjson.zst");
    let dataset = workspace::root().join("target/real-shop");
    let mut import = step::cargo();
    import.args(["run", "--quiet", "--release", "--", "import", "online-retail"]).arg(log);
    step::run(import.arg("--out").arg(&dataset).arg("--bid-requests").arg(requests))?;
    let mut asserted = step::cargo();
    asserted.args(["test", "--release", "-p", "litfass-train", "--test", "it", "real_shop"]);
    step::run(asserted.env("LITFASS_SHARED", &shared))?;
    let mut evaluate = step::cargo();
    step::run(evaluate.args(["run", "--quiet", "--release", "--", "evaluate", "--dataset"]).arg(&dataset))
}
