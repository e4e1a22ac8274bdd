//! Viewer profiles: what each viewer looked at, clicked and bought, read when a decision gathers what it knows.

use std::sync::Arc;

use litfass_events::{EventKind, Purchased};
use litfass_features::{CategoryTally, Interaction, InteractionKind, ItemTally, Viewer, ViewerProfile};
use litfass_types::{Timestamp, UserHash};

use super::bounded::{PerViewer, SHARDS};
use super::codec::{BadState, Reader, Writer};
use super::{Choices, Fact, Fold};
use crate::wire::Body;

/// The fold over views, clicks and purchases. A viewer beyond the bound is forgotten and starts anew.
#[derive(Debug)]
pub struct Viewers {
    profiles: PerViewer<ViewerProfile>,
    choices: Arc<Choices>,
}

impl Viewers {
    #[must_use]
    pub fn new(viewers_max: usize) -> Self {
        Self { profiles: PerViewer::new(viewers_max), choices: Arc::default() }
    }

    /// The same, which keeps nothing of who has opted out by those choices: an event that was on its way then comes after the wish.
    #[must_use]
    pub fn heeding(self, choices: &Arc<Choices>) -> Self {
        Self { choices: Arc::clone(choices), ..self }
    }

    /// The viewer as of `now`: nothing that happened at or after it. `None` where nothing is known.
    #[must_use]
    pub fn viewer(&self, user: UserHash, now: Timestamp) -> Option<Viewer> {
        self.profiles.shard(user).get(user).map(|profile| profile.as_of(now))
    }

    /// Nothing is known of this viewer any more.
    pub fn erase(&self, user: UserHash) {
        self.profiles.shard(user).erase(user);
    }

    /// Viewers known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.profiles.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&self, user: UserHash, interaction: Interaction) {
        if !self.choices.has_opted_out(user) {
            self.profiles.shard(user).touch(user, interaction.time).apply(interaction);
        }
    }
}

impl Fold for Viewers {
    fn name(&self) -> &'static str {
        "viewers"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, fact: &Fact<'_>) {
        let time = fact.logged.envelope.event_time;
        let of = |kind, item, category: Option<u64>| Interaction { time, kind, item, category: category.unwrap_or(0) };
        if !fact.is_first() {
            return;
        }
        match &fact.logged.body {
            Body::Delivery(delivery) if delivery.kind == EventKind::Click => {
                let token = &delivery.token;
                if let (Some(user), Some(item)) = (token.user, token.item) {
                    self.add(user, of(InteractionKind::Click, item, token.category));
                }
            }
            Body::Privacy(privacy) if privacy.wish.forgets() => self.erase(privacy.user),
            Body::ItemView(view) => self.add(view.user, of(InteractionKind::View, view.item, view.category)),
            Body::Conversion(order) => {
                let Some(user) = order.buyer() else { return };
                for Purchased { item, category, .. } in &order.items {
                    self.add(user, of(InteractionKind::Purchase, *item, *category));
                }
            }
            Body::Delivery(_)
            | Body::Decision(_)
            | Body::Outline(_)
            | Body::Command(_)
            | Body::Pacing(_)
            | Body::Privacy(_)
            | Body::Heartbeat
            | Body::Unknown => {}
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::default();
        for shard in self.profiles.shards() {
            out.length(shard.len());
            for (user, touched, profile) in shard.iter() {
                out.user(user);
                out.time(touched);
                write_profile(profile, &mut out);
            }
        }
        out.finish()
    }

    fn restore(&self, bytes: &[u8]) -> Result<(), BadState> {
        self.clear();
        let mut rest = Reader::new(bytes);
        for _ in 0..SHARDS {
            for _ in 0..rest.length()? {
                let (user, touched) = (rest.user()?, rest.time()?);
                let profile = read_profile(&mut rest)?;
                *self.profiles.shard(user).touch(user, touched) = profile;
            }
        }
        rest.finish()
    }

    fn clear(&self) {
        self.profiles.clear();
    }
}

fn write_profile(profile: &ViewerProfile, out: &mut Writer) {
    let ViewerProfile { settled, pending } = profile;
    for interactions in [&settled.recent, pending] {
        out.length(interactions.len());
        interactions.iter().for_each(|interaction| write_interaction(interaction, out));
    }
    out.length(settled.items.len());
    for tally in &settled.items {
        out.hash(tally.item);
        [tally.views, tally.clicks, tally.purchases].into_iter().for_each(|n| out.number(n.into()));
        out.time(tally.last);
        write_option(tally.last_purchase, out);
        [tally.first_order, tally.last_order].into_iter().for_each(|n| out.number(n.into()));
    }
    out.length(settled.categories.len());
    for tally in &settled.categories {
        out.hash(tally.category);
        out.number(tally.interactions.into());
        out.time(tally.last);
    }
    [settled.interactions, settled.purchases, settled.orders].into_iter().for_each(|n| out.number(n.into()));
    write_option(settled.last_order, out);
}

fn read_profile(rest: &mut Reader<'_>) -> Result<ViewerProfile, BadState> {
    let recent = rest.list(read_interaction)?;
    let pending = rest.list(read_interaction)?;
    let items = rest.list(|rest| {
        Ok(ItemTally {
            item: rest.hash()?,
            views: rest.narrow("views")?,
            clicks: rest.narrow("clicks")?,
            purchases: rest.narrow("purchases")?,
            last: rest.time()?,
            last_purchase: read_option(rest)?,
            first_order: rest.narrow("first_order")?,
            last_order: rest.narrow("last_order")?,
        })
    })?;
    let categories = rest.list(|rest| {
        Ok(CategoryTally { category: rest.hash()?, interactions: rest.narrow("interactions")?, last: rest.time()? })
    })?;
    let settled = Viewer {
        recent,
        items,
        categories,
        interactions: rest.narrow("interactions")?,
        purchases: rest.narrow("purchases")?,
        orders: rest.narrow("orders")?,
        last_order: read_option(rest)?,
    };
    let profile = ViewerProfile { settled, pending };
    profile.check().map_err(|_| BadState::OutOfRange("a viewer's profile"))?;
    Ok(profile)
}

fn write_interaction(interaction: &Interaction, out: &mut Writer) {
    out.time(interaction.time);
    out.number(interaction.kind.number().into());
    out.hash(interaction.item);
    out.hash(interaction.category);
}

fn read_interaction(rest: &mut Reader<'_>) -> Result<Interaction, BadState> {
    let (time, kind) = (rest.time()?, rest.narrow("an interaction's kind")?);
    let kind = InteractionKind::from_number(kind).ok_or(BadState::OutOfRange("an interaction's kind"))?;
    Ok(Interaction { time, kind, item: rest.hash()?, category: rest.hash()? })
}

fn write_option(at: Option<Timestamp>, out: &mut Writer) {
    out.number(at.is_some().into());
    if let Some(at) = at {
        out.time(at);
    }
}

fn read_option(rest: &mut Reader<'_>) -> Result<Option<Timestamp>, BadState> {
    match rest.number()? {
        0 => Ok(None),
        1 => rest.time().map(Some),
        _ => Err(BadState::OutOfRange("a flag")),
    }
}
