//! The suite on a real PostgreSQL server, and what such a server may do to the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use litfass_ledger::{
    Batch, Billed, CatchUp, Commands, GrantAnswer, GrantRequest, Membership, PartitionKind, Refused, Return, Settled,
    Standing, Swept, Target,
};
use litfass_store::catalog::CatalogStore;
use litfass_store::database::{Place, Server};
use litfass_store::ledger::{LedgerError, LedgerReader, PostgresLedger, PostgresLedgerReader, SqliteLedger, verify};
use litfass_store::migrate;
use litfass_types::{LeaseId, Timestamp};
use postgres::{Client, NoTls};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

use super::cluster::{Cluster, cluster};
use super::conformance;
use super::driven::{Driven, InMemory};
use super::ids::{ADMIN_PARTITION, terms};
use super::ports::{Hand, Ports, refused};
use super::steps::{World, same, steps_with_failovers};

fn open(url: &str) -> Ports {
    let hand = Hand::new();
    let ledger = || Box::new(PostgresLedger::open(url, terms()).unwrap().with_clock(hand.clock()));
    let (authority, admin) = (ledger(), ledger());
    let server = url.to_owned();
    let fail_over = Box::new(move || {
        let mut client = Client::connect(&server, NoTls).unwrap();
        client.execute("UPDATE ledger_state SET raised = raised + 1", &[]).unwrap();
    });
    Ports { authority, admin, reader: Box::new(PostgresLedgerReader::open(url).unwrap()), hand, fail_over }
}

