//! The decision record.

use litfass_decide::{AdRequest, Context, DecisionRecord, Inputs, PlacementRequest, StageName, WorldVersion};
use litfass_types::{
    CatalogVersion, DecisionId, Device, Fate, Nanos, Os, PlacementId, Port, Position, Seed, TenantId, Timestamp,
};

use super::field::{
    WireError, Within, array, as_long, at_most, each, id128, narrow, optional_user, required, short, traffic, unknown,
    user_to_proto,
};
use super::{full, market, proto};

/// Entries of any list of a request, at most.
pub(super) const LIST_MAX: usize = 1_000;
/// Bytes of any text of a request, at most.
pub(super) const TEXT_MAX: usize = 4_096;
/// Placements of one request, at most.
pub(super) const PLACEMENTS_MAX: usize = 64;

pub(super) fn to_proto(record: &DecisionRecord) -> proto::Decision {
    let timings = record.timings.iter();
    proto::Decision {
        id: record.id.0.to_be_bytes().to_vec(),
        inputs: Some(inputs_to_proto(&record.inputs)),
        market: Some(market::to_proto(&record.market)),
        refused: record.refused.iter().map(market::refusal_to_proto).collect(),
        viewer: Some(market::block_to_proto(&record.viewer)),
        shown: record.shown.iter().map(market::shown_to_proto).collect(),
        rows: Some(market::rows_to_proto(&record.rows)),
        counts: record.counts.iter().map(|counts| counts_to_proto(counts)).collect(),
        full: record.full.as_ref().map(full::to_proto),
        timings: timings
            .map(|(stage, micros)| proto::Timing { stage: stage_to_proto(*stage), micros: *micros })
            .collect(),
    }
}

pub(super) fn from_proto(message: proto::Decision) -> Result<DecisionRecord, WireError> {
    at_most(&message.refused, LIST_MAX, "refused")?;
    at_most(&message.shown, LIST_MAX, "shown")?;
    at_most(&message.counts, PLACEMENTS_MAX, "counts")?;
    at_most(&message.timings, LIST_MAX, "timings")?;
    Ok(DecisionRecord {
        id: DecisionId(id128(&message.id).within("id")?),
        inputs: inputs(required(message.inputs, "inputs")?).within("inputs")?,
        market: market::from_proto(required(message.market, "market")?).within("market")?,
        refused: each(message.refused, "refused", market::refusal)?,
        viewer: market::block(required(message.viewer, "viewer")?).within("viewer")?,
        shown: each(message.shown, "shown", |shown| market::shown(&shown))?,
        rows: market::rows(required(message.rows, "rows")?).within("rows")?,
        counts: each(message.counts, "counts", counts)?,
        full: message.full.map(full::from_proto).transpose().within("full")?,
        timings: each(message.timings, "timings", |timing| Ok((stage(timing.stage).within("stage")?, timing.micros)))?,
    })
}

fn inputs_to_proto(inputs: &Inputs) -> proto::Inputs {
    proto::Inputs {
        request: Some(request_to_proto(&inputs.request)),
        now_ms: inputs.now.0,
        seed: inputs.seed.0,
        world: Some(world_to_proto(&inputs.world)),
        degraded: inputs.degraded.iter().map(|port| port_to_proto(*port)).collect(),
        viewer_as_of: inputs.viewer_as_of.map(position_to_proto),
        caps_as_of: inputs.caps_as_of.map(position_to_proto),
    }
}

fn inputs(message: proto::Inputs) -> Result<Inputs, WireError> {
    at_most(&message.degraded, LIST_MAX, "degraded")?;
    Ok(Inputs {
        request: request(required(message.request, "request")?).within("request")?,
        now: Timestamp(message.now_ms),
        seed: Seed(message.seed),
        world: world(required(message.world, "world")?).within("world")?,
        degraded: each(message.degraded, "degraded", port)?,
        viewer_as_of: message.viewer_as_of.map(position).transpose().within("viewer_as_of")?,
        caps_as_of: message.caps_as_of.map(position).transpose().within("caps_as_of")?,
    })
}

fn position_to_proto(position: Position) -> proto::Position {
    proto::Position { partition: u32::from(position.partition), offset: position.offset }
}

fn position(message: proto::Position) -> Result<Position, WireError> {
    Ok(Position { partition: narrow(message.partition, "partition")?, offset: message.offset })
}

fn request_to_proto(request: &AdRequest) -> proto::AdRequest {
    let placements = request.placements.iter().map(|p| proto::PlacementRequest {
        id: p.id.0,
        slots: u32::from(p.slots),
        floor_nanos: p.floor.0,
    });
    proto::AdRequest {
        request_id: request.request_id.clone(),
        tenant: request.tenant.0,
        user: request.user.map(user_to_proto),
        personalise: request.personalise,
        placements: placements.collect(),
        context: Some(context_to_proto(&request.context)),
        traffic: request.traffic.number().into(),
    }
}

