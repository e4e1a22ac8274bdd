//! What an entry of the log is to the ledger: a claim, an event that only reports count, an order, or a request.
//!
//! Nothing is read but the entry, so the same log gives the same batches. An event's own time decides the hour it is reported
//! in; it is kept between its decision and its append, so that a wrong clock moves a figure by no more than the event was late.

use litfass_events::{Conversion, Delivery, Envelope, EventKind, Token};
use litfass_ledger::{
    Asked, Batch, Billable, Buyer, Chain, Claim, ClaimId, Country, Entry, Facet, Forgotten, Order, OrderId, Overflow,
    Quarter, Sighting, Slice, Spot, Viewer,
};
use litfass_store::wire::{Body, Logged, Outline};
use litfass_types::{Timestamp, Traffic};

/// Adds the entry, read in outline, to the batch where it says anything to the ledger; tests are neither billed nor reported.
///
/// # Errors
/// Where more was asked for than can be counted.
pub fn take(batch: &mut Batch, logged: &Logged) -> Result<(), Overflow> {
    if logged.body.traffic() == Traffic::Test {
        return Ok(());
    }
    match &logged.body {
        Body::Delivery(delivery) => deliver(batch, logged, delivery),
        Body::Conversion(conversion) => {
            batch.entries.extend(claim(logged));
            batch.orders.extend(order(logged, conversion));
        }
        Body::Outline(decision) => ask(batch, decision)?,
        Body::Privacy(privacy) if privacy.wish.forgets() => batch.forgotten.push(Forgotten {
            position: logged.position,
            appended: logged.envelope.append_time,
            viewer: Viewer { tenant: privacy.tenant, user: privacy.user },
        }),
        Body::Decision(_)
        | Body::ItemView(_)
        | Body::Command(_)
        | Body::Pacing(_)
        | Body::Privacy(_)
        | Body::Heartbeat
        | Body::Unknown => {}
    }
    Ok(())
}

fn deliver(batch: &mut Batch, logged: &Logged, delivery: &Delivery) {
    if let Some(entry) = claim(logged) {
        batch.entries.push(entry);
    } else if let Some(kind) = billable(delivery.kind) {
        let token = &delivery.token;
        batch.sightings.push(Sighting {
            position: logged.position,
            appended: logged.envelope.append_time,
            id: claim_id(token, kind),
            slice: Slice::new(token.tenant, &chain(token), facet(token, &logged.envelope)),
            viewer: token.user,
            token_expires: token.expires,
        });
    }
}

const fn billable(kind: EventKind) -> Option<Billable> {
    match kind {
        EventKind::Impression => Some(Billable::Impression),
        EventKind::Viewable => Some(Billable::Viewable),
        EventKind::Click => Some(Billable::Click),
        EventKind::Conversion | EventKind::View => None,
    }
}

/// What a crawler did has a key of its own: it counts once, and the viewer's own event still bills.
fn claim_id(token: &Token, kind: Billable) -> ClaimId {
    let order = if token.traffic.counts() { String::new() } else { token.traffic.name().to_owned() };
    ClaimId { decision: token.decision, slot: token.slot, kind, order }
}

/// What the entry may charge; `None` where it is not a billable event. An order bills by the token of the click that came with
/// it, and by no other.
#[must_use]
pub fn claim(logged: &Logged) -> Option<Entry> {
    match &logged.body {
        Body::Delivery(delivery) => {
            let (token, kind) = (&delivery.token, billable(delivery.kind)?);
            token.bills(delivery.kind).then(|| entry(logged, token, claim_id(token, kind)))
        }
        Body::Conversion(conversion) => {
            let token = conversion.click.as_ref().filter(|token| token.bills(EventKind::Conversion))?;
            let id = ClaimId { order: conversion.order_id.clone(), ..claim_id(token, Billable::Conversion) };
            Some(entry(logged, token, id))
        }
        Body::Decision(_)
        | Body::Outline(_)
        | Body::ItemView(_)
        | Body::Command(_)
        | Body::Pacing(_)
        | Body::Privacy(_)
        | Body::Heartbeat
        | Body::Unknown => None,
    }
}

fn entry(logged: &Logged, token: &Token, id: ClaimId) -> Entry {
    Entry {
        position: logged.position,
        appended: logged.envelope.append_time,
        claim: Claim {
            id,
            tenant: token.tenant,
            chain: chain(token),
            facet: facet(token, &logged.envelope),
            viewer: token.user,
            price: token.price,
            lease: token.lease,
            hold_expires: token.hold_expires,
            token_expires: token.expires,
        },
    }
}

const fn chain(token: &Token) -> Chain {
    Chain { account: token.advertiser, campaign: token.campaign, line_item: token.line_item, day: token.budget_day }
}

fn facet(token: &Token, envelope: &Envelope) -> Facet {
    Facet {
        quarter: Quarter::of(happened(envelope, token.decision.time())),
        ad: token.ad,
        creative: token.creative,
        placement: token.placement,
        country: Country::of(&token.geo),
        traffic: token.traffic,
    }
}

/// When it happened: not before what led to it, not after it was recorded.
fn happened(envelope: &Envelope, not_before: Timestamp) -> Timestamp {
    envelope.event_time.max(not_before).min(envelope.append_time)
}

/// An order that might belong to a click; one of nobody in particular without a token cannot.
fn order(logged: &Logged, conversion: &Conversion) -> Option<Order> {
    let tenant = conversion.tenant;
    let buyer = match (conversion.buyer(), &conversion.click) {
        (Some(user), _) => Buyer::Viewer(Viewer { tenant, user }),
        (None, Some(token)) => Buyer::Slot(tenant, token.decision, token.slot),
        (None, None) => return None,
    };
    let click = conversion.click.as_ref();
    Some(Order {
        position: logged.position,
        appended: logged.envelope.append_time,
        id: OrderId { buyer, order: conversion.order_id.clone() },
        click: click.map(|token| Slice::new(token.tenant, &chain(token), facet(token, &logged.envelope))),
        at: logged.envelope.event_time,
        value_micros: conversion.value_micros,
    })
}

fn ask(batch: &mut Batch, decision: &Outline) -> Result<(), Overflow> {
    let spot = |placement| Spot {
        tenant: decision.tenant,
        quarter: Quarter::of(decision.now),
        placement,
        country: Country::of(decision.country.as_deref().unwrap_or_default()),
        traffic: decision.traffic,
    };
    for (asked, candidates) in decision.placements.iter().zip(&decision.candidates) {
        let eligible = u64::from(*candidates > 0);
        let one = Asked { requests: 1, eligible, slots: asked.slots.into(), filled: 0 };
        add(batch, spot(asked.id), &one)?;
    }
    let filled = Asked { filled: 1, ..Asked::default() };
    decision.shown.iter().try_for_each(|shown| add(batch, spot(shown.placement), &filled))
}

fn add(batch: &mut Batch, spot: Spot, asked: &Asked) -> Result<(), Overflow> {
    let sum = batch.asked.entry(spot).or_default();
    *sum = sum.plus(asked)?;
    Ok(())
}
