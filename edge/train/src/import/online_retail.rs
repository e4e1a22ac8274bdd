//! The "Online Retail" log of a British web shop (UCI), CSV with the header
//! `Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country`, as a dataset.
//!
//! Invariant: every line is imported or counted under the first reason that applies, in the order of `Excluded`; a line that
//! cannot be read at all is an error. A basket is (customer, invoice date); the dates, which name no zone, are taken as UTC.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use litfass_features::item_hash;
use litfass_types::Seed;

use super::{bid_requests, money, open, shop};
use crate::dataset::{
    BoughtLine, CATALOG, FORMAT, FileError, MANIFEST, Manifest, OUTCOMES, OutcomeLine, REQUESTS, RequestLine,
    Surroundings, hash_of, write_json, write_lines,
};

const HEADER: [&str; 6] = ["Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];

/// Lines of the books that are not goods, by their whole text.
const NOT_GOODS: [&str; 12] = [
    "POSTAGE",
    "DOTCOM POSTAGE",
    "CARRIAGE",
    "NEXT DAY CARRIAGE",
    "MANUAL",
    "BANK CHARGES",
    "PACKING CHARGE",
    "AMAZON FEE",
    "CRUK COMMISSION",
    "DISCOUNT",
    "SAMPLES",
    "ADJUST BAD DEBT",
];

/// Why a line is left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Excluded {
    /// Nobody's basket.
    NoCustomer,
    /// A quantity that is not positive.
    Return,
    /// A unit price that is not positive.
    NonPositivePrice,
    /// No text: nothing to show.
    NoDescription,
    /// Postage, fees and the like.
    NotGoods,
}

impl Excluded {
    pub const ALL: [Self; 5] =
        [Self::NoCustomer, Self::Return, Self::NonPositivePrice, Self::NoDescription, Self::NotGoods];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoCustomer => "no_customer",
            Self::Return => "return",
            Self::NonPositivePrice => "non_positive_price",
            Self::NoDescription => "no_description",
            Self::NotGoods => "not_goods",
        }
    }
}

/// One line of the log.
struct Line {
    text: String,
    quantity: i64,
    time_ms: i64,
    price_micros: i64,
    customer: String,
    country: String,
}

/// What is bought in one basket: by product number, quantity and value.
#[derive(Default)]
struct Basket {
    country: String,
    items: BTreeMap<usize, (i64, i64)>,
}

#[derive(Default)]
struct Shop {
    lines_read: u64,
    excluded: BTreeMap<Excluded, u64>,
    numbers: BTreeMap<String, usize>,
    /// In the order of first sight.
    texts: Vec<String>,
    baskets: BTreeMap<(i64, String), Basket>,
}

/// Reads `file` (CSV, or that as `.zst`) and writes a dataset into `out`. With `bid_requests`, each request gets the site
/// and browser of one of them, without any relation. The same files give the same dataset, byte for byte.
///
/// # Errors
/// The file and line that cannot be read, a folder that holds something else, or the file that cannot be written.
pub fn import(file: &Path, out: &Path, bid_requests: Option<&Path>) -> Result<Manifest, FileError> {
    let surroundings = bid_requests.map(bid_requests::read).transpose()?;
    let shop = read_log(file)?;
    clear(out)?;
    write_json(&out.join(CATALOG), &shop::catalog(&shop.texts))?;
    write_lines(&out.join(REQUESTS), requests(&shop, surroundings.as_deref()))?;
    write_lines(&out.join(OUTCOMES), outcomes(&shop))?;
    let manifest = manifest(&shop, out, surroundings.is_some())?;
    write_json(&out.join(MANIFEST), &manifest)?;
    Ok(manifest)
}

