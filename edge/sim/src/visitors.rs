//! The simulated crowd: shoppers who come in sessions, look around by their tastes, and react as the truth says.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::crowd::{Bought, Crowd, Purchase, Reaction, ShownAd, ViewedItem, Visit};
use crate::demand::Subject;
use crate::draw::{Draw, Purpose, Weighted};
use crate::shop::Shop;
use crate::shoppers::{History, Shopper};
use crate::truth::{Odds, Page, RENDER_RATE, Standing, odds, viewable_rate};
use crate::words::{DEPARTMENTS, HOMES};

/// Share of purchases that come with the click's token; the rest are left to attribution.
const BY_TOKEN: f64 = 0.8;

/// One stream of visits, by shoppers of its own: shopper i belongs to stream i mod n.
#[derive(Debug)]
pub struct Visitors {
    shop: Arc<Shop>,
    stream: u32,
    run: u64,
    walk: Draw,
    behaviour: Draw,
    who: Vec<usize>,
    activity: Weighted,
    shelves: Vec<Shelf>,
    open: Vec<Session>,
    histories: BTreeMap<usize, History>,
    visits: u64,
    latest: Option<(usize, Page)>,
}

/// The items of a department and how often each is looked at.
#[derive(Debug)]
struct Shelf {
    items: Vec<usize>,
    popularity: Weighted,
}

#[derive(Debug)]
struct Session {
    shopper: usize,
    pages_left: u32,
    page: Page,
}

/// Sessions that one stream has open at a time.
const OPEN_SESSIONS: usize = 12;

impl Visitors {
    /// `streams` crowds for as many threads. `run` tells runs over the same data apart: it enters the walk and the order ids.
    #[must_use]
    pub fn split(shop: &Arc<Shop>, streams: u32, run: u64) -> Vec<Self> {
        let shelves = || (0..DEPARTMENTS.len()).map(|department| shelf(shop, department)).collect();
        (0..streams.max(1)).map(|stream| Self::stream(shop, shelves(), stream, streams.max(1), run)).collect()
    }

    fn stream(shop: &Arc<Shop>, shelves: Vec<Shelf>, stream: u32, streams: u32, run: u64) -> Self {
        let nth = |n: u32| usize::try_from(n).unwrap_or(0);
        let own: Vec<usize> = (nth(stream)..shop.shoppers.len()).step_by(nth(streams).max(1)).collect();
        let who = if own.is_empty() { vec![0] } else { own };
        let seed = litfass_types::Seed(shop.seed).derive(run).0;
        Self {
            activity: Weighted::new(who.iter().map(|shopper| shop.shoppers[*shopper].activity)),
            shop: Arc::clone(shop),
            stream,
            run,
            walk: Draw::new(seed, Purpose::Walk, stream),
            behaviour: Draw::new(seed, Purpose::Behaviour, stream),
            who,
            shelves,
            open: Vec::new(),
            histories: BTreeMap::new(),
            visits: 0,
            latest: None,
        }
    }

    /// Someone comes in, or someone who is there goes on to another page.
    fn step(&mut self) -> (usize, Page) {
        if self.open.len() < OPEN_SESSIONS || self.walk.chance(0.05) {
            let shopper = self.who[self.activity.draw(&mut self.walk)];
            let pages_left = 1 + u32::try_from(self.walk.below(7)).unwrap_or(0);
            let page = self.entrance(shopper);
            self.open.push(Session { shopper, pages_left, page });
            return (shopper, page);
        }
        let at = self.walk.below(self.open.len());
        let page = self.onward(self.open[at].shopper, self.open[at].page);
        let session = &mut self.open[at];
        session.page = page;
        session.pages_left = session.pages_left.saturating_sub(1);
        let shopper = session.shopper;
        if session.pages_left == 0 {
            self.open.swap_remove(at);
        }
        (shopper, page)
    }

    fn entrance(&mut self, shopper: usize) -> Page {
        if self.walk.chance(0.55) { Page::Home } else { self.search(shopper) }
    }

    fn onward(&mut self, shopper: usize, page: Page) -> Page {
        match page {
            Page::Home if self.walk.chance(0.4) => Page::Category { department: self.liked(shopper) },
            Page::Home => self.search(shopper),
            Page::Search { department, .. } | Page::Category { department } if self.walk.chance(0.7) => {
                self.product(department)
            }
            Page::Product { item } if self.walk.chance(0.45) => self.product(self.shop.items[item].department),
            Page::Search { .. } | Page::Category { .. } | Page::Product { .. } => self.search(shopper),
        }
    }

    fn liked(&mut self, shopper: usize) -> usize {
        self.shop.shoppers[shopper].likings().draw(&mut self.walk)
    }

    fn search(&mut self, shopper: usize) -> Page {
        let department = self.liked(shopper);
        Page::Search { department, good: self.walk.below(DEPARTMENTS[department].goods.len()) }
    }

