//! The seam's promises, on the machine's disk and on the simulated one; and that the simulated one takes back what it may.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use std::path::Path;

use litfass_store::storage::{Disk, Open, SimDisk, Storage, SyncSite, ensure_dir, read_whole, write_atomic};
use litfass_types::Seed;

fn behaves(storage: &dyn Storage, dir: &Path) {
    ensure_dir(storage, dir).unwrap();
    ensure_dir(storage, dir).unwrap();
    let (a, b) = (dir.join("a"), dir.join("b"));
    assert!(storage.open(&a, Open::Read).unwrap_err().is_not_found());
    assert_eq!(read_whole(storage, &a).unwrap(), None);

    let file = storage.open(&a, Open::Create).unwrap();
    file.write_at(3, b"def").unwrap();
    file.write_at(0, b"abc").unwrap();
    file.write_at(5, b"Fgh").unwrap();
    file.set_len(7).unwrap();
    file.sync(SyncSite::WholeFile).unwrap();
    let mut buffer = [0; 10];
    assert_eq!((file.length().unwrap(), file.read_at(1, &mut buffer).unwrap()), (7, 6));
    assert_eq!(&buffer[..6], b"bcdeFg");

    write_atomic(storage, &b, b"old").unwrap();
    write_atomic(storage, &b, b"new").unwrap();
    assert_eq!(read_whole(storage, &b).unwrap().unwrap(), b"new");
    assert_eq!(storage.list(dir).unwrap(), ["a", "b"]);
    storage.rename(&a, &b).unwrap();
    assert_eq!(read_whole(storage, &b).unwrap().unwrap(), b"abcdeFg");
    storage.remove(&b).unwrap();
    assert_eq!(storage.list(dir).unwrap(), [""; 0]);

    let lock = storage.lock(&dir.join("lock")).unwrap();
    assert!(storage.lock(&dir.join("lock")).unwrap_err().is_locked());
    drop(lock);
    drop(storage.lock(&dir.join("lock")).unwrap());
}

#[test]
fn the_machines_disk_behaves() {
    let dir = tempfile::tempdir().unwrap();
    behaves(&Disk, &dir.path().join("data"));
}

#[test]
fn the_simulated_disk_behaves_alike() {
    behaves(&SimDisk::new(), Path::new("/data"));
}

#[test]
fn an_error_names_the_path_and_what_was_wanted_of_it() {
    let error = Disk.list(Path::new("/no/such/place")).unwrap_err().to_string();
    assert!(error.starts_with("cannot list /no/such/place: "), "{error}");
}

/// What may be in `/f` after the power went.
fn after_power_loss(work: impl Fn(&SimDisk)) -> Vec<Option<Vec<u8>>> {
    let disk = SimDisk::new();
    work(&disk);
    let seeds = (0..400).map(|seed| disk.after_power_loss(Seed(seed)));
    let mut found: Vec<_> = seeds.map(|disk| read_whole(&disk, Path::new("/f")).unwrap()).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn a_name_or_a_byte_that_was_not_synced_may_be_gone_and_one_that_was_is_not() {
    let file = Path::new("/f");
    let named = after_power_loss(|disk| {
        disk.open(file, Open::Create).unwrap().write_at(0, b"ab").unwrap();
        disk.sync_dir(Path::new("/"), SyncSite::WholeFileName).unwrap();
    });
    assert_eq!(
        named,
        [Some(b"".to_vec()), Some(b"\0".to_vec()), Some(b"\0\0".to_vec()), Some(b"a".to_vec()), Some(b"ab".to_vec())]
    );

    let filled = after_power_loss(|disk| {
        let file = disk.open(file, Open::Create).unwrap();
        file.write_at(0, b"ab").unwrap();
        file.sync(SyncSite::WholeFile).unwrap();
    });
    assert_eq!(filled, [None, Some(b"ab".to_vec())]);

    let whole = after_power_loss(|disk| {
        write_atomic(disk, file, b"old").unwrap();
        write_atomic(disk, file, b"new").unwrap();
    });
    assert_eq!(whole, [Some(b"new".to_vec())]);
}

#[test]
fn a_sector_can_arrive_before_the_one_in_front_of_it() {
    let found = after_power_loss(|disk| {
        disk.open(Path::new("/f"), Open::Create).unwrap().write_at(0, &[1; 1_024]).unwrap();
        disk.sync_dir(Path::new("/"), SyncSite::WholeFileName).unwrap();
    });
    let holed = |bytes: &Vec<u8>| bytes.len() == 1_024 && bytes[0] == 0 && bytes[1_023] == 1;
    assert!(found.iter().flatten().any(holed));
}

#[test]
fn after_a_kill_everything_written_is_there_and_old_handles_do_nothing() {
    let disk = SimDisk::new();
    let file = disk.open(Path::new("/f"), Open::Create).unwrap();
    file.write_at(0, b"ab").unwrap();
    let next = disk.after_kill();
    assert!(file.write_at(0, b"xy").is_err() && disk.list(Path::new("/")).is_err());
    assert_eq!(read_whole(&next, Path::new("/f")).unwrap().unwrap(), b"ab");
}

#[test]
fn the_operation_at_which_a_process_ends_is_done_in_part_or_not_and_no_later_one_is() {
    let lengths: std::collections::BTreeSet<usize> = (0..40)
        .map(|seed| {
            let disk = SimDisk::new();
            disk.end_at(2, Seed(seed));
            let file = disk.open(Path::new("/f"), Open::Create).unwrap();
            file.write_at(0, b"a").unwrap();
            assert!(file.write_at(1, b"bcd").is_err() && file.sync(SyncSite::Commit).is_err() && !disk.is_alive());
            read_whole(&disk.after_kill(), Path::new("/f")).unwrap().unwrap().len()
        })
        .collect();
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
}
