//! The worlds that decisions were made in, put together again from what is kept: the catalog's changes, rank profiles and rules
//! by hash, pacing tables from the log.
//!
//! Ad signals and the sources' orders are not: full records hold what they read of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use litfass_catalog::{Catalog, Schedule};
use litfass_decide::{Rules, World, WorldVersion};
use litfass_rank::RankProfile;
use litfass_retrieval::{AdSignals, SourceIndex};
use litfass_store::catalog::CatalogStore;
use litfass_store::database::Place;
use litfass_store::storage::{Disk, read_whole};
use litfass_train::artifact;
use litfass_types::{CatalogVersion, Timestamp};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::pacing_tables::PacingHistory;
use crate::training::finished;

/// Catalogs kept at once: partitions of the log name versions a little out of order.
const CATALOGS_MAX: usize = 4;
/// More changes than this are a catalog of their own.
const CHANGES_MAX: u64 = 10_000;

/// Finds what a version names.
#[derive(Debug)]
pub struct Worlds {
    data: DataDir,
    store: CatalogStore,
    pacing: PacingHistory,
    catalogs: BTreeMap<CatalogVersion, Arc<Catalog>>,
    profiles: BTreeMap<[u8; 32], Arc<RankProfile>>,
    rules: BTreeMap<[u8; 32], Arc<Rules>>,
    /// The last one put together: most decisions share theirs with the one before.
    last: Option<World>,
}

impl Worlds {
    /// # Errors
    /// When the catalog's database cannot be opened.
    pub fn open(data: DataDir, place: &Place, pacing: PacingHistory) -> Result<Self> {
        let store = CatalogStore::open(place)?;
        let (catalogs, profiles, rules) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Self { data, store, pacing, catalogs, profiles, rules, last: None })
    }

    /// The world of a version, at a time.
    ///
    /// # Errors
    /// When something that it names is not kept, or cannot be read.
    pub fn of(&mut self, version: &WorldVersion, now: Timestamp) -> Result<&World> {
        let world = match self.last.take() {
            Some(world) if same(&world.version, version) => world,
            _ => self.put_together(version, now)?,
        };
        let world = self.last.insert(world);
        if !world.schedule.covers(&world.catalog, now) {
            world.schedule = Arc::new(Schedule::at(&world.catalog, now));
        }
        Ok(world)
    }

    fn put_together(&mut self, version: &WorldVersion, now: Timestamp) -> Result<World> {
        let catalog = self.catalog(version.catalog)?;
        let pacing = self.pacing.columns(&catalog, version.pacing);
        let pacing = pacing.with_context(|| {
            format!("pacing table {} is not in the log, or does not say who had funds", version.pacing)
        })?;
        Ok(World {
            version: version.clone(),
            schedule: Arc::new(Schedule::at(&catalog, now)),
            signals: Arc::new(AdSignals::default()),
            sources: Arc::new(SourceIndex::default()),
            profile: self.profile(version.profile)?,
            pacing: Arc::new(pacing),
            rules: self.rules(version.rules)?,
            catalog,
        })
    }

    /// From the newest known version before it where little has changed since, else from the beginning.
    fn catalog(&mut self, version: CatalogVersion) -> Result<Arc<Catalog>> {
        if let Some(known) = self.catalogs.get(&version) {
            return Ok(Arc::clone(known));
        }
        let earlier = self.catalogs.range(..version).next_back().map(|(_, catalog)| Arc::clone(catalog));
        let near = earlier.filter(|earlier| version.sequence - earlier.version().sequence <= CHANGES_MAX);
        let catalog = match near {
            Some(earlier) => self.changed(&earlier, version)?,
            None => self.store.catalog_at(version)?,
        };
        let catalog = Arc::new(catalog);
        self.catalogs.insert(version, Arc::clone(&catalog));
        if self.catalogs.len() > CATALOGS_MAX {
            self.catalogs.pop_first();
        }
        Ok(catalog)
    }

    fn changed(&self, earlier: &Catalog, version: CatalogVersion) -> Result<Catalog> {
        let changes = self.store.changes_between(earlier.version().sequence, version.sequence)?;
        let changed = earlier.with_changes(version, changes);
        changed.map_err(|problems| anyhow::anyhow!("catalog {}: {problems:?}", version.sequence))
    }

    fn profile(&mut self, hash: [u8; 32]) -> Result<Arc<RankProfile>> {
        if hash == [0; 32] {
            return Ok(Arc::new(RankProfile::prior()));
        }
        if !self.profiles.contains_key(&hash) {
            self.read_profiles()?;
        }
        let found = self.profiles.get(&hash).map(Arc::clone);
        found.with_context(|| format!("the rank profile {} is not kept", hex(&hash)))
    }

    fn read_profiles(&mut self) -> Result<()> {
        for dir in finished(&self.data.artifacts())? {
            match artifact::read(&Disk, &dir) {
                Ok(artifact) => drop(self.profiles.insert(artifact.hash, Arc::new(artifact.profile))),
                // It was not served either.
                Err(error) => tracing::warn!("an artifact is passed over: {error}"),
            }
        }
        Ok(())
    }

    fn rules(&mut self, hash: [u8; 32]) -> Result<Arc<Rules>> {
        if let Some(known) = self.rules.get(&hash) {
            return Ok(Arc::clone(known));
        }
        let rules = Arc::new(read_rules(&self.data.rules(&hash), &hash)?);
        self.rules.insert(hash, Arc::clone(&rules));
        Ok(rules)
    }
}

/// Signals and time zones are not put together again, so worlds that differ in them alone are one.
fn same(a: &WorldVersion, b: &WorldVersion) -> bool {
    (a.catalog, a.profile, a.rules, a.pacing) == (b.catalog, b.profile, b.rules, b.pacing)
}

fn read_rules(file: &Path, hash: &[u8; 32]) -> Result<Rules> {
    let Some(bytes) = read_whole(&Disk, file)? else { bail!("the rules {} are not kept", hex(hash)) };
    if blake3::hash(&bytes).as_bytes() != hash {
        bail!("{}: is not what its name says: it was changed", file.display());
    }
    let text = format!("[params]\n{}", String::from_utf8_lossy(&bytes));
    let config = Config::from_text(&text, []).with_context(|| file.display().to_string())?;
    Ok(crate::node::rules(&config))
}

fn hex(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}