fn on_a_database(suite: impl FnOnce(conformance::Open<'_>)) {
    let url = cluster().database();
    suite(&|| open(&url));
}

conformance::suite!(on_a_database);

/// A ledger whose connection is killed at every statement of every operation before the operation succeeds.
struct Killed {
    ports: Ports,
    server: Client,
    kills: usize,
}

/// Every writing statement on a table of the ledger counts down, and the count is not undone with the transaction; the one
/// that reaches zero kills its own connection.
const GUILLOTINE: &str = "
CREATE SEQUENCE blade INCREMENT -1 MINVALUE -1000000000 MAXVALUE 1000000 START 1000000;
CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF nextval('blade') = 0 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
  RETURN NULL;
END $$;
CREATE PROCEDURE arm() LANGUAGE plpgsql AS $$ DECLARE name TEXT; BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE tablename LIKE 'ledger_%' AND NOT EXISTS
    (SELECT 1 FROM pg_trigger WHERE tgname = 'guillotine' AND tgrelid = tablename::regclass)
  LOOP
    EXECUTE format('CREATE TRIGGER guillotine BEFORE INSERT OR UPDATE OR DELETE ON %I EXECUTE FUNCTION fall()', name);
  END LOOP;
END $$;
";

impl Killed {
    fn new(url: &str) -> Self {
        let ports = open(url);
        let mut server = Client::connect(url, NoTls).unwrap();
        server.batch_execute(GUILLOTINE).unwrap();
        Self { ports, server, kills: 0 }
    }

    fn survive<T>(&mut self, mut run: impl FnMut(&mut Ports) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        self.server.batch_execute("CALL arm()").unwrap();
        let before = (self.ports.kept(), self.ports.reader.positions().unwrap());
        for countdown in 1_i64.. {
            self.server.execute("SELECT setval('blade', $1)", &[&countdown]).unwrap();
            match run(&mut self.ports) {
                Err(LedgerError::Database(error)) if error.helps_to_repeat() => self.kills += 1,
                done => {
                    self.server.batch_execute("SELECT setval('blade', 1000000)").unwrap();
                    return done;
                }
            }
            assert_eq!((self.ports.kept(), self.ports.reader.positions().unwrap()), before);
        }
        unreachable!("an operation writes a finite number of times")
    }
}

impl Driven for Killed {
    fn grant(&mut self, requests: &[GrantRequest], now: Timestamp) -> Vec<GrantAnswer> {
        self.ports.grant(&[], now); // moves the clock
        self.survive(|ports| ports.authority.grant(requests)).unwrap()
    }

    fn bill(&mut self, batch: &Batch) -> Result<Billed, Refused> {
        self.survive(|ports| ports.authority.bill(batch)).map_err(refused)
    }

    fn give_back(&mut self, returns: &[Return]) -> Settled {
        self.survive(|ports| ports.authority.give_back(returns)).unwrap()
    }

    fn sweep(&mut self) -> Swept {
        self.survive(|ports| ports.authority.sweep()).unwrap()
    }

    fn apply(&mut self, commands: &Commands) -> Result<litfass_ledger::Applied, Refused> {
        self.survive(|ports| ports.admin.apply(commands)).map_err(refused)
    }

    fn partitions(&mut self, changes: &[Membership]) {
        self.survive(|ports| ports.admin.partitions(changes)).unwrap();
    }

    fn fail_over(&mut self, targets: &[Target]) -> Vec<LeaseId> {
        (self.ports.fail_over)();
        let timeline = self.ports.admin.standing().unwrap().timeline;
        self.survive(|ports| ports.admin.promote(timeline, targets)).unwrap().closed
    }

    fn kept(&mut self) -> litfass_ledger::check::Kept {
        self.ports.kept()
    }

    fn check(&mut self) {
        self.ports.check();
    }
}

#[test]
fn a_connection_killed_between_two_statements_leaves_nothing_behind() {
    let mut runner = TestRunner::deterministic();
    let (mut memory, mut killed) = (InMemory::new(terms()), Killed::new(&cluster().database()));
    let both: &mut [&mut dyn Driven] = &mut [&mut memory, &mut killed];
    let mut world = World::new(both);
    for step in steps_with_failovers(50).new_tree(&mut runner).unwrap().current() {
        world.step(&step, both);
    }
    world.drain(both);
    same(both, |ledger| ledger.kept());
    killed.check();
    assert!(killed.kills > 50, "only {} connections were killed", killed.kills);
}

#[test]
fn a_server_that_was_restarted_is_connected_to_again() {
    let own = Cluster::start(&[]);
    let url = own.database();
    let mut ports = open(&url);
    let _world = World::new(&mut [&mut ports]);
    let before = ports.kept();
    own.restart();
    assert_eq!(ports.kept(), before, "what was committed is there");
    assert_eq!(ports.authority.sweep().unwrap(), Swept::default());
    ports.check();
}

#[test]
fn a_server_that_is_gone_is_reported_and_may_be_asked_again() {
    let own = Cluster::start(&["fsync=off"]);
    let url = own.database();
    let ports = open(&url);
    drop(own);
    let Err(LedgerError::Database(error)) = ports.authority.sweep() else { panic!("nobody is there") };
    assert!(error.helps_to_repeat(), "{error}");
    let refused = PostgresLedger::open("postgres://somebody@/x?sslmode=verify-full", terms()).unwrap_err();
    assert!(refused.to_string().contains("sslrootcert"), "{refused}");
}

const SHOP: &[u8] = br#"{"tenants": [{"id": 1, "name": "Shop"}]}"#;
const SHOPS: &[u8] = br#"{"tenants": [{"id": 2, "name": "Another"}]}"#;

fn catalog(url: &str) -> CatalogStore {
    CatalogStore::open(Place::Server(Arc::new(Server::open(url, String::new()).unwrap()))).unwrap()
}

#[test]
fn a_promoted_standby_has_the_catalog_in_another_timeline() {
    let primary = Cluster::start(&["fsync=off", "wal_level=replica", "max_wal_senders=4"]);
    let url = primary.database();
    let mut before = catalog(&url);
    let known = before.load_bytes(SHOP, Timestamp(0)).unwrap().version;
    let standby = primary.standby(Cluster::place());
    let lost = before.load_bytes(SHOPS, Timestamp(0)).unwrap().version;
    let mut after = catalog(&standby.promote());
    assert_eq!((known.timeline, after.version().unwrap().timeline), (1, 2));
    assert_eq!(after.version().unwrap().sequence, known.sequence);
    let again = after.load_bytes(SHOPS, Timestamp(0)).unwrap().version;
    assert!(again.sequence == lost.sequence && again != lost, "a number that stands for another change now");
}

#[test]
fn a_dump_is_the_same_database_and_no_other_is() {
    let url = cluster().database();
    catalog(&url).load_bytes(SHOP, Timestamp(0)).unwrap();
    let dumped = cluster().dumped(&url);
    let identity = |url: &str| Server::open(url, String::new()).unwrap().identity().to_owned();
    assert_eq!(identity(&url), identity(&dumped));
    assert_eq!(catalog(&dumped).version().unwrap().sequence, 1);
    assert_ne!(identity(&url), identity(&cluster().database()));
}

#[test]
fn processes_may_start_at_the_same_time_on_an_empty_database() {
    let url = cluster().database();
    thread::scope(|scope| {
        let starts: Vec<_> = (0..6).map(|_| scope.spawn(|| open(&url))).collect();
        starts.into_iter().for_each(|start| start.join().unwrap().check());
    });
}

#[test]
fn grants_are_dated_by_the_servers_clock() {
    let url = cluster().database();
    let ledger = PostgresLedger::open(&url, terms()).unwrap();
    let mut server = Client::connect(&url, NoTls).unwrap();
    let mut now = || -> i64 {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        server.query_one(sql, &[]).unwrap().get(0)
    };
    let mut ports = open(&url);
    conformance::set_up(&mut ports, 60_000);
    let earliest = now();
    let today = Timestamp(earliest);
    let request = conformance::request_at(today);
    let granted = litfass_store::ledger::BudgetAuthority::grant(&ledger, &[request]).unwrap()[0].result.unwrap();
    assert!((earliest..=now()).contains(&granted.at.0), "{granted:?}");
}

/// Names of columns by table.
type Columns = BTreeMap<String, Vec<String>>;

#[test]
fn both_databases_have_the_same_tables_and_columns() {
    let url = cluster().database();
    let mut ports = open(&url);
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("litfass.db");
    SqliteLedger::open(&path, terms(), Hand::new().clock()).unwrap();
    migrate::to_current(&path).unwrap();
    CatalogStore::open(&path).unwrap();
    Server::open(&url, String::new()).unwrap();
    let _worlds = [World::new(&mut [&mut ports])];
    let file = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
               WHERE m.type = 'table' ORDER BY m.name, c.name";
    let mut sqlite = Columns::new();
    let mut statement = file.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.for_each(|row| row.map(|(table, column)| sqlite.entry(table).or_default().push(column)).unwrap());
    let mut server = Client::connect(&url, NoTls).unwrap();
    let sql = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'
               AND table_name NOT LIKE 'ledger_key_2%' AND table_name NOT IN ('catalog_identity', 'catalog_migration') ORDER BY table_name, column_name COLLATE \"C\"";
    let mut found = Columns::new();
    for row in server.query(sql, &[]).unwrap() {
        found.entry(row.get(0)).or_default().push(row.get(1));
    }
    assert_eq!(found, sqlite);
}

#[test]
fn the_tables_themselves_refuse_to_spend_beyond_a_ceiling() {
    let url = cluster().database();
    open(&url);
    let mut server = Client::connect(&url, NoTls).unwrap();
    let mut control = |spent: &str, ceiling: &str| {
        server.batch_execute(&format!(
            "DELETE FROM ledger_control; INSERT INTO ledger_control VALUES (0, 1, 0, 0, 0,0, 0,0, 0,5, {spent}, {ceiling})"
        ))
    };
    assert!(control("1,0", "1,5").is_ok());
    assert!(control("0,999999999999999996", "1,1").is_ok(), "the carry counts");
    let refused = control("0,999999999999999996", "1,0").unwrap_err();
    let constraint = refused.as_db_error().and_then(|error| error.constraint());
    assert_eq!(constraint, Some("spent_and_leased_within_ceiling_and_restored"));
    assert!(control("-1,0", "0,0").is_err());
    assert!(control("0,1000000000000000000", "9,0").is_err(), "lo is below 10¹⁸");
    let posting =
        "INSERT INTO ledger_posting (kind, tenant, debit_kind, debit_owner, credit_kind, credit_owner, hi, lo,
                   events, restores_day) VALUES (1, 1, 3, 1, 0, 1, 0, 5, 1, 0)";
    server.batch_execute(posting).unwrap();
    for change in ["UPDATE ledger_posting SET lo = 6", "DELETE FROM ledger_posting", "TRUNCATE ledger_posting"] {
        assert!(server.batch_execute(change).is_err(), "postings are append-only: {change}");
    }
}

