//! The decision record.

use litfass_decide::{
    AdRequest, CandidateRecord, Context, DecisionRecord, Full, Inputs, PlacementRequest, StageName, WorldVersion,
};
use litfass_types::{
    AdId, CatalogVersion, DecisionId, Device, Fate, Ineligible, LineItemId, Nanos, Os, PlacementId, Port, Seed,
    TenantId, Timestamp, Value,
};

use super::field::{
    WireError, Within, array, as_long, at_most, each, id128, narrow, optional_user, probability, required, short,
    signed128, traffic, unknown, user_to_proto,
};
use super::{market, proto};

/// Entries of any list of a request, at most.
const LIST_MAX: usize = 1_000;
/// Bytes of any text of a request, at most.
const TEXT_MAX: usize = 4_096;
/// Placements of one request, at most.
const PLACEMENTS_MAX: usize = 64;
/// Rows that the sources return, at most.
const CANDIDATES_MAX: usize = 10_000;

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
        full: record.full.as_ref().map(full_to_proto),
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
        full: message.full.map(full).transpose().within("full")?,
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
    })
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

fn placement(message: proto::PlacementRequest) -> Result<PlacementRequest, WireError> {
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

fn full_to_proto(full: &Full) -> proto::Full {
    proto::Full {
        candidates: full.candidates.iter().map(candidate_to_proto).collect(),
        ineligible: full.ineligible.iter().map(|(reason, _)| u32::from(reason.number())).collect(),
        ineligible_count: full.ineligible.iter().map(|(_, count)| *count).collect(),
    }
}

fn full(message: proto::Full) -> Result<Full, WireError> {
    at_most(&message.candidates, CANDIDATES_MAX, "candidates")?;
    at_most(&message.ineligible, LIST_MAX, "ineligible")?;
    as_long(&message.ineligible_count, message.ineligible.len(), "ineligible_count")?;
    let reasons = each(message.ineligible, "ineligible", ineligible)?;
    Ok(Full {
        candidates: each(message.candidates, "candidates", candidate)?,
        ineligible: reasons.into_iter().zip(message.ineligible_count).collect(),
    })
}

fn ineligible(number: u32) -> Result<Ineligible, WireError> {
    u8::try_from(number).ok().and_then(Ineligible::from_number).ok_or_else(|| unknown(number))
}

fn candidate_to_proto(candidate: &CandidateRecord) -> proto::Candidate {
    proto::Candidate {
        ad: candidate.ad.0,
        line_item: candidate.line_item.0,
        sources: u32::from(candidate.sources),
        click: candidate.click.bits(),
        value: candidate.value.0.to_be_bytes().to_vec(),
        fates: candidate.fates.iter().map(|fate| u32::from(fate.number())).collect(),
    }
}

fn candidate(message: proto::Candidate) -> Result<CandidateRecord, WireError> {
    at_most(&message.fates, PLACEMENTS_MAX, "fates")?;
    Ok(CandidateRecord {
        ad: AdId(message.ad),
        line_item: LineItemId(message.line_item),
        sources: narrow(message.sources, "sources")?,
        click: probability(message.click, "click")?,
        value: Value(signed128(&message.value).within("value")?),
        fates: each(message.fates, "fates", market::fate)?,
    })
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
