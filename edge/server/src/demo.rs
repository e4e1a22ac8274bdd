//! The demo: a shop with its shoppers, or a real shop's log, played against a server in the same process over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use litfass_sim::{HttpDoor, InBasket, LoggedVisit, Pace, Replay, Shop, Size, Tally, Visitors, drive};
use litfass_store::catalog::CatalogStore;
use litfass_store::database::Place;
use litfass_train::dataset::{BoughtLine, Dataset, OutcomeLine, RequestLine};
use litfass_types::Timestamp;
use serde_json::{Value, json};

use crate::console::view::Audience;
use crate::data_dir::DataDir;
use crate::node::Node;

/// Threads that ask.
const STREAMS: u32 = 4;
/// The imported shop's one placement.
const SHOP_PLACEMENT: u64 = 1;
/// Ads on its page.
const SHOP_SLOTS: u8 = 5;

/// Who asks, and for what.
#[derive(Debug)]
pub enum Visit {
    Shop(Arc<Shop>),
    Log { dataset: Box<Dataset>, catalog: Vec<u8> },
}

impl Visit {
    #[must_use]
    pub fn shop(seed: u64) -> Self {
        Self::Shop(Arc::new(Shop::new(seed, Size::DEMO)))
    }

    /// # Errors
    /// When the dataset is not one.
    pub fn dataset(dir: &Path) -> Result<Self> {
        let dataset = Box::new(Dataset::read(dir)?);
        let file = dir.join("catalog.json");
        let catalog = std::fs::read(&file).with_context(|| file.display().to_string())?;
        Ok(Self::Log { dataset, catalog })
    }

    /// Fills the catalog; a second time changes nothing.
    ///
    /// # Errors
    /// When the data directory cannot be written.
    pub fn load_catalog(&self, data: &DataDir, place: &Place, now: Timestamp) -> Result<()> {
        let bytes = match self {
            Self::Shop(shop) => shop_file(shop, data, now)?,
            Self::Log { catalog, .. } => catalog.clone(),
        };
        CatalogStore::open(place)?.load_bytes(&bytes, now)?;
        Ok(())
    }

    #[must_use]
    pub fn audience(&self) -> Audience {
        match self {
            Self::Shop(shop) => {
                let shoppers = shop.shoppers.len() as u64;
                Audience::Shop { seed: shop.seed, shoppers, speed: Pace::DEMO.speed }
            }
            Self::Log { dataset, .. } => Audience::Dataset {
                name: dataset.manifest.source.clone(),
                synthetic: dataset.manifest.synthetic.join(", "),
                replayed: 0,
                requests: dataset.manifest.requests,
            },
        }
    }

    /// Begins to ask the server at `address`.
    #[must_use]
    pub fn begin(self, address: SocketAddr, tally: Arc<Tally>, run: u64) -> Shoppers {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || match self {
            Self::Shop(shop) => {
                let crowds = Visitors::split(&shop, STREAMS, run);
                let seats = crowds.into_iter().map(|crowd| (HttpDoor::new(address), crowd)).collect();
                drive(Pace::DEMO, seats, &tally, &stopping);
            }
            Self::Log { dataset, .. } => {
                let crowds = Replay::split(visits(&dataset), STREAMS as usize, run);
                let seats = crowds.into_iter().map(|crowd| (HttpDoor::new(address), crowd)).collect();
                drive(Pace { speed: 0, ..Pace::DEMO }, seats, &tally, &stopping);
            }
        });
        Shoppers { stop, thread }
    }
}

/// Threads that ask until they are told to stop.
#[derive(Debug)]
pub struct Shoppers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Shoppers {
    pub fn finish(self) {
        self.stop.store(true, Ordering::SeqCst);
        if self.thread.join().is_err() {
            tracing::error!("the shoppers ended by a panic");
        }
    }
}

/// The shop's flights count from its first opening, so the file is made once and kept.
fn shop_file(shop: &Shop, data: &DataDir, now: Timestamp) -> Result<Vec<u8>> {
    let path = data.path().join(format!("shop-{}.json", shop.seed));
    if let Ok(bytes) = std::fs::read(&path) {
        return Ok(bytes);
    }
    let bytes = serde_json::to_vec(&shop.catalog(now))?;
    litfass_store::storage::write_atomic(&litfass_store::storage::Disk, &path, &bytes)?;
    Ok(bytes)
}

fn visits(dataset: &Dataset) -> Vec<LoggedVisit> {
    let categories: BTreeMap<&str, &str> =
        dataset.products.iter().map(|p| (p.item.as_str(), p.categories.first().map_or("", String::as_str))).collect();
    let pairs = dataset.requests.iter().zip(&dataset.outcomes);
    pairs.map(|(request, outcome)| visit(request, outcome, &categories)).collect()
}

fn visit(request: &RequestLine, outcome: &OutcomeLine, categories: &BTreeMap<&str, &str>) -> LoggedVisit {
    LoggedVisit {
        body: body(request),
        user: Some(request.customer.clone()),
        slots: u32::from(SHOP_SLOTS),
        order_id: request.id.to_string(),
        basket: outcome.items.iter().map(|line| in_basket(line, categories)).collect(),
    }
}

fn body(request: &RequestLine) -> Value {
    let mut context = json!({});
    if let Some(country) = &request.country {
        context["country"] = json!(country);
    }
    if let Some(synthetic) = &request.synthetic {
        context["device"] = json!(synthetic.device);
        context["os"] = json!(synthetic.os);
        context["url"] = json!(synthetic.site);
    }
    json!({ "user_id": request.customer, "placements": [{ "id": SHOP_PLACEMENT, "slots": SHOP_SLOTS }], "context": context })
}

fn in_basket(line: &BoughtLine, categories: &BTreeMap<&str, &str>) -> InBasket {
    InBasket {
        item: line.item.clone(),
        category: categories.get(line.item.as_str()).copied().unwrap_or_default().to_owned(),
        quantity: u32::try_from(line.quantity).unwrap_or(1),
        value_micros: line.value_micros,
    }
}

/// What the status line says, every so often.
#[must_use]
pub fn status(node: &Node, tally: &Tally) -> String {
    let counts = tally.counts();
    let totals = node.live_view(&*node.ledger).totals;
    let billed = crate::console::numbers::amount(totals.billed_micros);
    format!(
        "{} decisions, {} impressions, {} clicks, {} orders, billed {billed}",
        totals.decisions, totals.impressions, totals.clicks, counts.conversions
    )
}

/// How often the status line is printed.
pub const STATUS_EVERY: Duration = Duration::from_secs(10);
