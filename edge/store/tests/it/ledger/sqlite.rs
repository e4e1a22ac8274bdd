//! The suite on SQLite files, and what such a file has to survive.

use std::path::Path;

use litfass_ledger::{Batch, Commands, GrantRequest, Membership, Refused, Return, Settled, Swept, Target};
use litfass_store::ledger::{LedgerError, LedgerReader, SqliteLedger, SqliteLedgerReader, verify};
use litfass_types::{LeaseId, Timestamp};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rusqlite::Connection;
use tempfile::TempDir;

use super::conformance;
use super::driven::{Driven, InMemory};
use super::ids::terms;
use super::ports::{Hand, Ports};
use super::steps::{World, same, steps_with_failovers};

fn open(path: &Path) -> Ports {
    let hand = Hand::new();
    let ledger = || Box::new(SqliteLedger::open(path, terms(), hand.clock()).unwrap());
    let (authority, admin) = (ledger(), ledger());
    let file = path.to_owned();
    let fail_over = Box::new(move || SqliteLedger::begin_timeline(&file).unwrap());
    Ports { authority, admin, reader: Box::new(SqliteLedgerReader::open(path).unwrap()), hand, fail_over }
}

fn on_a_file(suite: impl FnOnce(conformance::Open<'_>)) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("litfass.db");
    suite(&|| open(&path));
}

conformance::suite!(on_a_file);

/// A ledger that is cut at every statement of every operation before the operation succeeds.
struct Cut {
    ports: Ports,
    file: Connection,
    cuts: usize,
}

impl Cut {
    fn new(path: &Path) -> Self {
        let ports = open(path);
        let file = Connection::open(path).unwrap();
        file.execute_batch("CREATE TABLE fault (countdown INTEGER); INSERT INTO fault VALUES (0)").unwrap();
        Self { ports, file, cuts: 0 }
    }

    /// Every write to a ledger table counts down; the one that reaches zero fails, as if the process died there.
    fn arm(&self) {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'ledger_%'";
        let tables: Vec<String> =
            self.file.prepare(tables).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for table in tables {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                let name = format!("cut_{table}_{event}");
                let body = "UPDATE fault SET countdown = countdown - 1; \
                            SELECT CASE WHEN (SELECT countdown FROM fault) = 0 THEN RAISE(ABORT, 'cut') END;";
                let sql = format!("CREATE TRIGGER IF NOT EXISTS {name} BEFORE {event} ON {table} BEGIN {body} END");
                self.file.execute_batch(&sql).unwrap();
            }
        }
    }

    fn survive<T>(&mut self, mut run: impl FnMut(&mut Ports) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        self.arm();
        let before = self.ports.kept();
        let positions = self.ports.reader.positions().unwrap();
        for countdown in 1.. {
            self.file.execute("UPDATE fault SET countdown = ?1", [countdown]).unwrap();
            match run(&mut self.ports) {
                Err(LedgerError::Database(error)) if error.to_string().contains("cut") => self.cuts += 1,
                done => {
                    self.file.execute("UPDATE fault SET countdown = 0", []).unwrap();
                    return done;
                }
            }
            assert_eq!(
                (self.ports.kept(), self.ports.reader.positions().unwrap()),
                (before.clone(), positions.clone())
            );
        }
        unreachable!("an operation writes a finite number of rows")
    }
}

impl Driven for Cut {
    fn grant(&mut self, requests: &[GrantRequest], now: Timestamp) -> Vec<litfass_ledger::GrantAnswer> {
        self.ports.grant(&[], now); // moves the clock
        self.survive(|ports| ports.authority.grant(requests)).unwrap()
    }

    fn bill(&mut self, batch: &Batch) -> Result<litfass_ledger::Billed, Refused> {
        self.survive(|ports| ports.authority.bill(batch)).map_err(super::ports::refused)
    }

    fn give_back(&mut self, returns: &[Return]) -> Settled {
        self.survive(|ports| ports.authority.give_back(returns)).unwrap()
    }

    fn sweep(&mut self) -> Swept {
        self.survive(|ports| ports.authority.sweep()).unwrap()
    }

