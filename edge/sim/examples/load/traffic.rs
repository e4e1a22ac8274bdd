//! What is asked: shoppers with habits, their requests, and what becomes of the ads they see.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use litfass_sim::HttpDoor;
use litfass_types::Seed;
use serde_json::{Value, json};

use crate::catalog::{CATEGORIES, COUNTRIES, DEVICES, KEYWORDS, PLACEMENT, SEGMENTS, category, item, keyword, segment};
use crate::server::Server;

const USERS: u64 = 50_000;
const SLOTS: usize = 3;
/// Different requests that are sent again and again.
const REQUESTS: u64 = 20_000;
/// Rendered ads that are clicked.
const CLICKS_PERCENT: u64 = 5;

/// Who asks.
pub(crate) struct Shoppers {
    items: u64,
}

/// Tracking paths of one shown ad.
#[derive(Clone)]
pub(crate) struct Shown {
    impression: String,
    viewable: String,
    click: String,
}

pub(crate) struct Tokens(Vec<Shown>);

impl Tokens {
    pub(crate) fn first_half(&self) -> Vec<Shown> {
        self.0[..self.0.len() / 2].to_vec()
    }

    pub(crate) fn second_half(&self) -> Vec<Shown> {
        self.0[self.0.len() / 2..].to_vec()
    }
}

impl Shoppers {
    pub(crate) const fn new(items: u64) -> Self {
        Self { items }
    }

    /// The `n`-th request: a known user with a context of a dozen terms.
    pub(crate) fn request(&self, n: u64) -> Value {
        let seed = Seed(3).derive(n);
        let list = |salt: u64, count: u64, of: u64, name: &dyn Fn(u64) -> String| -> Vec<String> {
            (0..count).map(|k| name(seed.derive(salt + k).below(of))).collect()
        };
        let one = |salt: u64, from: &[&str]| {
            from[usize::try_from(seed.derive(salt).below(from.len() as u64)).unwrap_or(0)].to_owned()
        };
        json!({
            "user_id": user(seed.derive(1)),
            "placements": [{ "id": PLACEMENT, "slots": SLOTS }],
            "context": {
                "device": one(2, &DEVICES), "os": "android", "country": one(3, &COUNTRIES), "url": "https://shop.example/aisle/lamps",
                "categories": list(10, 2, CATEGORIES, &category), "keywords": list(20, 3, KEYWORDS, &keyword),
                "segments": list(30, 3, SEGMENTS, &segment),
            },
        })
    }

    fn view(&self, n: u64) -> Value {
        let seed = Seed(4).derive(n);
        let of = seed.derive(2).below(self.items) + 1;
        json!({ "type": "view", "tenant": 1, "user_id": user(seed.derive(1)), "item": item(of), "category": category(of % CATEGORIES) })
    }
}

fn user(seed: Seed) -> String {
    format!("shopper {}", seed.below(USERS))
}

pub(crate) fn decisions(address: SocketAddr, shoppers: &Shoppers) -> Vec<Vec<u8>> {
    let door = HttpDoor::new(address);
    (0..REQUESTS).map(|n| door.message("POST", "/v1/decisions", &shoppers.request(n).to_string())).collect()
}

/// Asks for ads and keeps their tracking paths.
pub(crate) fn collect(server: &Server, shoppers: &Shoppers, decisions: usize) -> Result<Tokens> {
    let mut door = HttpDoor::new(server.address);
    let mut shown = Vec::new();
    for n in 0..decisions as u64 {
        let answer = door.exchange(&door.message("POST", "/v1/decisions", &shoppers.request(n).to_string()))?;
        ensure!(answer.status == 200, "a decision was refused: {}", String::from_utf8_lossy(&answer.body));
        shown.extend(paths(&answer.json()));
    }
    ensure!(!shown.is_empty(), "nothing was shown in {decisions} decisions");
    Ok(Tokens(shown))
}

fn paths(answer: &Value) -> Vec<Shown> {
    let path = |ad: &Value, kind: &str| ad["tracking"][kind].as_str().unwrap_or_default().to_owned();
    let ads = answer["placements"][0]["ads"].as_array();
    let shown = |ad: &Value| Shown {
        impression: path(ad, "impression"),
        viewable: path(ad, "viewable"),
        click: path(ad, "click"),
    };
    ads.into_iter().flatten().map(shown).collect()
}

/// Share of slots that are filled, over requests none of which was sent before.
#[expect(clippy::cast_precision_loss, reason = "for display")]
pub(crate) fn filled_share(server: &Server, shoppers: &Shoppers) -> Result<f64> {
    let fresh = 1_000_u64;
    let mut door = HttpDoor::new(server.address);
    let mut filled = 0;
    for n in 0..fresh {
        let request = shoppers.request(1_000_000 + n).to_string();
        filled += paths(&door.exchange(&door.message("POST", "/v1/decisions", &request))?.json()).len();
    }
    Ok(filled as f64 / (fresh as f64 * SLOTS as f64))
}

/// Impressions, viewables, some clicks, and as many views of items, in batches.
pub(crate) fn batches(address: SocketAddr, shown: &[Shown], shoppers: &Shoppers, size: usize) -> Vec<Vec<u8>> {
    let door = HttpDoor::new(address);
    let mut events = Vec::new();
    for (n, shown) in (0..).zip(shown) {
        events.push(json!({ "type": "impression", "token": token(&shown.impression) }));
        events.push(json!({ "type": "viewable", "token": token(&shown.viewable) }));
        if is_clicked(Seed(5), n) {
            events.push(json!({ "type": "click", "token": token(&shown.click) }));
        }
        events.push(shoppers.view(2 * n));
        events.push(shoppers.view(2 * n + 1));
    }
    let whole = events.chunks_exact(size);
    whole.map(|events| door.message("POST", "/v1/events", &json!({ "events": events }).to_string())).collect()
}

/// One request per impression, and per click where there is one.
pub(crate) fn beacons(address: SocketAddr, shown: &[Shown]) -> Vec<Vec<u8>> {
    let door = HttpDoor::new(address);
    let mut messages = Vec::new();
    for (n, shown) in (0..).zip(shown) {
        messages.push(door.message("GET", &shown.impression, ""));
        if is_clicked(Seed(6), n) {
            messages.push(door.message("POST", &shown.click, ""));
        }
    }
    messages
}

fn is_clicked(seed: Seed, n: u64) -> bool {
    seed.derive(n).below(100) < CLICKS_PERCENT
}

fn token(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
