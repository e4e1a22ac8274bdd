//! Who reads which partitions.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use litfass_store::log::Share;
use litfass_store::log::kafka::Group;

use super::Topics;

fn until(members: &mut [&mut Group], is_so: impl Fn(&[BTreeSet<u16>]) -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let mine: Vec<_> = members.iter_mut().map(|member| member.look(&[0, 1, 2, 3, 256]).unwrap()).collect();
        if is_so(&mine) {
            return;
        }
        assert!(Instant::now() < patience, "{mine:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn members_of_a_group_share_the_partitions_and_who_stays_takes_over() {
    let topics = Topics::new();
    let all = BTreeSet::from([0, 1, 2, 3]);
    drop(topics.open(&[("server", 4), ("admin", 1)]));
    let join = || Group::join(&topics.options(&[]), "server", "billing").unwrap();
    let mut first = join();
    until(&mut [&mut first], |mine| mine[0] == all);
    let mut second = join();
    let is_shared = |mine: &[BTreeSet<u16>]| {
        mine[0].len() == 2 && mine[1].len() == 2 && mine[0].union(&mine[1]).copied().collect::<BTreeSet<_>>() == all
    };
    until(&mut [&mut first, &mut second], is_shared);
    drop(first);
    until(&mut [&mut second], |mine| mine[0] == all);
    let mut admin = Group::join(&topics.options(&[]), "admin", "billing-admin").unwrap();
    until(&mut [&mut admin], |mine| mine[0] == BTreeSet::from([256]));
    assert!(Group::join(&topics.options(&[]), "nobody", "billing").is_err());
}
