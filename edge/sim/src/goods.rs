//! What the shop sells: sellers with two or three departments each and their products, all from the seed.

use crate::draw::{Draw, Purpose, zipf};
use crate::words::{DEPARTMENTS, Department, SELLER_FIRST, SELLER_LAST, TEXT_ENDINGS, TEXT_OPENINGS};

/// Micros of the currency from whole units and a fraction of one.
#[must_use]
pub(crate) fn micros(units: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "prices and bids of this shop are far below 2⁵³ micros")]
    let micros = (units * 1e6).round() as i64;
    micros
}

/// A seller; on the ad side an advertiser.
#[derive(Clone, Debug)]
pub struct Seller {
    pub name: String,
    /// Indices into the departments.
    pub departments: Vec<usize>,
}

/// A product.
#[derive(Clone, Debug)]
pub struct Item {
    pub sku: String,
    pub seller: usize,
    pub department: usize,
    /// Index into the department's goods.
    pub good: usize,
    pub title: String,
    pub text: String,
    pub price_micros: i64,
    /// How often it is looked at relative to others of its department.
    pub popularity: f64,
    /// What it adds to the log-odds of a click.
    pub quality: f64,
    /// What it adds to the log-odds of a purchase after a click.
    pub appeal: f64,
}

impl Item {
    #[must_use]
    pub fn category(&self) -> &'static str {
        DEPARTMENTS[self.department].category
    }
}

/// `count` sellers with names that differ.
pub(crate) fn sellers(seed: u64, count: usize) -> Vec<Seller> {
    let mut draw = Draw::new(seed, Purpose::Goods, 0);
    let departments: Vec<usize> = (0..DEPARTMENTS.len()).collect();
    let names: Vec<String> =
        SELLER_FIRST.iter().flat_map(|first| SELLER_LAST.iter().map(move |last| format!("{first}{last}"))).collect();
    let names = draw.several(&names, count);
    names
        .into_iter()
        .map(|name| {
            let how_many = 2 + draw.below(2);
            Seller { name, departments: draw.several(&departments, how_many) }
        })
        .collect()
}

/// `count` products, dealt to the sellers in turn.
pub(crate) fn stock(seed: u64, sellers: &[Seller], count: u32) -> Vec<Item> {
    let mut draw = Draw::new(seed, Purpose::Goods, 1);
    (0..count).map(|number| item(&mut draw, sellers, number)).collect()
}

fn item(draw: &mut Draw, sellers: &[Seller], number: u32) -> Item {
    let seller = usize::try_from(number).unwrap_or(0) % sellers.len();
    let department = draw.pick(&sellers[seller].departments);
    let shelf = &DEPARTMENTS[department];
    let good = draw.below(shelf.goods.len());
    let title = title(draw, shelf, good);
    let text = format!("{} {} {}", draw.pick(TEXT_OPENINGS), title.to_lowercase(), draw.pick(TEXT_ENDINGS));
    let popularity = zipf(number, 0.8) * draw.between(0.5, 2.0);
    Item {
        sku: format!("{}-{number:05}", shelf.category),
        seller,
        department,
        good,
        title,
        text,
        price_micros: price(draw, shelf),
        popularity,
        quality: 0.55 * draw.normal(),
        appeal: 0.4 * draw.normal(),
    }
}

fn title(draw: &mut Draw, shelf: &Department, good: usize) -> String {
    let kinds = draw.several(shelf.kinds, 2);
    let model = 10 * (1 + draw.below(99));
    let mut title = format!("{} {} {} {model}", kinds[0], kinds[1], shelf.goods[good]);
    if let Some(first) = title.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// Between the department's cheapest and dearest on a logarithmic scale, ending in 99 or 50.
fn price(draw: &mut Draw, shelf: &Department) -> i64 {
    let (low, high) = (f64::from(shelf.prices.0).ln(), f64::from(shelf.prices.1).ln());
    let whole = draw.between(low, high).exp().floor();
    micros(whole + if draw.chance(0.7) { 0.99 } else { 0.5 })
}
