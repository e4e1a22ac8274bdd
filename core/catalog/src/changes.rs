//! From one version of the catalog to the next.
//!
//! What changed is made again in the overlay together with everything beneath it, and the rows it replaces in the base die.
//! The overlay is made anew each time from its own objects and the changed ones, so a version costs what has changed since
//! the last merge, not what the catalog holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use litfass_types::{AdIx, CatalogVersion, LineItemIx};

use crate::bitset::Bitset;
use crate::builder::Builder;
use crate::catalog::{Catalog, Dead, count};
use crate::model::{Ad, Advertiser, Campaign, Creative, CurvePoint, LineItem, Object};
use crate::orders::AdOrder;
use crate::problem::{ObjectKind, ObjectRef, Problem, Problems};
use crate::segment::{AdvertiserIx, CampaignIx, CreativeIx};
use crate::surroundings::Surroundings;
use crate::validate;

type Objects = BTreeMap<ObjectRef, Object>;

impl Catalog {
    /// The next version: these objects new or in place of their former selves. An object stays beneath its parent for ever,
    /// except that an ad may get another creative; budgets and records hang on where it stands.
    ///
    /// # Errors
    /// Every problem at once; this catalog stays what it is.
    pub fn with_changes(
        &self,
        version: CatalogVersion,
        changed: impl IntoIterator<Item = Object>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut objects = Objects::new();
        for object in changed {
            let reference = object.reference();
            validate::check(&object, &mut problems);
            self.check_parent(&object, &mut problems);
            if objects.insert(reference, object).is_some() {
                problems.add(reference, "id", "is given twice");
            }
        }
        let fresh = self.replaced(&objects);
        self.add_rows(&fresh, &mut objects);
        let mut builder = Builder::within(self.around_without_unused_groups(&fresh), problems);
        objects.into_values().for_each(|object| builder.replace(object));
        let (overlay, around) = builder.segment(&self.base, AdOrder::ByLineItem)?;
        Ok(Self::assemble(version, Arc::clone(&self.base), overlay, self.dead.with(&fresh), Arc::new(around)))
    }

    /// The same catalog with everything in a new base. Work for a background thread: it takes as long as building.
    #[must_use]
    pub fn merged(&self, order: AdOrder<'_>) -> Self {
        let mut builder = Builder::new();
        self.objects().for_each(|object| builder.replace(object));
        match builder.finish(self.version, order) {
            Ok(catalog) => catalog,
            Err(problems) => {
                debug_assert!(problems.is_empty(), "objects of a catalog are valid together: {problems:?}");
                // What cannot be folded still serves.
                self.clone()
            }
        }
    }