    /// A product page; the home page where the department has nothing.
    fn product(&mut self, department: usize) -> Page {
        let shelf = &self.shelves[department];
        if shelf.items.is_empty() {
            return Page::Home;
        }
        Page::Product { item: shelf.items[shelf.popularity.draw(&mut self.walk)] }
    }

    fn reaction(&mut self, shopper: usize, page: Page, ad: &ShownAd) -> Reaction {
        let rendered = self.behaviour.chance(RENDER_RATE);
        let Some(subject) = self.shop.subject(ad.ad_id) else { return Reaction { rendered, ..Reaction::default() } };
        let shop = Arc::clone(&self.shop);
        let history = self.histories.entry(shopper).or_default();
        let odds = odds(&shop, Standing { shopper: &shop.shoppers[shopper], history, page }, subject, ad.slot);
        let clicked = rendered && self.behaviour.chance(odds.click);
        let viewable = clicked || rendered && self.behaviour.chance(viewable_rate(ad.slot));
        let bought = if clicked { self.purchase(shopper, subject, odds) } else { None };
        Reaction { rendered, viewable, clicked, bought, odds: Some(odds) }
    }

    /// A click is a look at the item; it may end in an order.
    fn purchase(&mut self, shopper: usize, subject: Subject, odds: Odds) -> Option<Purchase> {
        let Subject::Item(ix) = subject else { return None };
        self.histories.entry(shopper).or_default().note(ix);
        if !self.behaviour.chance(odds.conversion) {
            return None;
        }
        let item = &self.shop.items[ix];
        let quantity = if self.behaviour.chance(0.15) { 2 } else { 1 };
        let signed_in = self.shop.shoppers[shopper].user.is_some();
        Some(Purchase {
            order_id: format!("{:x}-{}-{}-{ix}", self.run, self.stream, self.visits),
            value_micros: item.price_micros * i64::from(quantity),
            items: vec![Bought { item: item.sku.clone(), category: item.category().to_owned(), quantity }],
            by_token: !signed_in || self.behaviour.chance(BY_TOKEN),
        })
    }
}

impl Crowd for Visitors {
    fn next(&mut self) -> Option<Visit> {
        let (shopper, page) = self.step();
        self.visits += 1;
        self.latest = Some((shopper, page));
        let person = &self.shop.shoppers[shopper];
        let viewed = if let Page::Product { item } = page {
            self.histories.entry(shopper).or_default().note(item);
            let item = &self.shop.items[item];
            Some(ViewedItem { item: item.sku.clone(), category: item.category().to_owned() })
        } else {
            None
        };
        let slots = page.kind().placements().iter().map(|(_, slots)| u32::from(*slots)).sum();
        let request_id = format!("{:x}-{}-{}", self.run, self.stream, self.visits);
        Some(Visit { body: body(&self.shop, person, page, &request_id), user: person.user.clone(), slots, viewed })
    }

    fn react(&mut self, shown: &[ShownAd]) -> Vec<Reaction> {
        let Some((shopper, page)) = self.latest else { return Vec::new() };
        shown.iter().map(|ad| self.reaction(shopper, page, ad)).collect()
    }
}

fn shelf(shop: &Shop, department: usize) -> Shelf {
    let items: Vec<usize> = (0..shop.items.len()).filter(|ix| shop.items[*ix].department == department).collect();
    let popularity = Weighted::new(items.iter().map(|ix| shop.items[*ix].popularity));
    Shelf { items, popularity }
}

/// The body of `POST /v1/decisions` for one page.
fn body(shop: &Shop, person: &Shopper, page: Page, request_id: &str) -> Value {
    let (country, region, city, _) = HOMES[person.home];
    let (url, categories, keywords) = whereabouts(shop, page);
    let placements: Vec<Value> =
        page.kind().placements().iter().map(|(id, slots)| json!({"id": id, "slots": slots})).collect();
    json!({
        "request_id": request_id,
        "user_id": person.user,
        "placements": placements,
        "personalise": person.personalise,
        "context": {
            "device": person.device, "os": person.os, "country": country, "region": region, "city": city, "url": url,
            "categories": categories, "keywords": keywords, "segments": person.segments,
            "key_values": {"loyalty": [person.loyalty]},
        },
    })
}

fn whereabouts(shop: &Shop, page: Page) -> (String, Vec<&'static str>, Vec<&'static str>) {
    let home = "https://shop.example";
    match page {
        Page::Home => (home.to_owned(), Vec::new(), Vec::new()),
        Page::Category { department } => {
            let category = DEPARTMENTS[department].category;
            (format!("{home}/{category}"), vec![category], Vec::new())
        }
        Page::Product { item } => {
            let item = &shop.items[item];
            (format!("{home}/products/{}", item.sku), vec![item.category()], Vec::new())
        }
        Page::Search { department, good } => {
            let words: Vec<&str> = DEPARTMENTS[department].goods[good].split(' ').collect();
            (format!("{home}/search?q={}", words.join("+")), vec![DEPARTMENTS[department].category], words)
        }
    }
}