    fn apply(&mut self, commands: &Commands) -> Result<litfass_ledger::Applied, Refused> {
        self.survive(|ports| ports.admin.apply(commands)).map_err(super::ports::refused)
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
fn an_operation_cut_at_any_statement_has_not_happened_and_can_be_repeated() {
    let mut runner = TestRunner::deterministic();
    let mut cuts = 0;
    for _ in 0..3 {
        let dir = TempDir::new().unwrap();
        let (mut memory, mut cut) = (InMemory::new(terms()), Cut::new(&dir.path().join("litfass.db")));
        let both: &mut [&mut dyn Driven] = &mut [&mut memory, &mut cut];
        let mut world = World::new(both);
        for step in steps_with_failovers(60).new_tree(&mut runner).unwrap().current() {
            world.step(&step, both);
        }
        world.drain(both);
        same(both, |ledger| ledger.kept());
        cut.check();
        cuts += cut.cuts;
    }
    assert!(cuts > 200, "only {cuts} statements were cut");
}

#[test]
fn the_file_itself_refuses_to_spend_beyond_a_ceiling() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("litfass.db");
    open(&path);
    let file = Connection::open(&path).unwrap();
    let control = |spent: &str, ceiling: &str| {
        let sql = format!("REPLACE INTO ledger_control VALUES (0, 1, 0, 0, 0,0, 0,0, 0,5, {spent}, {ceiling})");
        file.execute(&sql, [])
    };
    assert!(control("1,0", "1,5").is_ok());
    assert!(control("0,999999999999999996", "1,1").is_ok(), "the carry counts");
    let refused = control("0,999999999999999996", "1,0").unwrap_err().to_string();
    assert!(refused.contains("spent_and_leased_within_ceiling_and_restored"), "{refused}");
    assert!(control("-1,0", "0,0").is_err());
    assert!(control("0,1000000000000000000", "9,0").is_err(), "lo is below 10¹⁸");
    file.execute(
        "INSERT INTO ledger_posting VALUES (1, 1, 0, 0, NULL, 1, 3, 1, 0, 1, 0, 5, 1, NULL, NULL, NULL, NULL, 0)",
        [],
    )
    .unwrap();
    assert!(file.execute("UPDATE ledger_posting SET lo = 6", []).is_err(), "postings are append-only");
    assert!(file.execute("DELETE FROM ledger_posting", []).is_err());
}

#[test]
fn a_damaged_or_tampered_file_is_reported() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("litfass.db");
    let mut ports = open(&path);
    let _world = World::new(&mut [&mut ports]);
    let reader = SqliteLedgerReader::open(&path).unwrap();
    assert_eq!(verify(&reader).unwrap(), []);
    let file = Connection::open(&path).unwrap();
    file.execute("UPDATE ledger_funding SET credit_lo = credit_lo + 1", []).unwrap();
    assert!(!verify(&reader).unwrap().is_empty());
    file.execute("UPDATE ledger_funding SET credit_hi = -1", []).unwrap();
    let damaged = reader.audit().unwrap_err().to_string();
    assert!(damaged.contains("damaged") && damaged.contains("(-1, "), "{damaged}");
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("litfass.db");
    open(&path);
    Connection::open(&path).unwrap().execute("INSERT INTO ledger_migration VALUES (99)", []).unwrap();
    let error = SqliteLedger::open(&path, terms(), Hand::new().clock()).unwrap_err();
    assert!(matches!(error, LedgerError::NewerSchema { found: 99, .. }));
}

#[test]
fn what_was_refunded_before_it_was_counted_is_added_up_from_the_postings() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("litfass.db");
    open(&path);
    let file = Connection::open(&path).unwrap();
    // The tables as version 4 had them, with refunds whose small halves alone pass 64 bits.
    let back = "ALTER TABLE ledger_tally DROP COLUMN refunded_events; ALTER TABLE ledger_tally DROP COLUMN refunded_hi;
        ALTER TABLE ledger_tally DROP COLUMN refunded_lo; ALTER TABLE ledger_partition DROP COLUMN redo;
        ALTER TABLE ledger_state DROP COLUMN cluster; ALTER TABLE ledger_state DROP COLUMN timeline;
        ALTER TABLE ledger_state DROP COLUMN raised; DELETE FROM ledger_migration WHERE version > 4;
        INSERT INTO ledger_tally VALUES (1, 2, 3, 4, 20, 30, 5, 0, 0, 0, 0, 0, 0);";
    file.execute_batch(back).unwrap();
    for _ in 0..20 {
        let posting = "INSERT INTO ledger_posting (kind, tenant, debit_kind, debit_owner, credit_kind, credit_owner, hi, lo, events,
            account, campaign, line_item, day, restores_day) VALUES (2, 1, 2, 1, 0, 1, 1, 999999999999999999, 1, 1, 2, 3, 4, 0)";
        file.execute(posting, []).unwrap();
    }
    open(&path);
    let row =
        file.query_row("SELECT billed_hi, refunded_events, refunded_hi, refunded_lo FROM ledger_tally", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
        });
    // 20 times 2·10¹⁸ − 1.
    assert_eq!(row.unwrap(), (30, 20, 39, 999_999_999_999_999_980));
}
