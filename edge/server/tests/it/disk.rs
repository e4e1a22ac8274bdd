//! The disk: full, read-only, and a log that is not kept for ever.
//!
//! Small mounts need root; `cargo xtask test` leaves those tests out, by name, where a user may not mount, and fails in CI.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use litfass_sim::Response;
use serde_json::json;

use crate::books::Logged;
use crate::caller::{Ad, Caller, page};
use crate::catalogs::{FLOOR_MICROS, HOME, Seller, catalog};
use crate::kill::{come_to_rest, ledger_and_log_agree};
use crate::process::{Home, wait_for};

/// A file system of its own under a home's data directory; gone when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(folder: &Path, options: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).status();
        assert!(mounted.unwrap().success(), "mounting a file system needs root");
        Self(folder.to_owned())
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = File::create(&path).unwrap();
        for piece in [64 << 10, 4 << 10, 1] {
            while file.write(&vec![0; piece]).is_ok_and(|written| written == piece) {}
        }
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().unwrap();
    }
}

fn report(caller: &mut Caller, ad: &Ad) -> Response {
    caller.send("POST", &ad.impression, "")
}

fn readiness(caller: &mut Caller, status: u16) -> Response {
    wait_for("the readiness", || Some(caller.get("/readyz")).filter(|answer| answer.status == status))
}

#[test]
fn on_a_small_mount_that_is_full_it_is_not_ready_loses_nothing_acknowledged_and_goes_on_when_there_is_room() {
    let home = Home::new();
    let mount = Mount::new(&home.data(), "size=16m");
    home.configure("[server]\ndisk_free_min = 0\n");
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let mut caller = server.caller();
    // More events than fit into what is left of the partitions' last pages when the disk is full.
    let shown: Vec<Ad> = (0..200).map(|n| caller.decide_filled(&page(HOME, 1, &format!("u{n}"))).remove(0)).collect();
    let mut acknowledged = Vec::new();
    let mut tell = |caller: &mut Caller, ad: &Ad| {
        let answer = report(caller, ad);
        if answer.status == 204 {
            acknowledged.push(ad.clone());
        }
        answer.status
    };
    assert_eq!(tell(&mut caller, &shown[0]), 204);
    let ballast = mount.fill();
    let refused = wait_for("an event to be refused", || {
        shown.iter().skip(1).find(|ad| tell(&mut caller, ad) == 503).map(|ad| ad.impression.clone())
    });
    let problem = readiness(&mut caller, 503).json();
    assert!(problem["detail"].as_str().unwrap().contains("log"), "{problem}");
    assert_eq!(caller.get("/healthz").status, 200);
    fs::remove_file(ballast).unwrap();
    readiness(&mut caller, 200);
    assert_eq!(caller.send("POST", &refused, "").status, 204, "what was refused is taken now");
    server.kill();
    let logged = Logged::read(&home.data());
    for ad in &acknowledged {
        let kept = logged
            .deliveries
            .keys()
            .any(|(decision, slot, _)| decision.to_string() == ad.decision && usize::from(*slot) == ad.index);
        assert!(kept, "acknowledged and lost: {ad:?}");
    }
    come_to_rest(&home);
    ledger_and_log_agree(&home, &logged);
}

#[test]
fn on_a_small_mount_that_is_read_only_it_says_so_and_does_not_start() {
    let home = Home::new();
    let mount = Mount::new(&home.data(), "size=16m");
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    mount.remount("ro");
    let said = home.refuses_to_serve();
    assert!(said.contains("cannot write to") && said.contains("Read-only"), "{said}");
}

#[test]
fn a_log_that_is_too_large_gets_shorter_where_nobody_needs_it_and_the_money_stays_right() {
    let home = Home::new();
    home.configure("[log]\nsegment_bytes = 4096\nretention_bytes = 20000\nretention_interval = \"100ms\"\n");
    home.load(&catalog(&[Seller { bid_micros: FLOOR_MICROS, ..Seller::by_the_mille(1) }]));
    let server = home.serve();
    let mut caller = server.caller();
    let first = caller.decide_filled(&page(HOME, 1, "first")).remove(0);
    caller.explanation(&first.decision);
    let mut reported = 0;
    let retired = |caller: &mut Caller| caller.metrics()["litfass_log_retired_bytes_total"];
    wait_for("the log to get shorter", || {
        let ad = caller.decide_filled(&page(HOME, 1, &format!("user {reported}"))).remove(0);
        assert_eq!(report(&mut caller, &ad).status, 204);
        reported += 1;
        (retired(&mut caller) > 100_000.0).then_some(())
    });
    assert_eq!(caller.get(&format!("/v1/decisions/{}", first.decision)).status, 404, "it is no longer kept");
    let spent = json!((reported * FLOOR_MICROS).to_string());
    let settled = |caller: &mut Caller| {
        wait_for("the charges", || (caller.get("/v1/accounts/11").json()["spent_nanos"] == spent).then_some(()));
    };
    settled(&mut caller);
    server.kill();
    for command in ["replay", "why-not"] {
        let line_item: &[&str] = if command == "why-not" { &["1001"] } else { &[] };
        let (status, said) = home.command(&[&[command], line_item].concat());
        assert!(status.success(), "{command}: {said}");
    }
    let (status, said) = home.command(&["ledger", "verify", "--log"]);
    assert!(status.success() && said.contains("begins at entry"), "{said}");
    let server = home.serve();
    let mut caller = server.caller();
    settled(&mut caller);
    let ad = caller.decide_filled(&page(HOME, 1, "after")).remove(0);
    caller.explanation(&ad.decision);
}
