//! The audit log's chain: whoever changes what was written is noticed.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use litfass_store::audit::{AuditLog, Entry, Head, Tampered};
use litfass_store::migrate;
use litfass_types::{Position, Timestamp};
use rusqlite::Connection;
use tempfile::TempDir;

struct Log {
    folder: TempDir,
    audit: AuditLog,
}

fn entry(n: i64) -> Entry {
    Entry {
        time: Timestamp(n),
        who: "key 1".to_owned(),
        action: "deposit".to_owned(),
        tenant: None,
        kind: "account".to_owned(),
        object: n.to_string(),
        before: None,
        after: Some(serde_json::json!({ "nanos": n.to_string() })),
    }
}

impl Log {
    /// Five rows.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("litfass.db");
        migrate::to_current(&database).unwrap();
        let audit = AuditLog::open(&database).unwrap();
        (1..=5).for_each(|n| audit.write(&entry(n)).unwrap());
        Self { folder, audit }
    }

    fn head(&self) -> Head {
        self.audit.head().unwrap().unwrap()
    }

    /// As somebody does who has the file and no scruples.
    fn forge(&self, sql: &str) {
        let connection = Connection::open(self.folder.path().join("litfass.db")).unwrap();
        let guards = "DROP TRIGGER audit_stays; DROP TRIGGER audit_remains;
                      DROP TRIGGER audit_chain_stays; DROP TRIGGER audit_chain_remains;";
        connection.execute_batch(&format!("{guards}{sql}")).unwrap();
    }

    fn tampered(&self, expected: Option<Head>) -> Option<Tampered> {
        self.audit.check(expected).unwrap().1
    }
}

#[test]
fn an_honest_log_leads_up_to_every_head_it_ever_had() {
    let log = Log::new();
    let earlier = log.head();
    log.audit.write(&entry(6)).unwrap();
    assert_eq!(log.audit.check(Some(earlier)).unwrap(), (6, None));
    assert_eq!(earlier.to_string().parse(), Ok(earlier));
    assert!("5:beef".parse::<Head>().is_err());
}

#[test]
fn every_change_of_a_row_is_noticed() {
    let cases = [
        ("UPDATE audit SET object = '77' WHERE id = 3", Tampered::Altered { id: 3 }),
        ("UPDATE audit SET time_ms = time_ms + 1 WHERE id = 5", Tampered::Altered { id: 5 }),
        ("UPDATE audit_chain SET link = zeroblob(32) WHERE id = 2", Tampered::Altered { id: 2 }),
        ("DELETE FROM audit WHERE id = 2", Tampered::Removed { id: 2 }),
        ("DELETE FROM audit WHERE id = 2; DELETE FROM audit_chain WHERE id = 2", Tampered::Altered { id: 3 }),
        (
            "INSERT INTO audit VALUES (9, 1, 'x', 'deposit', NULL, 'account', '1', NULL, NULL)",
            Tampered::Inserted { id: 9 },
        ),
    ];
    for (sql, expected) in cases {
        let log = Log::new();
        log.forge(sql);
        assert_eq!(log.tampered(None), Some(expected), "{sql}");
    }
}

#[test]
fn a_log_that_lost_its_end_or_was_written_anew_is_noticed_by_a_head_kept_elsewhere() {
    let log = Log::new();
    let head = log.head();
    log.forge("DELETE FROM audit WHERE id > 3; DELETE FROM audit_chain WHERE id > 3;");
    assert_eq!(log.tampered(None), None, "what is left is whole in itself");
    assert_eq!(log.tampered(Some(head)), Some(Tampered::Truncated { found: 3, expected: head }));
    log.audit.write(&entry(40)).unwrap();
    log.audit.write(&entry(50)).unwrap();
    assert_eq!(log.tampered(Some(head)), Some(Tampered::Rewritten { expected: head }));
}

#[test]
fn commands_that_are_followed_twice_have_one_row() {
    let log = Log::new();
    let from = log.audit.followed(7).unwrap();
    assert_eq!(from, Position { partition: 7, offset: 0 });
    log.audit.follow(from, 4, &[entry(6)]).unwrap();
    log.audit.follow(from, 4, &[entry(6)]).unwrap();
    assert_eq!(log.head().id, 6);
    assert_eq!(log.audit.followed(7).unwrap().offset, 4);
}