/// Makes room for a dataset: a new folder, or a dataset's, whose manifest goes first, so that what is unfinished is none.
fn clear(out: &Path) -> Result<(), FileError> {
    fs::create_dir_all(out).map_err(FileError::io(out))?;
    let manifest = out.join(MANIFEST);
    if manifest.exists() {
        return fs::remove_file(&manifest).map_err(FileError::io(&manifest));
    }
    let known = [CATALOG, REQUESTS, OUTCOMES];
    for entry in fs::read_dir(out).map_err(FileError::io(out))? {
        let name = entry.map_err(FileError::io(out))?.file_name();
        if !known.iter().any(|file| name == *file) {
            let problem = format!("holds {}, which is no part of a dataset: give a new folder", name.display());
            return Err(FileError::Whole { file: out.to_owned(), problem });
        }
    }
    Ok(())
}

fn read_log(file: &Path) -> Result<Shop, FileError> {
    let mut reader = csv::Reader::from_reader(open(file)?);
    let header = reader.headers().map_err(|e| FileError::line(file, 1, e.to_string()))?;
    if header != HEADER.as_slice() {
        return Err(FileError::line(file, 1, format!("the header must be {}", HEADER.join(","))));
    }
    let mut shop = Shop::default();
    for record in reader.into_records() {
        let record =
            record.map_err(|e| FileError::line(file, e.position().map_or(0, csv::Position::line), e.to_string()))?;
        let number = record.position().map_or(0, csv::Position::line);
        let line = parse(&record).map_err(|problem| FileError::line(file, number, problem))?;
        shop.take(line);
    }
    Ok(shop)
}

fn parse(record: &csv::StringRecord) -> Result<Line, String> {
    let field = |n: usize| record.get(n).unwrap_or("").trim();
    let quantity = field(1).parse().map_err(|_| format!("Quantity: {:?} is not a whole number", field(1)))?;
    let time_ms =
        parse_time(field(2)).ok_or_else(|| format!("InvoiceDate: {:?} is not YYYY-MM-DD HH:MM:SS", field(2)))?;
    let price_micros =
        money::micros(field(3)).ok_or_else(|| format!("UnitPrice: {:?} is not a decimal amount", field(3)))?;
    let text = field(0).split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Line { text, quantity, time_ms, price_micros, customer: field(4).to_owned(), country: field(5).to_owned() })
}

fn parse_time(text: &str) -> Option<i64> {
    let local = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

impl Line {
    fn excluded(&self) -> Option<Excluded> {
        match self {
            Self { customer, .. } if customer.is_empty() => Some(Excluded::NoCustomer),
            Self { quantity: ..=0, .. } => Some(Excluded::Return),
            Self { price_micros: ..=0, .. } => Some(Excluded::NonPositivePrice),
            Self { text, .. } if text.is_empty() => Some(Excluded::NoDescription),
            Self { text, .. } if NOT_GOODS.contains(&text.to_uppercase().as_str()) => Some(Excluded::NotGoods),
            _ => None,
        }
    }
}

impl Shop {
    fn take(&mut self, line: Line) {
        self.lines_read += 1;
        if let Some(reason) = line.excluded() {
            *self.excluded.entry(reason).or_default() += 1;
            return;
        }
        let product = self.product(line.text);
        let basket = self.baskets.entry((line.time_ms, line.customer)).or_default();
        basket.country = line.country;
        let (quantity, value) = basket.items.entry(product).or_default();
        *quantity = quantity.saturating_add(line.quantity);
        *value = value.saturating_add(line.quantity.saturating_mul(line.price_micros));
    }

    fn product(&mut self, text: String) -> usize {
        let next = self.texts.len();
        *self.numbers.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            next
        })
    }
}

fn requests<'a>(shop: &'a Shop, surroundings: Option<&'a [Surroundings]>) -> impl Iterator<Item = RequestLine> + 'a {
    shop.baskets.iter().zip(0..).map(move |(((time_ms, customer), basket), id)| RequestLine {
        id,
        time_ms: *time_ms,
        customer: customer.clone(),
        country: country_code(&basket.country).map(str::to_owned),
        synthetic: surroundings.and_then(|all| pick(all, customer, id)),
    })
}