fn request(message: proto::AdRequest) -> Result<AdRequest, WireError> {
    at_most(&message.placements, PLACEMENTS_MAX, "placements")?;
    Ok(AdRequest {
        request_id: text(message.request_id, "request_id")?,
        tenant: TenantId(message.tenant),
        user: optional_user(message.user.as_ref(), "user")?,
        personalise: message.personalise,
        placements: each(message.placements, "placements", placement)?,
        context: context(required(message.context, "context")?).within("context")?,
        traffic: traffic(message.traffic, "traffic")?,
    })
}

pub(super) fn placement(message: proto::PlacementRequest) -> Result<PlacementRequest, WireError> {
    let slots = narrow(message.slots, "slots")?;
    Ok(PlacementRequest { id: PlacementId(message.id), slots, floor: Nanos(message.floor_nanos) })
}

fn context_to_proto(context: &Context) -> proto::Context {
    let pairs = context.key_values.iter();
    proto::Context {
        device: context.device.map(|device| device.name().to_owned()),
        os: context.os.map(|os| os.name().to_owned()),
        country: context.country.clone(),
        region: context.region.clone(),
        city: context.city.clone(),
        url: context.url.clone(),
        categories: context.categories.clone(),
        keywords: context.keywords.clone(),
        segments: context.segments.clone(),
        key_values: pairs.map(|(key, value)| proto::KeyValue { key: key.clone(), value: value.clone() }).collect(),
    }
}

fn context(message: proto::Context) -> Result<Context, WireError> {
    at_most(&message.key_values, LIST_MAX, "key_values")?;
    Ok(Context {
        device: named(message.device, "device", Device::parse)?,
        os: named(message.os, "os", Os::parse)?,
        country: text(message.country, "country")?,
        region: text(message.region, "region")?,
        city: text(message.city, "city")?,
        url: text(message.url, "url")?,
        categories: texts(message.categories, "categories")?,
        keywords: texts(message.keywords, "keywords")?,
        segments: texts(message.segments, "segments")?,
        key_values: each(message.key_values, "key_values", |pair| {
            Ok((short(pair.key, TEXT_MAX, "key")?, short(pair.value, TEXT_MAX, "value")?))
        })?,
    })
}

fn text(text: Option<String>, field: &str) -> Result<Option<String>, WireError> {
    text.map(|text| short(text, TEXT_MAX, field)).transpose()
}

fn texts(list: Vec<String>, field: &str) -> Result<Vec<String>, WireError> {
    at_most(&list, LIST_MAX, field)?;
    each(list, field, |text| short(text, TEXT_MAX, ""))
}

fn named<T>(name: Option<String>, field: &str, parse: fn(&str) -> Option<T>) -> Result<Option<T>, WireError> {
    let known = name.map(|name| parse(&name).ok_or_else(|| unknown(name)));
    known.transpose().within(field)
}

fn world_to_proto(world: &WorldVersion) -> proto::WorldVersion {
    proto::WorldVersion {
        catalog_timeline: world.catalog.timeline,
        catalog_sequence: world.catalog.sequence,
        profile: world.profile.to_vec(),
        rules: world.rules.to_vec(),
        pacing: world.pacing,
        signals: world.signals,
        time_zones: world.time_zones.clone(),
    }
}

fn world(message: proto::WorldVersion) -> Result<WorldVersion, WireError> {
    Ok(WorldVersion {
        catalog: CatalogVersion { timeline: message.catalog_timeline, sequence: message.catalog_sequence },
        profile: array(&message.profile).within("profile")?,
        rules: array(&message.rules).within("rules")?,
        pacing: message.pacing,
        signals: message.signals,
        time_zones: short(message.time_zones, TEXT_MAX, "time_zones")?,
    })
}

fn counts_to_proto(counts: &[(Fate, u32)]) -> proto::FateCounts {
    let fate = counts.iter().map(|(fate, _)| u32::from(fate.number())).collect();
    proto::FateCounts { fate, count: counts.iter().map(|(_, count)| *count).collect() }
}

fn counts(message: proto::FateCounts) -> Result<Vec<(Fate, u32)>, WireError> {
    at_most(&message.fate, LIST_MAX, "fate")?;
    as_long(&message.count, message.fate.len(), "count")?;
    let fates = each(message.fate, "fate", market::fate)?;
    Ok(fates.into_iter().zip(message.count).collect())
}

const fn port_to_proto(port: Port) -> i32 {
    match port {
        Port::Viewer => proto::Port::Viewer as i32,
        Port::Caps => proto::Port::Caps as i32,
        Port::Predictor => proto::Port::Predictor as i32,
    }
}

fn port(number: i32) -> Result<Port, WireError> {
    Port::ALL.into_iter().find(|port| port_to_proto(*port) == number).ok_or_else(|| unknown(number))
}

const fn stage_to_proto(stage: StageName) -> i32 {
    match stage {
        StageName::Gather => proto::Stage::Gather as i32,
        StageName::Shortlist => proto::Stage::Shortlist as i32,
        StageName::Predict => proto::Stage::Predict as i32,
        StageName::Settle => proto::Stage::Settle as i32,
    }
}

fn stage(number: i32) -> Result<StageName, WireError> {
    StageName::ALL.into_iter().find(|stage| stage_to_proto(*stage) == number).ok_or_else(|| unknown(number))
}
