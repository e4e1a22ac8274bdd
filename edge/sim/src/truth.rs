//! How likely a click really is: the model that the simulated shoppers follow and that no part of the server reads.
//!
//! P(click | rendered) = σ(b + eagerness + taste(department) + quality(item) + repeat interest + fit with the page + placement)
//! × effect of the slot. Everything in the bracket can in principle be learned from requests, history and outcomes; the
//! effect of a slot is known, 1 for the first.

use crate::demand::Subject;
use crate::pages::PageKind;
use crate::shop::Shop;
use crate::shoppers::{History, Shopper};

/// Share of served ads that are rendered.
pub const RENDER_RATE: f64 = 0.7;

const BASE: f64 = -4.9;
const TASTE: f64 = 0.65;
const SEEN_BEFORE: f64 = 1.1;
const PER_LOG_LOOK: f64 = 0.25;
const SEARCHED_DEPARTMENT: f64 = 1.0;
const SEARCHED_GOOD: f64 = 0.8;
const SAME_SHELF: f64 = 0.6;
const BANNER: f64 = -0.6;

/// The known probabilities of one shown ad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    /// That a rendered impression in the slot it is in is clicked.
    pub click: f64,
    /// The same, had it been in the first slot.
    pub click_first: f64,
    /// That a click is followed by a purchase.
    pub conversion: f64,
}

/// What the shopper is looking at when the ad appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Home,
    Search { department: usize, good: usize },
    Product { item: usize },
    Category { department: usize },
}

impl Page {
    #[must_use]
    pub const fn kind(self) -> PageKind {
        match self {
            Self::Home => PageKind::Home,
            Self::Search { .. } => PageKind::Search,
            Self::Product { .. } => PageKind::Product,
            Self::Category { .. } => PageKind::Category,
        }
    }
}

/// Share of the first slot's clicks that slot `slot` (from 0) gets.
#[must_use]
pub fn slot_effect(slot: u8) -> f64 {
    1.0 / (1.0 + 0.35 * f64::from(slot))
}

/// Share of rendered impressions in slot `slot` that come into view.
#[must_use]
pub fn viewable_rate(slot: u8) -> f64 {
    (0.92 - 0.09 * f64::from(slot)).max(0.25)
}

/// Who looks, with what behind them, and at which page.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    pub shopper: &'a Shopper,
    pub history: &'a History,
    pub page: Page,
}

/// What the truth says of `subject` in slot `slot` for someone in this standing.
#[must_use]
pub fn odds(shop: &Shop, standing: Standing<'_>, subject: Subject, slot: u8) -> Odds {
    let department = shop.department_of(subject);
    let liking = TASTE * standing.shopper.taste[department] + standing.shopper.eagerness;
    let (quality, appeal, repeat) = item_terms(shop, standing.history, subject);
    let fit = page_fit(shop, standing.page, subject, department);
    let looks = looks_at(shop, standing.history, department);
    let click_first = sigmoid(BASE + liking + quality + SEEN_BEFORE * repeat + PER_LOG_LOOK * looks + fit);
    let conversion = sigmoid(-2.2 + 0.4 * standing.shopper.taste[department] + appeal + 0.8 * repeat);
    Odds { click: click_first * slot_effect(slot), click_first, conversion }
}

fn item_terms(shop: &Shop, history: &History, subject: Subject) -> (f64, f64, f64) {
    match subject {
        Subject::Item(ix) => {
            let item = &shop.items[ix];
            (item.quality, item.appeal, if history.has(ix) { 1.0 } else { 0.0 })
        }
        Subject::Banner { .. } => (BANNER, 0.0, 0.0),
    }
}

fn page_fit(shop: &Shop, page: Page, subject: Subject, department: usize) -> f64 {
    match page {
        Page::Home => 0.0,
        Page::Category { department: here } => {
            if here == department {
                SAME_SHELF
            } else {
                -0.3
            }
        }
        Page::Product { item } => {
            if shop.items[item].department == department {
                SAME_SHELF
            } else {
                -0.2
            }
        }
        Page::Search { department: here, .. } if here != department => -0.8,
        Page::Search { good, .. } => {
            let hit = matches!(subject, Subject::Item(ix) if shop.items[ix].good == good);
            SEARCHED_DEPARTMENT + if hit { SEARCHED_GOOD } else { 0.0 }
        }
    }
}

/// ln(1 + how many of the last looks were at this department).
fn looks_at(shop: &Shop, history: &History, department: usize) -> f64 {
    let looks = history.items().filter(|ix| shop.items[*ix].department == department).count();
    f64::from(u32::try_from(looks).unwrap_or(u32::MAX)).ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
