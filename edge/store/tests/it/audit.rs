//! The audit log's chain: whoever changes what was written is noticed.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use litfass_store::audit::{AuditLog, Entry, Filter, Head, Tampered};
use litfass_types::{Position, TenantId, Timestamp};

use crate::own::{Own, on_every_database};

struct Log<'a> {
    home: &'a Own,
    audit: AuditLog,
}

on_every_database! {
    an_honest_log_leads_up_to_every_head_it_ever_had,
    every_change_of_a_row_is_noticed,
    a_log_that_lost_its_end_or_was_written_anew_is_noticed_by_a_head_kept_elsewhere,
    commands_that_are_followed_twice_have_one_row,
    rows_are_found_by_everything_that_is_stated,
    writers_at_once_make_one_chain,
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

/// What was honest, to be put back after a forgery.
const KEPT: &str = "DROP TABLE IF EXISTS kept_rows; DROP TABLE IF EXISTS kept_links;
    CREATE TABLE kept_rows AS SELECT * FROM audit; CREATE TABLE kept_links AS SELECT * FROM audit_chain;";
const RESTORED: &str = "DELETE FROM audit; DELETE FROM audit_chain;
    INSERT INTO audit SELECT * FROM kept_rows; INSERT INTO audit_chain SELECT * FROM kept_links;";

impl<'a> Log<'a> {
    /// Five rows.
    fn new(home: &'a Own) -> Self {
        let audit = home.audit();
        (1..=5).for_each(|n| audit.write(&entry(n)).unwrap());
        Self { home, audit }
    }

    fn head(&self) -> Head {
        self.audit.head().unwrap().unwrap()
    }

    fn tampered(&self, expected: Option<Head>) -> Option<Tampered> {
        self.audit.check(expected).unwrap().1
    }
}

fn an_honest_log_leads_up_to_every_head_it_ever_had(home: &Own) {
    let log = Log::new(home);
    let earlier = log.head();
    log.audit.write(&entry(6)).unwrap();
    assert_eq!(log.audit.check(Some(earlier)).unwrap(), (6, None));
    assert_eq!(earlier.to_string().parse(), Ok(earlier));
    assert!("5:beef".parse::<Head>().is_err());
}

fn every_change_of_a_row_is_noticed(home: &Own) {
    let cases = [
        ("UPDATE audit SET object = '77' WHERE id = 3", Tampered::Altered { id: 3 }),
        ("UPDATE audit SET time_ms = time_ms + 1 WHERE id = 5", Tampered::Altered { id: 5 }),
        (
            "UPDATE audit_chain SET link = (SELECT link FROM audit_chain WHERE id = 1) WHERE id = 2",
            Tampered::Altered { id: 2 },
        ),
        ("DELETE FROM audit WHERE id = 2", Tampered::Removed { id: 2 }),
        ("DELETE FROM audit WHERE id = 2; DELETE FROM audit_chain WHERE id = 2", Tampered::Altered { id: 3 }),
        (
            "INSERT INTO audit VALUES (9, 1, 'x', 'deposit', NULL, 'account', '1', NULL, NULL)",
            Tampered::Inserted { id: 9 },
        ),
    ];
    let log = Log::new(home);
    for (sql, expected) in cases {
        log.home.forge(&format!("{KEPT}{sql}"));
        assert_eq!(log.tampered(None), Some(expected), "{sql}");
        log.home.forge(RESTORED);
        assert_eq!(log.tampered(None), None);
    }
}

fn a_log_that_lost_its_end_or_was_written_anew_is_noticed_by_a_head_kept_elsewhere(home: &Own) {
    let log = Log::new(home);
    let head = log.head();
    log.home.forge("DELETE FROM audit WHERE id > 3; DELETE FROM audit_chain WHERE id > 3;");
    assert_eq!(log.tampered(None), None, "what is left is whole in itself");
    assert_eq!(log.tampered(Some(head)), Some(Tampered::Truncated { found: 3, expected: head }));
    log.audit.write(&entry(40)).unwrap();
    log.audit.write(&entry(50)).unwrap();
    assert_eq!(log.tampered(Some(head)), Some(Tampered::Rewritten { expected: head }));
}

fn commands_that_are_followed_twice_have_one_row(home: &Own) {
    let log = Log::new(home);
    let from = log.audit.followed(7).unwrap();
    assert_eq!(from, Position { partition: 7, offset: 0 });
    log.audit.follow(from, 4, &[entry(6)]).unwrap();
    log.audit.follow(from, 4, &[entry(6)]).unwrap();
    assert_eq!(log.head().id, 6);
    assert_eq!(log.audit.followed(7).unwrap().offset, 4);
}

fn rows_are_found_by_everything_that_is_stated(home: &Own) {
    let audit = home.audit();
    let tenant = Some(TenantId(7));
    audit.write(&Entry { tenant, before: Some(serde_json::json!({ "name": "\0 and 'quotes'" })), ..entry(1) }).unwrap();
    audit.write(&Entry { who: "key 2".to_owned(), ..entry(2) }).unwrap();
    audit.write(&Entry { action: "refund".to_owned(), kind: "order".to_owned(), ..entry(3) }).unwrap();
    let found = |filter: Filter| audit.list(&filter, 10).unwrap().iter().map(|row| row.id).collect::<Vec<_>>();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(Filter::default()), [3, 2, 1]);
    assert_eq!(found(Filter { tenant, ..Filter::default() }), [1]);
    assert_eq!(found(Filter { who: text("key 1"), ..Filter::default() }), [3, 1]);
    assert_eq!(
        found(Filter { kind: text("order"), action: text("refund"), object: text("3"), ..Filter::default() }),
        [3]
    );
    let (from, to) = (Some(Timestamp(1)), Some(Timestamp(3)));
    assert_eq!(found(Filter { from, to, below: Some(2), ..Filter::default() }), [1]);
    assert_eq!(audit.list(&Filter::default(), 1).unwrap().len(), 1);
    let first = audit.list(&Filter { tenant, ..Filter::default() }, 1).unwrap().remove(0);
    assert_eq!(first.entry.before.unwrap()["name"], "\0 and 'quotes'");
}

fn writers_at_once_make_one_chain(home: &Own) {
    std::thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                let audit = home.audit();
                (0..10).for_each(|n| audit.write(&entry(writer * 100 + n)).unwrap());
            });
        }
    });
    assert_eq!(home.audit().check(None).unwrap(), (40, None));
}
