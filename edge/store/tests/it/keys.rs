//! API keys and sessions at rest, and what other processes see of their changes.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use litfass_store::audit::Filter;
use litfass_store::keys::{KeyId, NewKey, Role, Scope, SessionRow};
use litfass_types::{AdvertiserId, Duration, TenantId, Timestamp};

use crate::own::{Own, on_every_database};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

on_every_database! {
    a_key_is_kept_with_all_that_it_is,
    a_revoked_key_stays_revoked_and_takes_its_sessions_along,
    sessions_make_room_for_newer_ones,
    keys_made_at_once_have_numbers_of_their_own,
    a_key_is_never_deleted,
}

fn new_key(n: u8) -> NewKey {
    let (role, scope) = (Role::Serving, Scope::Platform);
    NewKey { hash: [n; 32], role, scope, name: format!("key {n}"), expires: None, rate: None }
}

fn a_key_is_kept_with_all_that_it_is(home: &Own) {
    let (mut here, elsewhere) = (home.keys(), home.keys());
    let before = elsewhere.version().unwrap();
    let scope = Scope::Advertiser(TenantId(3), AdvertiserId(u64::MAX >> 11));
    let wanted = NewKey { scope, role: Role::Reporting, expires: Some(NOW), rate: Some(u32::MAX), ..new_key(1) };
    let made = [here.create(&wanted, "key 1", NOW).unwrap(), here.create(&new_key(2), "test", NOW).unwrap()];
    assert_eq!((made[0].scope, made[0].expires, made[0].rate), (scope, Some(NOW), Some(u32::MAX)));
    assert_eq!(elsewhere.all().unwrap(), made);
    assert!(elsewhere.version().unwrap() > before, "others notice");
    here.create(&new_key(2), "test", NOW).unwrap_err();
    let told = home.audit().list(&Filter::default(), 10).unwrap();
    let told: Vec<_> = told.iter().map(|row| (&*row.entry.who, &*row.entry.action, &*row.entry.object)).collect();
    assert_eq!(told, [("test", "create", "2"), ("key 1", "create", "1")]);
}

fn a_revoked_key_stays_revoked_and_takes_its_sessions_along(home: &Own) {
    let mut keys = home.keys();
    let key = keys.create(&new_key(1), "test", NOW).unwrap().id;
    let session = |n: u8| SessionRow { hash: [n; 32], key, expires: NOW + Duration::hours(1) };
    keys.begin_session(&session(7), NOW).unwrap();
    keys.begin_session(&session(8), NOW).unwrap();
    keys.end_session(&session(7).hash).unwrap();
    assert_eq!(home.keys().sessions().unwrap(), [session(8)]);
    let revoked = keys.revoke(key, "test", NOW).unwrap().unwrap();
    assert_eq!(revoked.revoked, Some(NOW));
    assert_eq!(keys.revoke(key, "test", NOW + Duration::hours(1)).unwrap(), Some(revoked));
    assert_eq!(keys.revoke(KeyId(99), "test", NOW).unwrap(), None);
    assert_eq!(home.keys().sessions().unwrap(), []);
}

fn sessions_make_room_for_newer_ones(home: &Own) {
    let mut keys = home.keys();
    let key = keys.create(&new_key(1), "test", NOW).unwrap().id;
    for n in 0..25 {
        let now = NOW + Duration::seconds(n.into());
        keys.begin_session(&SessionRow { hash: [n; 32], key, expires: now + Duration::hours(1) }, now).unwrap();
    }
    let mut left: Vec<u8> = keys.sessions().unwrap().iter().map(|session| session.hash[0]).collect();
    left.sort_unstable();
    assert_eq!(left, (5..25).collect::<Vec<_>>());
}

fn keys_made_at_once_have_numbers_of_their_own(home: &Own) {
    std::thread::scope(|scope| {
        for n in 0..4 {
            scope.spawn(move || home.keys().create(&new_key(n), "test", NOW).unwrap());
        }
    });
    let ids: Vec<u64> = home.keys().all().unwrap().iter().map(|key| key.id.0).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    assert_eq!(home.audit().check(None).unwrap(), (4, None));
}

fn a_key_is_never_deleted(home: &Own) {
    home.keys().create(&new_key(1), "test", NOW).unwrap();
    home.script("DELETE FROM access_key").unwrap_err();
}
