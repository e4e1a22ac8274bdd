//! What the outside learns of a failure, and what others on the machine can see.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::caller::page;
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::Home;

#[test]
fn a_failure_of_the_server_tells_its_caller_an_id_and_its_log_the_rest() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let mut caller = server.caller();
    let database = rusqlite::Connection::open(home.data().join("litfass.db")).unwrap();
    database.execute_batch("ALTER TABLE ledger_control RENAME TO elsewhere").unwrap();
    for path in ["/v1/accounts/11", "/v1/accounts/11/statement?month=2026-11", "/accounts", "/campaigns"] {
        let answer = caller.get(path);
        assert_eq!(answer.status, 500, "{path}");
        let told = String::from_utf8(answer.body).unwrap();
        assert!(!told.contains("ledger_control") && !told.contains("litfass.db"), "{path}: {told}");
        let (_, id) = told.split_once("id=").unwrap();
        let id = id.get(..16).unwrap();
        let log = home.process_log();
        let line = log.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id} is not in the log"));
        assert!(line.contains("ledger_control"), "{line}");
    }
    database.execute_batch("ALTER TABLE elsewhere RENAME TO ledger_control").unwrap();
    assert_eq!(caller.get("/v1/accounts/11").status, 200);
}

#[test]
fn only_its_owner_may_enter_a_data_directory_or_a_backup() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    server.caller().decide_filled(&page(HOME, 1, "u"));
    let copy = home.data().with_file_name("copy");
    let (status, said) = home.command(&["backup", "--to", copy.to_str().unwrap()]);
    assert!(status.success(), "{said}");
    let back = home.data().with_file_name("back");
    let (status, said) = home.say(&["restore", "--from", copy.to_str().unwrap(), "--data-dir", back.to_str().unwrap()]);
    assert!(status.success(), "{said}");
    for folder in [home.data(), copy, back] {
        let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}: {mode:o}", folder.display());
    }
}