#[test]
fn damaged_or_tampered_tables_are_reported() {
    let url = cluster().database();
    let mut ports = open(&url);
    let _world = World::new(&mut [&mut ports]);
    let reader = PostgresLedgerReader::open(&url).unwrap();
    assert_eq!(verify(&reader).unwrap(), []);
    let mut server = Client::connect(&url, NoTls).unwrap();
    server.batch_execute("UPDATE ledger_funding SET credit_lo = credit_lo + 1").unwrap();
    assert!(!verify(&reader).unwrap().is_empty());
    server.batch_execute("UPDATE ledger_funding SET credit_hi = -1").unwrap();
    let damaged = reader.audit().unwrap_err().to_string();
    assert!(damaged.contains("damaged") && damaged.contains("(-1, "), "{damaged}");
}

#[test]
fn tables_of_a_later_version_are_left_alone() {
    let url = cluster().database();
    open(&url);
    Client::connect(&url, NoTls).unwrap().batch_execute("INSERT INTO ledger_migration VALUES (99)").unwrap();
    let error = PostgresLedger::open(&url, terms()).unwrap_err();
    assert!(matches!(error, LedgerError::NewerSchema { found: 99, .. }));
}

#[test]
fn a_promoted_standby_is_completed_from_the_log() {
    let primary = Cluster::start(&["fsync=off"]);
    let url = primary.database();
    let mut before = open(&url);
    conformance::set_up(&mut before, 60_000);
    before.bill(&conformance::impressions(0, 0, 3)).unwrap();
    let first = before.admin.standing().unwrap();
    let standby = primary.standby(Cluster::place());
    before.bill(&conformance::impressions(0, 3, 2)).unwrap();
    drop(primary);

    let mut after = open(&standby.promote());
    let lost = after.bill(&conformance::impressions(0, 3, 2));
    assert_eq!(lost, Err(Refused::CatchingUp(CatchUp::Promotion)));
    let Standing { timeline, .. } = after.admin.standing().unwrap();
    assert_eq!((timeline.cluster, timeline.number), (first.timeline.cluster, first.timeline.number + 1));
    let target = |(partition, next)| {
        let kind = if partition == ADMIN_PARTITION { PartitionKind::Admin } else { PartitionKind::Events };
        Target { partition, kind, next }
    };
    let targets = [(ADMIN_PARTITION, 2), (0, 5), (1, 0)].map(target);
    after.admin.promote(timeline, &targets).unwrap();
    assert_eq!(after.admin.standing().unwrap().waits, Some(CatchUp::Events));
    after.bill(&conformance::impressions(0, 3, 2)).unwrap();
    assert_eq!(after.admin.standing().unwrap().waits, None);
    after.check();
}
