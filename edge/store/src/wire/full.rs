//! What only full records keep: every candidate, and what they were judged by.
//!
//! Most ads share what is known of them, so each distinct set of ad signals is written once and candidates name theirs.

use litfass_decide::{CandidateRecord, Full};
use litfass_features::AdSignal;
use litfass_types::{AdId, Ineligible, LineItemId, Value};

use super::decision::PLACEMENTS_MAX;
use super::field::{WireError, Within, as_long, at_most, each, narrow, probability, signed128, unknown};
use super::{gathered, market, proto};

/// Rows that the sources return, at most.
const CANDIDATES_MAX: usize = 10_000;
/// Predicates, at most.
const REASONS_MAX: usize = 1_000;
/// Numbers of one set of ad signals.
const NUMBERS: usize = 4;

/// Bits, so that what is compared is what is written.
type Numbers = [u32; NUMBERS];

pub(super) fn to_proto(full: &Full) -> proto::Full {
    let mut signals: Vec<Numbers> = full.candidates.iter().map(|candidate| numbers(&candidate.signal)).collect();
    signals.sort_unstable();
    signals.dedup();
    let candidates = full.candidates.iter().map(|candidate| candidate_to_proto(candidate, &signals));
    proto::Full {
        candidates: candidates.collect(),
        ineligible: full.ineligible.iter().map(|(reason, _)| u32::from(reason.number())).collect(),
        ineligible_count: full.ineligible.iter().map(|(_, count)| *count).collect(),
        signals: signals.iter().flatten().map(|bits| f32::from_bits(*bits)).collect(),
        gathered: full.gathered.as_ref().map(gathered::to_proto),
    }
}

pub(super) fn from_proto(message: proto::Full) -> Result<Full, WireError> {
    at_most(&message.candidates, CANDIDATES_MAX, "candidates")?;
    at_most(&message.ineligible, REASONS_MAX, "ineligible")?;
    at_most(&message.signals, CANDIDATES_MAX * NUMBERS, "signals")?;
    as_long(&message.ineligible_count, message.ineligible.len(), "ineligible_count")?;
    let reasons = each(message.ineligible, "ineligible", ineligible)?;
    let (signals, _) = message.signals.as_chunks::<NUMBERS>();
    Ok(Full {
        gathered: message.gathered.map(gathered::from_proto).transpose().within("gathered")?,
        candidates: each(message.candidates, "candidates", |candidate| candidate_from_proto(candidate, signals))?,
        ineligible: reasons.into_iter().zip(message.ineligible_count).collect(),
    })
}

fn ineligible(number: u32) -> Result<Ineligible, WireError> {
    u8::try_from(number).ok().and_then(Ineligible::from_number).ok_or_else(|| unknown(number))
}

const fn numbers(signal: &AdSignal) -> Numbers {
    [
        signal.popularity_30d.to_bits(),
        signal.popularity_7d.to_bits(),
        signal.click_rate.to_bits(),
        signal.conversion_rate.to_bits(),
    ]
}

fn candidate_to_proto(candidate: &CandidateRecord, signals: &[Numbers]) -> proto::Candidate {
    let signal = signals.binary_search(&numbers(&candidate.signal)).unwrap_or(0);
    proto::Candidate {
        ad: candidate.ad.0,
        line_item: candidate.line_item.0,
        sources: u32::from(candidate.sources),
        click: candidate.click.bits(),
        value: candidate.value.0.to_be_bytes().to_vec(),
        fates: candidate.fates.iter().map(|fate| u32::from(fate.number())).collect(),
        signal: u32::try_from(signal).unwrap_or(u32::MAX),
    }
}

fn candidate_from_proto(message: proto::Candidate, signals: &[[f32; NUMBERS]]) -> Result<CandidateRecord, WireError> {
    at_most(&message.fates, PLACEMENTS_MAX, "fates")?;
    Ok(CandidateRecord {
        ad: AdId(message.ad),
        line_item: LineItemId(message.line_item),
        sources: narrow(message.sources, "sources")?,
        signal: signal(message.signal, signals).within("signal")?,
        click: probability(message.click, "click")?,
        value: Value(signed128(&message.value).within("value")?),
        fates: each(message.fates, "fates", market::fate)?,
    })
}

/// Records of the first format have none.
fn signal(number: u32, signals: &[[f32; NUMBERS]]) -> Result<AdSignal, WireError> {
    if signals.is_empty() && number == 0 {
        return Ok(AdSignal::default());
    }
    let found = usize::try_from(number).ok().and_then(|number| signals.get(number)).ok_or_else(|| unknown(number))?;
    let [popularity_30d, popularity_7d, click_rate, conversion_rate] = *found;
    Ok(AdSignal { popularity_30d, popularity_7d, click_rate, conversion_rate })
}