    /// Every object of the catalog, parents before what hangs on them.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        let around =
            self.tenants().cloned().map(Object::Tenant).chain(self.placements().cloned().map(Object::Placement));
        around
            .chain(self.segments().cloned().map(Object::Segment))
            .chain(self.live_advertisers().map(|row| Object::Advertiser(self.advertiser_object(row))))
            .chain(self.live_campaigns().map(|row| Object::Campaign(self.campaign_object(row))))
            .chain(self.live_line_items().map(|row| Object::LineItem(self.line_item_object(row))))
            .chain(self.live_creatives().map(|row| Object::Creative(self.creative_object(row))))
            .chain(self.live_ads().map(|row| Object::Ad(self.ad_object(row))))
    }

    #[must_use]
    pub fn advertiser_object(&self, advertiser: AdvertiserIx) -> Advertiser {
        let row = self.advertiser(advertiser);
        Advertiser {
            id: row.id,
            tenant: row.tenant,
            name: row.name.to_owned(),
            status: row.status,
            time_zone: row.calendar.name().to_owned(),
            caps: self.advertiser_caps(advertiser).collect(),
        }
    }

    #[must_use]
    pub fn campaign_object(&self, campaign: CampaignIx) -> Campaign {
        let row = self.campaign(campaign);
        Campaign {
            id: row.id,
            advertiser: self.advertiser_columns(row.advertiser).id,
            name: row.name.to_owned(),
            status: row.status,
            flight: row.flight,
            caps: self.local_campaign(campaign).segment.campaign_caps.of(row.id.0).collect(),
        }
    }

    /// The curve of custom pacing; empty where it has none.
    #[must_use]
    pub fn curve(&self, line_item: LineItemIx) -> &[CurvePoint] {
        self.local_line_item(line_item).segment.curves.of(self.line_item(line_item).id)
    }

    #[must_use]
    pub fn line_item_object(&self, line_item: LineItemIx) -> LineItem {
        let row = self.line_item(line_item);
        LineItem {
            id: row.id,
            campaign: row.campaign,
            name: self.line_item_name(line_item).to_owned(),
            status: row.status,
            flight: row.stretch.flight(),
            bid: row.bid,
            billable: row.billable,
            pacing: row.pacing,
            paced_by: row.paced_by,
            curve: self.curve(line_item).to_vec(),
            targeting: self.targeting(line_item),
            caps: self.local_line_item(line_item).segment.line_item_caps.of(row.id.0).collect(),
            exclusions: self.exclusion_groups(line_item).map(str::to_owned).collect(),
            needs_consent: row.needs_consent,
        }
    }

    #[must_use]
    pub fn creative_object(&self, creative: CreativeIx) -> Creative {
        let row = self.creative(creative);
        Creative {
            id: row.id,
            advertiser: self.advertiser_columns(row.advertiser).id,
            format: row.format,
            title: row.title.to_owned(),
            text: row.text.to_owned(),
            landing_url: row.landing_url.to_owned(),
            image_url: row.image_url.map(str::to_owned),
            review: row.review,
            video: row.video.cloned(),
        }
    }

    #[must_use]
    pub fn ad_object(&self, ad: AdIx) -> Ad {
        let row = self.ad(ad);
        Ad {
            id: row.id,
            line_item: self.line_item(row.line_item).id,
            creative: self.creative_columns(row.creative).id,
            status: row.status,
            item: self.item_text(ad).map(str::to_owned),
            categories: self.category_texts(ad).map(str::to_owned).collect(),
            created: row.created,
            caps: self.local_ad(ad).segment.ad_caps.of(row.id.0).collect(),
        }
    }

    /// The overlay's line items are all made again, so where a tenant has used up its bits, those of groups that no row of the base
    /// is in are free.
    fn around_without_unused_groups(&self, fresh: &Dead) -> Surroundings {
        let mut around = (*self.around).clone();
        let full: Vec<_> = around.groups.full().collect();
        for tenant in full {
            let dead = |row: u32| self.dead.line_items.contains(row) || fresh.line_items.contains(row);
            let rows = (0_u32..).zip(&self.base.line_items).filter(|(at, row)| row.tenant == tenant && !dead(*at));
            around.groups.keep(tenant, rows.fold(0, |mask, (_, row)| mask | row.exclusions));
        }
        around
    }

    /// The rows of the base that die with these changes: what changed and everything beneath it, and with each ad its line
    /// item and all the ads of that.
    fn replaced(&self, changed: &Objects) -> Dead {
        let mut fresh = Dead::default();
        for object in changed.values() {
            self.mark_row(object, &mut fresh);
        }
        fresh.without(&self.dead);
        self.mark_beneath(&mut fresh);
        fresh.without(&self.dead);
        fresh
    }

    fn mark_row(&self, object: &Object, fresh: &mut Dead) {
        let base = &self.base;
        match object {
            Object::Tenant(_) | Object::Placement(_) | Object::Segment(_) => {}
            Object::Advertiser(o) => fresh.advertisers.extend(base.advertiser(o.id)),
            Object::Campaign(o) => fresh.campaigns.extend(base.campaign(o.id)),
            Object::LineItem(o) => fresh.line_items.extend(base.line_item(o.id)),
            Object::Creative(o) => fresh.creatives.extend(base.creative(o.id)),
            Object::Ad(o) => fresh.line_items.extend(base.line_item(o.line_item)),
        }
    }

    fn mark_beneath(&self, fresh: &mut Dead) {
        let base = &self.base;
        if !fresh.advertisers.is_empty() {
            let touched = |advertiser: AdvertiserIx| fresh.advertisers.contains(advertiser.0);
            fresh.campaigns.extend(rows(&base.campaigns, |row| touched(row.advertiser)));
            fresh.creatives.extend(rows(&base.creatives, |row| touched(row.advertiser)));
        }
        if !fresh.campaigns.is_empty() {
            fresh.line_items.extend(rows(&base.line_items, |row| fresh.campaigns.contains(row.campaign_ix.0)));
        }
        if !fresh.creatives.is_empty() {
            let shown = (0_u32..).zip(&base.ads).filter(|(_, ad)| fresh.creatives.contains(ad.creative.0));
            fresh.line_items.extend(shown.map(|(ad, _)| base.ads[ad as usize].line_item.0));
        }
        for line_item in fresh.line_items.iter() {
            fresh.ads.extend(base.orders.of_line_item(line_item));
        }
    }

    /// Adds what the overlay holds and what newly died in the base, except what has changed itself.
    fn add_rows(&self, fresh: &Dead, objects: &mut Objects) {
        let mut add = |object: Object| {
            objects.entry(object.reference()).or_insert(object);
        };
        let again =
            |fresh: &Bitset, base: u32, overlay: u32| fresh.iter().chain(base..base + overlay).collect::<Vec<_>>();
        let (base, overlay) = (&self.base, &self.overlay);
        for row in again(&fresh.advertisers, count(&base.advertisers), count(&overlay.advertisers)) {
            add(Object::Advertiser(self.advertiser_object(AdvertiserIx(row))));
        }
        for row in again(&fresh.campaigns, count(&base.campaigns), count(&overlay.campaigns)) {
            add(Object::Campaign(self.campaign_object(CampaignIx(row))));
        }
        for row in again(&fresh.line_items, count(&base.line_items), count(&overlay.line_items)) {
            add(Object::LineItem(self.line_item_object(LineItemIx(row))));
        }
        for row in again(&fresh.creatives, count(&base.creatives), count(&overlay.creatives)) {
            add(Object::Creative(self.creative_object(CreativeIx(row))));
        }
        for row in again(&fresh.ads, count(&base.ads), count(&overlay.ads)) {
            add(Object::Ad(self.ad_object(AdIx(row))));
        }
    }

    /// An object that is there already stays beneath its parent.
    fn check_parent(&self, object: &Object, problems: &mut Problems) {
        let (kind, before, now) = match object {
            Object::Tenant(_) => return,
            Object::Advertiser(o) => (
                ObjectKind::Tenant,
                self.advertiser_by_id(o.id).map(|ix| self.advertiser_columns(ix).tenant.0),
                o.tenant.0,
            ),
            Object::Placement(o) => (ObjectKind::Tenant, self.placement(o.id).map(|p| p.tenant.0), o.tenant.0),
            Object::Segment(o) => (ObjectKind::Tenant, self.segment(o.id).map(|s| s.tenant.0), o.tenant.0),
            Object::Campaign(o) => {
                let advertiser = |ix| self.advertiser_columns(self.campaign_columns(ix).advertiser).id.0;
                (ObjectKind::Advertiser, self.campaign_by_id(o.id).map(advertiser), o.advertiser.0)
            }
            Object::LineItem(o) => {
                (ObjectKind::Campaign, self.line_item_by_id(o.id).map(|ix| self.line_item(ix).campaign.0), o.campaign.0)
            }
            Object::Creative(o) => {
                let advertiser = |ix| self.advertiser_columns(self.creative_columns(ix).advertiser).id.0;
                (ObjectKind::Advertiser, self.creative_by_id(o.id).map(advertiser), o.advertiser.0)
            }
            Object::Ad(o) => {
                let line_item = |ix| self.line_item(self.line_item_of(ix)).id.0;
                (ObjectKind::LineItem, self.ad_by_id(o.id).map(line_item), o.line_item.0)
            }
        };
        if let Some(before) = before.filter(|before| *before != now) {
            let message = format!("stays beneath {} {before}; make a new object instead", kind.name());
            problems.add(object.reference(), kind.name(), message);
        }
    }
}

impl Dead {
    fn with(&self, fresh: &Self) -> Self {
        let mut all = self.clone();
        for (all, fresh) in all.sets().into_iter().zip(fresh.clone().sets()) {
            all.extend(fresh.iter());
        }
        all
    }

    fn without(&mut self, known: &Self) {
        for (set, known) in self.sets().into_iter().zip(known.clone().sets()) {
            known.iter().for_each(|row| set.remove(row));
        }
    }

    fn sets(&mut self) -> [&mut Bitset; 5] {
        [&mut self.advertisers, &mut self.campaigns, &mut self.line_items, &mut self.creatives, &mut self.ads]
    }
}

fn rows<T>(rows: &[T], touched: impl Fn(&T) -> bool) -> Vec<u32> {
    (0..).zip(rows).filter(|(_, row)| touched(row)).map(|(at, _)| at).collect()
}
