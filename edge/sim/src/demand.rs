//! The demand side: campaigns, line items and ads over the shop's sellers and goods.
//!
//! Budgets are sized for a demo of some sixty pages a second: the smallest are gone within minutes, the next are paced over
//! an hour, the large ones outlast the evening.

use serde_json::{Value, json};

use crate::draw::{Draw, Purpose};
use crate::goods::{Item, Seller, micros};
use crate::shop::Size;
use crate::targeting;
use crate::words::{DEPARTMENTS, OCCASIONS};

/// What an ad shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Index into the shop's items.
    Item(usize),
    /// A banner for a department.
    Banner { department: usize },
}

#[derive(Debug, Default)]
pub(crate) struct Demand {
    pub campaigns: Vec<Campaign>,
    pub line_items: Vec<LineItem>,
    pub ads: Vec<Ad>,
}

#[derive(Debug)]
pub(crate) struct Campaign {
    pub seller: usize,
    pub name: String,
    pub budget: Budget,
    pub cap: Option<(u32, u32)>,
}

/// How a campaign's money is meant to be spent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub lifetime: Option<f64>,
    pub daily: Option<f64>,
    pub even: bool,
    pub hours: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct LineItem {
    pub campaign: usize,
    pub name: String,
    pub bid: Value,
    pub viewable: bool,
    pub targeting: Value,
    pub caps: Vec<(u32, u32)>,
    pub exclusion: Option<&'static str>,
    pub needs_consent: bool,
    pub banners: bool,
}

#[derive(Debug)]
pub(crate) struct Ad {
    pub line_item: usize,
    pub subject: Subject,
    pub size: Option<(u32, u32)>,
}

/// The first ad's id; the others count on.
pub(crate) const ADS_FROM: usize = 300_001;

impl Demand {
    pub(crate) fn ads(&self) -> impl Iterator<Item = (u64, Subject)> + '_ {
        (ADS_FROM as u64..).zip(self.ads.iter().map(|ad| ad.subject))
    }
}

/// Campaigns dealt to the sellers in turn, two line items each and one of banners for every fourth, ads over all of them.
pub(crate) fn plan(seed: u64, sellers: &[Seller], items: &[Item], size: Size) -> Demand {
    let mut draw = Draw::new(seed, Purpose::Demand, 0);
    let mut demand = Demand::default();
    for number in 0..usize::try_from(size.campaigns.max(1)).unwrap_or(1) {
        let seller = number % sellers.len();
        demand.campaigns.push(campaign(&mut draw, number, seller));
        for banners in [false, false, true] {
            if !banners || number % 4 == 1 {
                let line_item = line_item(&mut draw, &demand.campaigns, sellers, banners);
                demand.line_items.push(line_item);
            }
        }
    }
    fill(&mut draw, &mut demand, items, sellers, usize::try_from(size.ads).unwrap_or(0));
    demand
}

fn campaign(draw: &mut Draw, number: usize, seller: usize) -> Campaign {
    Campaign {
        seller,
        name: format!("{} {}", draw.pick(OCCASIONS), number + 1),
        budget: budget(draw, number),
        cap: draw.chance(0.4).then_some((24, 1_440)),
    }
}

fn budget(draw: &mut Draw, number: usize) -> Budget {
    let mut whole = |low: f64, high: f64| Some(draw.between(low, high).round());
    let none = Budget { lifetime: None, daily: None, even: false, hours: None };
    match number % 6 {
        0 => Budget { lifetime: whole(3.0, 8.0), ..none },
        1 => Budget { lifetime: whole(25.0, 70.0), even: true, hours: Some(2), ..none },
        2 => Budget { daily: whole(150.0, 400.0), even: true, ..none },
        3 => Budget { lifetime: whole(400.0, 900.0), ..none },
        4 => Budget { daily: whole(4.0, 12.0), ..none },
        _ => Budget { lifetime: whole(600.0, 1_500.0), daily: whole(90.0, 240.0), even: true, hours: Some(336) },
    }
}

fn line_item(draw: &mut Draw, campaigns: &[Campaign], sellers: &[Seller], banners: bool) -> LineItem {
    let campaign = campaigns.len() - 1;
    let department = draw.pick(&sellers[campaigns[campaign].seller].departments);
    let per_click = !banners && draw.chance(0.65);
    let category = DEPARTMENTS[department].category;
    LineItem {
        campaign,
        name: format!("{category} {}", if banners { "banners" } else { "items" }),
        bid: if per_click { bid(draw, 0.05, 0.35, "click") } else { bid(draw, 1.2, 9.0, "mille") },
        viewable: !per_click && draw.chance(0.35),
        targeting: targeting::expression(draw, department),
        caps: caps(draw),
        exclusion: draw.chance(0.25).then_some(category),
        needs_consent: draw.chance(0.2),
        banners,
    }
}

/// Log-uniform between `low` and `high` units, in whole hundredths of a cent.
fn bid(draw: &mut Draw, low: f64, high: f64, per: &str) -> Value {
    let units = draw.between(low.ln(), high.ln()).exp();
    json!({"micros": micros(units) / 100 * 100, "per": per})
}

fn caps(draw: &mut Draw) -> Vec<(u32, u32)> {
    match draw.below(4) {
        0 => vec![(6, 60)],
        1 => vec![(4, 30), (20, 1_440)],
        _ => Vec::new(),
    }
}

/// Ads for every line item: its share of the seller's items, of all its departments, or three banners.
fn fill(draw: &mut Draw, demand: &mut Demand, items: &[Item], sellers: &[Seller], ads: usize) {
    let of_items = demand.line_items.iter().filter(|l| !l.banners).count().max(1);
    for (ix, line_item) in demand.line_items.iter().enumerate() {
        let seller = demand.campaigns[line_item.campaign].seller;
        if line_item.banners {
            let department = sellers[seller].departments[0];
            let sizes = [(728, 90), (320, 50), (300, 250)];
            demand.ads.extend(sizes.map(|size| Ad {
                line_item: ix,
                subject: Subject::Banner { department },
                size: Some(size),
            }));
            continue;
        }
        let own: Vec<usize> = (0..items.len()).filter(|item| items[*item].seller == seller).collect();
        let share = ads / of_items + usize::from(ix < ads % of_items);
        let chosen = draw.several(&own, share);
        demand.ads.extend(chosen.into_iter().map(|item| Ad {
            line_item: ix,
            subject: Subject::Item(item),
            size: None,
        }));
    }
}
