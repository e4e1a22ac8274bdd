//! A server whose money is in a PostgreSQL database: it decides, bills, refunds, reports and verifies as with the file, also
//! when the database is restarted under it. Several share catalog and keys in it.

use litfass_store::catalog::CatalogStore;
use litfass_store::ledger::{LedgerReader, PostgresLedgerReader, SqliteLedgerReader, verify};
use serde_json::{Value, json};

use crate::caller::{Ad, Caller, ads, page};
use crate::catalogs::{FLOOR_MICROS, HOME, Seller, catalog};
use crate::cluster::Cluster;
use crate::process::{Home, wait_for};

const ACCOUNT: &str = "/v1/accounts/11";
/// What one impression costs where nobody competes: the floor, as nanos.
const PRICE: i64 = FLOOR_MICROS;
const SHOWN: i64 = 5;

fn settled(caller: &mut Caller, path: &str, body: &Value) -> Value {
    let answer = caller.send("POST", &format!("{ACCOUNT}/{path}"), &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn deliver(caller: &mut Caller, from: i64) -> Vec<Ad> {
    (from..from + SHOWN)
        .map(|user| {
            let ad =
                wait_for("an ad", || ads(&caller.decide(&page(HOME, 1, &format!("user {user}")))).into_iter().next());
            assert_eq!(caller.get(&ad.impression).status, 200);
            ad
        })
        .collect()
}

fn wait_until_spent(caller: &mut Caller, spent: i64) {
    wait_for("the charges", || {
        let view = caller.get(ACCOUNT).json();
        (view["spent_nanos"].as_str() == Some(&spent.to_string())).then_some(())
    });
}

#[test]
fn a_server_keeps_its_money_in_a_database() {
    let cluster = Cluster::start(&["fsync=off"]);
    let (url, home) = (cluster.database(), Home::new());
    home.configure(&format!("[database]\nurl = \"{url}\"\n"));
    home.load(&catalog(&[Seller { credit_micros: 0, bid_micros: FLOOR_MICROS, ..Seller::by_the_mille(1) }]));
    let server = home.serve();
    let mut caller = server.caller();
    settled(&mut caller, "deposits", &json!({ "amount_micros": 100 * PRICE / 1_000, "reason": "invoice 7" }));
    let shown = deliver(&mut caller, 0);
    wait_until_spent(&mut caller, SHOWN * PRICE);
    cluster.restart();
    deliver(&mut caller, SHOWN);
    wait_until_spent(&mut caller, 2 * SHOWN * PRICE);
    let event =
        json!({ "reason": "invalid traffic", "event": { "decision_id": shown[1].decision, "slot": shown[1].index } });
    let refunded = settled(&mut caller, "refunds", &event);
    assert_eq!(refunded["refund_nanos"].as_str(), Some(PRICE.to_string().as_str()), "{refunded}");
    for page in ["/", "/accounts", "/accounts/11", "/campaigns", "/health", "/v1/live", "/metrics"] {
        assert_eq!(caller.get(page).status, 200, "{page}");
    }
    // Workers that the restart disturbed try again by themselves.
    wait_for("readiness", || (caller.get("/readyz").status == 200).then_some(()));
    assert!(server.stop().success());

    let data = home.data();
    let (status, said) = home.command(&["ledger", "verify", "--log"]);
    assert!(status.success() && said.contains("10 billed"), "{said}");
    let (status, said) = home.command(&["report", "--format", "json", "--from", "2026-01-01", "--to", "2045-01-01"]);
    assert!(status.success() && said.contains("impressions"), "{said}");
    assert_eq!(verify(&PostgresLedgerReader::open(&url).unwrap()).unwrap(), []);
    let file = SqliteLedgerReader::open(&data.join("litfass.db")).unwrap();
    assert_eq!(file.balances().unwrap(), [], "none of it is in the file");
    let again = home.serve();
    assert_eq!(again.caller().get(ACCOUNT).json()["refunds_nanos"].as_str(), Some(PRICE.to_string().as_str()));
}

#[test]
fn a_server_goes_on_with_a_standby_that_lacks_the_last_bills() {
    let (primary, place) = (Cluster::start(&["fsync=off"]), Cluster::place());
    let (url, home) = (primary.address_with(&primary.database(), &place), Home::new());
    home.configure(&format!("[database]\nurl = \"{url}\"\n"));
    home.load(&catalog(&[Seller { credit_micros: 0, bid_micros: FLOOR_MICROS, ..Seller::by_the_mille(1) }]));
    let server = home.serve();
    let mut caller = server.caller();
    settled(&mut caller, "deposits", &json!({ "amount_micros": 100 * PRICE / 1_000, "reason": "invoice 7" }));
    deliver(&mut caller, 0);
    wait_until_spent(&mut caller, SHOWN * PRICE);
    let standby = primary.standby(place);
    settled(&mut caller, "deposits", &json!({ "amount_micros": PRICE / 1_000, "reason": "invoice 8" }));
    deliver(&mut caller, SHOWN);
    wait_until_spent(&mut caller, 2 * SHOWN * PRICE);
    drop(primary);
    standby.promote();
    // The lost deposit is applied again, the lost impressions are billed again, and then budget is leased again.
    wait_until_spent(&mut caller, 2 * SHOWN * PRICE);
    deliver(&mut caller, 2 * SHOWN);
    wait_until_spent(&mut caller, 3 * SHOWN * PRICE);
    let account = caller.get(ACCOUNT).json();
    assert_eq!(account["deposits_nanos"].as_str(), Some((101 * PRICE).to_string().as_str()), "{account}");
    wait_for("readiness", || (caller.get("/readyz").json()["status"] == "ready").then_some(()));
    assert!(server.stop().success());
    let (status, said) = home.command(&["ledger", "verify", "--log"]);
    assert!(status.success() && said.contains("15 billed"), "{said}");
}

#[test]
fn processes_share_catalog_keys_and_audit_log_in_a_database() {
    let cluster = Cluster::start(&["fsync=off"]);
    let home = Home::new();
    home.configure(&format!("[database]\nurl = \"{}\"\n", cluster.database()));
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let (office, decide) = (home.serve_as("office", "admin"), home.serve_as("decide_1", "decide"));
    let key = home.key(&["--role", "admin", "--name", "first"]);
    for server in [&office, &decide] {
        let mut nobody = server.caller();
        wait_for("keys to be asked for", || (nobody.get("/metrics").status == 401).then_some(()));
    }
    let (mut office, mut decide) = (office.caller().with_key(&key), decide.caller().with_key(&key));
    wait_for("an ad", || (!ads(&decide.decide(&page(HOME, 1, "u"))).is_empty()).then_some(()));
    let paused = office.send("PATCH", "/v1/line_items/1001", &json!({ "status": "paused" }).to_string());
    assert_eq!(paused.status, 200, "{}", paused.json());
    wait_for("no ad any more", || ads(&decide.decide(&page(HOME, 1, "u"))).is_empty().then_some(()));
    let told = office.get("/v1/audit").json();
    let actions: Vec<_> = told["entries"].as_array().unwrap().iter().map(|row| row["action"].clone()).collect();
    assert!(actions.starts_with(&[json!("update"), json!("create")]), "{told}");
    let (status, said) = home.command(&["ledger", "verify"]);
    assert!(status.success() && said.ends_with("verified\n"), "{said}");
    assert_eq!(catalog_of(&home), 0, "none of it is in the file");
}

/// The sequence of a catalog in the data directory.
fn catalog_of(home: &Home) -> u64 {
    CatalogStore::open(&home.data().join("litfass.db")).unwrap().version().unwrap().sequence
}

#[test]
fn a_dump_and_a_backup_of_the_folder_after_it_are_restored_to_exact_money() {
    let cluster = Cluster::start(&["fsync=off"]);
    let (url, home) = (cluster.database(), Home::new());
    home.configure(&format!("[database]\nurl = \"{url}\"\n"));
    home.load(&catalog(&[Seller { bid_micros: FLOOR_MICROS, ..Seller::by_the_mille(1) }]));
    let server = home.serve();
    let mut caller = server.caller();
    deliver(&mut caller, 0);
    wait_until_spent(&mut caller, SHOWN * PRICE);
    let dumped = cluster.dumped(&url);
    deliver(&mut caller, SHOWN);
    wait_until_spent(&mut caller, 2 * SHOWN * PRICE);
    let to = home.data().with_file_name("backup");
    let (status, said) = home.command(&["backup", "--to", to.to_str().unwrap()]);
    assert!(status.success() && said.contains("a dump of postgres://"), "{said}");
    deliver(&mut caller, 2 * SHOWN);
    wait_until_spent(&mut caller, 3 * SHOWN * PRICE);
    assert!(server.stop().success());

    let restored = Home::new();
    let (status, said) = restored.command(&["restore", "--from", to.to_str().unwrap()]);
    assert!(status.success(), "{said}");
    let refused = restored.refuses_to_serve();
    assert!(refused.contains("database.url does not say where"), "{refused}");
    restored.configure(&format!("[database]\nurl = \"{}\"\n", cluster.database()));
    let refused = restored.refuses_to_serve();
    assert!(refused.contains("is another one"), "{refused}");
    restored.configure(&format!("[database]\nurl = \"{url}\"\n"));
    let refused = restored.refuses_to_serve();
    assert!(refused.contains("it is older"), "{refused}");

    restored.configure(&format!("[database]\nurl = \"{dumped}\"\n"));
    let server = restored.serve();
    wait_until_spent(&mut server.caller(), 2 * SHOWN * PRICE);
    deliver(&mut server.caller(), 3 * SHOWN);
    wait_until_spent(&mut server.caller(), 3 * SHOWN * PRICE);
    let (status, said) = restored.command(&["ledger", "verify", "--log"]);
    assert!(status.success() && said.contains("15 billed"), "{said}");
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let home = Home::new();
    home.configure("[database]\nurl = \"postgres://litfass:s3cret@127.0.0.1:9/money?connect_timeout=1\"\n");
    let said = home.refuses_to_serve();
    assert!(said.contains("postgres://litfass:***@127.0.0.1:9/money") && !said.contains("s3cret"), "{said}");
}
