//! Three processes that decide keep one viewer's cap together, on a real Redis server that is flushed and killed under them.

use serde_json::json;

use crate::caller::{Ad, Caller, ads, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, Litfass, wait_for};
use crate::redis_server::Redis;

const CAP: usize = 3;
const DECIDE: [&str; 3] = ["decide_1", "decide_2", "decide_3"];

struct Site {
    redis: Redis,
    deciding: Vec<Litfass>,
    events: Litfass,
    _admin: Litfass,
    _home: Home,
}

impl Site {
    fn open(policy: &str) -> Self {
        let (home, redis) = (Home::new(), Redis::start());
        let url = redis.url();
        home.configure(&format!(
            "[caps]\nstore = \"redis\"\nredis_url = \"{url}\"\nredis_timeout = \"5s\"\nwhen_unavailable = \"{policy}\"\n"
        ));
        let caps = json!({ "frequency_caps": [{ "max": CAP, "window_minutes": 1440 }] });
        home.load(&catalog(&[Seller { campaign: caps, ..Seller::by_the_mille(1) }]));
        let admin = home.serve_as("office", "admin");
        let deciding = DECIDE.iter().map(|name| home.serve_as(name, "decide")).collect();
        let events = home.serve_as("events_1", "events");
        let site = Self { redis, deciding, events, _admin: admin, _home: home };
        // Until there is a lease, and the server is filled, nothing is shown whoever asks.
        for (n, mut caller) in site.callers().into_iter().enumerate() {
            caller.decide_filled(&page(HOME, 1, &format!("warm {n}")));
        }
        site
    }

    fn callers(&self) -> Vec<Caller> {
        self.deciding.iter().map(Litfass::caller).collect()
    }

    /// Each process is asked that often for this viewer, all at once.
    fn shown(&self, user: &str, asked: usize) -> Vec<Ad> {
        std::thread::scope(|scope| {
            let ask = |mut caller: Caller| {
                scope.spawn(move || {
                    let answers = (0..asked).map(|_| ads(&caller.decide(&page(HOME, 1, user))));
                    answers.flatten().collect::<Vec<_>>()
                })
            };
            let asking: Vec<_> = self.callers().into_iter().map(ask).collect();
            asking.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }

    fn sum(&self, metric: &str) -> f64 {
        self.callers().iter_mut().map(|caller| caller.metrics()[metric]).sum()
    }
}

#[test]
fn three_processes_keep_a_cap_together_whatever_becomes_of_redis() {
    let mut site = Site::open("closed");
    let shown = site.shown("ada", 6);
    assert_eq!(shown.len(), CAP);
    // One of them is never rendered; its hold lasts for longer than this test.
    for ad in &shown[1..] {
        site.events.caller().get(&ad.impression);
    }
    site.redis.flush();
    wait_for("the flushed server to be filled", || {
        assert!(site.shown("ada", 1).is_empty());
        (site.sum("litfass_caps_rebuilds_total") >= 1.0 && site.sum("litfass_caps_store_up") >= 3.0).then_some(())
    });
    assert_eq!(site.shown("ada", 3).len(), 0);
    assert_eq!(site.shown("bob", 6).len(), CAP);
    site.redis.kill();
    assert!(site.shown("eve", 2).is_empty(), "closed: nobody is shown what has a cap");
    site.redis.replace();
    wait_for("the new server to be filled", || (!site.shown("zoe", 1).is_empty()).then_some(()));
    assert!(site.shown("ada", 3).is_empty() && site.shown("bob", 3).is_empty());
    assert!(site.sum("litfass_caps_uncertain_total") < 0.5);
}

#[test]
fn open_what_is_shown_without_redis_is_counted_and_capped_when_it_is_back() {
    let mut site = Site::open("open");
    site.redis.kill();
    let shown = site.shown("ada", 4).len();
    assert!(shown > CAP);
    assert!(site.sum("litfass_caps_uncertain_total") >= f64::from(u32::try_from(shown).unwrap()));
    site.redis.replace();
    wait_for("the new server to be filled", || (site.sum("litfass_caps_store_up") >= 3.0).then_some(()));
    // A process that was not asked meanwhile finds out by its first decision, which is served too.
    wait_for("what was shown without it to cap", || site.shown("ada", 3).is_empty().then_some(()));
}