/// A customer mostly comes back with the same browser, from another site.
fn pick(all: &[Surroundings], customer: &str, request: u64) -> Option<Surroundings> {
    let seed = Seed(item_hash(customer));
    let own = usize::try_from(seed.below(all.len() as u64)).unwrap_or(0);
    let other = usize::try_from(seed.derive(request).below(all.len() as u64)).unwrap_or(0);
    let (browser, site) = (all.get(own)?, all.get(other)?);
    Some(Surroundings { site: site.site.clone(), ..browser.clone() })
}

fn outcomes(shop: &Shop) -> impl Iterator<Item = OutcomeLine> + '_ {
    let bought = |(product, (quantity, value_micros)): (&usize, &(i64, i64))| BoughtLine {
        item: shop.texts.get(*product).map(|text| shop::sku(text)).unwrap_or_default(),
        quantity: *quantity,
        value_micros: *value_micros,
    };
    let line = move |(basket, request): (&Basket, u64)| OutcomeLine {
        request,
        items: basket.items.iter().map(bought).collect(),
    };
    shop.baskets.values().zip(0..).map(line)
}

fn manifest(shop: &Shop, out: &Path, surroundings: bool) -> Result<Manifest, FileError> {
    let left_out: u64 = shop.excluded.values().sum();
    let mut customers: Vec<&str> = shop.baskets.keys().map(|(_, customer)| customer.as_str()).collect();
    customers.sort_unstable();
    customers.dedup();
    let mut synthetic = vec!["catalog.json: tenant, advertisers, campaigns, bids, budgets, landing URLs, categories (from words of the texts)".to_owned()];
    if surroundings {
        synthetic.push("requests.jsonl: site, user agent, device and operating system, joined from bid requests without any relation".to_owned());
    }
    let files = [CATALOG, REQUESTS, OUTCOMES].map(|name| Ok((name.to_owned(), hash_of(&out.join(name))?)));
    Ok(Manifest {
        format: FORMAT,
        source: "online-retail".to_owned(),
        lines_read: shop.lines_read,
        lines_imported: shop.lines_read - left_out,
        excluded: Excluded::ALL
            .map(|why| (why.name().to_owned(), shop.excluded.get(&why).copied().unwrap_or(0)))
            .into(),
        requests: shop.baskets.len() as u64,
        customers: customers.len() as u64,
        products: shop.texts.len() as u64,
        outcomes: shop.baskets.values().map(|basket| basket.items.len() as u64).sum(),
        first_ms: shop.baskets.keys().next().map_or(0, |(time, _)| *time),
        last_ms: shop.baskets.keys().next_back().map_or(0, |(time, _)| *time),
        synthetic,
        files: files.into_iter().collect::<Result<_, FileError>>()?,
    })
}

/// ISO 3166-1 of the names that the log uses; `None` for what is no country.
fn country_code(name: &str) -> Option<&'static str> {
    const CODES: &[(&str, &str)] = &[
        ("United Kingdom", "GB"),
        ("Germany", "DE"),
        ("France", "FR"),
        ("EIRE", "IE"),
        ("Spain", "ES"),
        ("Netherlands", "NL"),
        ("Belgium", "BE"),
        ("Switzerland", "CH"),
        ("Australia", "AU"),
        ("Portugal", "PT"),
        ("Norway", "NO"),
        ("Finland", "FI"),
        ("Italy", "IT"),
        ("Cyprus", "CY"),
        ("Sweden", "SE"),
        ("Japan", "JP"),
        ("Austria", "AT"),
        ("Denmark", "DK"),
        ("Poland", "PL"),
        ("Israel", "IL"),
        ("Singapore", "SG"),
        ("Canada", "CA"),
        ("Iceland", "IS"),
        ("Greece", "GR"),
        ("Malta", "MT"),
        ("United Arab Emirates", "AE"),
        ("Lebanon", "LB"),
        ("Lithuania", "LT"),
        ("Brazil", "BR"),
        ("USA", "US"),
        ("Bahrain", "BH"),
        ("Czech Republic", "CZ"),
        ("Saudi Arabia", "SA"),
        ("Hong Kong", "HK"),
        ("RSA", "ZA"),
    ];
    CODES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code)
}
