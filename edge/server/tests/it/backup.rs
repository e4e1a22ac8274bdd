//! Backup while serving, and what a restored directory is worth.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use litfass_types::Seed;

use crate::books::Logged;
use crate::caller::page;
use crate::catalogs::{HOME, Seller, catalog};
use crate::kill::{Promises, come_to_rest, ledger_and_log_agree, load, nothing_promised_is_lost, rand_seed, sellers};
use crate::process::{Home, wait_for};

fn backup(home: &Home, to: &Path) -> (bool, String) {
    let (status, said) = home.command(&["backup", "--to", to.to_str().unwrap()]);
    (status.success(), said)
}

fn restore(home: &Home, from: &Path) -> (bool, String) {
    let (status, said) = home.command(&["restore", "--from", from.to_str().unwrap()]);
    (status.success(), said)
}

#[test]
fn a_backup_under_load_restores_to_books_that_agree_with_their_log() {
    let seed = Seed(rand_seed());
    println!("LITFASS_SEED={}", seed.0);
    let (home, promises) = (Home::new(), Promises::default());
    home.load(&catalog(&sellers()));
    let server = home.serve();
    let to = home.data().with_file_name("backup");
    let promised = std::thread::scope(|scope| {
        for caller in 0..3 {
            let (promises, address) = (&promises, server.address);
            scope.spawn(move || load(address, seed.derive(caller), promises));
        }
        let answers = || promises.answers.load(Ordering::Relaxed);
        wait_for("answers under load", || (answers() >= 400).then_some(()));
        let promised = promises.list.lock().unwrap().clone();
        let (done, said) = backup(&home, &to);
        assert!(done, "{said}");
        let then = answers();
        wait_for("the load to go on", || (answers() > then).then_some(()));
        server.kill();
        promised
    });
    let restored = Home::new();
    let (done, said) = restore(&restored, &to);
    assert!(done, "{said}");
    let logged = Logged::read(&restored.data());
    nothing_promised_is_lost(&promised, &logged);
    come_to_rest(&restored);
    ledger_and_log_agree(&restored, &logged);
    let server = restored.serve();
    server.caller().decide_filled(&page(HOME, 5, "after"));
}

#[test]
fn a_backup_that_was_changed_or_not_finished_is_refused_and_so_is_a_folder_in_use() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    home.serve().stop();
    let to = home.data().with_file_name("backup");
    assert!(backup(&home, &to).0);
    let (done, said) = backup(&home, &to);
    assert!(!done && said.contains("is not empty"), "{said}");
    let (done, said) = restore(&home, &to);
    assert!(!done && said.contains("is not empty"), "{said}");
    let database = to.join("litfass.db");
    let mut bytes = fs::read(&database).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&database, bytes).unwrap();
    let other = Home::new();
    let (done, said) = restore(&other, &to);
    assert!(!done && said.contains("is not as it was"), "{said}");
    let said = other.refuses_to_serve();
    assert!(said.contains("a restore into it was not finished"), "{said}");
    fs::remove_file(to.join("backup.json")).unwrap();
    let (done, said) = restore(&Home::new(), &to);
    assert!(!done && said.contains("is no backup"), "{said}");
}
