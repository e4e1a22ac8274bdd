//! The page of one decision: what was asked, who won which slot at what price against whom, and how every candidate ended.

use maud::{Markup, html};

use super::frame::{Section, frame};
use super::numbers::{amount, grouped, moment, percent, price, span};
use super::view::{CandidateView, Count, Ending, ExplanationView, Fact, PlacementView, ShownView};

/// `GET /decisions/ID`.
#[must_use]
pub fn decision_page(view: &ExplanationView) -> String {
    let masthead = html! { p.motto { "one decision, explained" } };
    let body = html! {
        p.notice {
            b { (moment(view.time_ms)) } " · decision " code { (view.id) } " · "
            @match &view.user { Some(user) => { "viewer " code { (user) } } None => { "anonymous viewer" } }
            " · " a href="/" { "what is happening now" }
        }
        div.board {
            @for (index, placement) in view.placements.iter().enumerate() { (placement_card(placement, index, view.placements.len())) }
            (facts_card("What was asked", &view.request, &view.degraded))
            (world_card(view))
            (ineligible_card(view))
            (candidates_card(view))
        }
    };
    frame(
        &format!("Decision {}: Litfass", view.id.get(..8).unwrap_or(&view.id)),
        Some(Section::Decisions),
        &masthead,
        &body,
    )
}

fn placement_card(placement: &PlacementView, index: usize, of: usize) -> Markup {
    let class = if of == 1 { "card" } else { "card half" };
    let most = placement.shown.iter().map(|shown| shown.value_micros).fold(0.0, f64::max);
    html! {
        section class=(class) id={ "placement-" (index) } {
            header {
                h2 { (placement.name) }
                small { (placement.shown.len()) " of " (placement.slots) " slots filled · floor " (amount(placement.floor_micros)) " per 1,000" }
            }
            @if placement.shown.is_empty() { p.empty { "Nothing was shown here." } }
            ol.slots { @for shown in &placement.shown { (slot(shown, most)) } }
            h3 { "How the candidates ended here" }
            (counts(&placement.fates, if index == 0 { "fates" } else { "" }))
        }
    }
}

fn slot(shown: &ShownView, most: f64) -> Markup {
    html! {
        li {
            span.rank { (u32::from(shown.slot) + 1) }
            div { b { (shown.title) } br; small { (shown.advertiser) " · ad " (shown.ad_id) } }
            div.price {
                b { (price(&shown.price)) } br;
                small { "bid " (price(&shown.bid)) " · pCTR " (percent(shown.pctr)) }
            }
            div.duel {
                span.who { "this ad's value" } (bar("own", shown.value_micros, most)) span.n { (value(shown.value_micros)) }
                @if let Some(rival) = &shown.runner_up {
                    span.who title=(rival.title) { "runner-up: " (rival.title) ", " (rival.advertiser) }
                    (bar("other", rival.value_micros, most)) span.n { (value(rival.value_micros)) }
                }
            }
            small.priced { (why(shown)) }
        }
    }
}

fn why(shown: &ShownView) -> &'static str {
    match (shown.explored, &shown.runner_up) {
        (true, _) => "shown to learn about it; pays the floor",
        (false, Some(_)) => "pays the least that still beats the runner-up",
        (false, None) => "nobody else could have this slot; pays the floor",
    }
}

fn bar(class: &str, value: f64, most: f64) -> Markup {
    let width = if most > 0.0 { (100.0 * value / most).clamp(0.5, 100.0) } else { 0.5 };
    html! {
        svg viewBox="0 0 100 9" preserveAspectRatio="none" aria-hidden="true" { rect class=(class) width=(format!("{width:.1}")) height="9" rx="1" {} }
    }
}

/// Value of a thousand impressions.
fn value(micros: f64) -> String {
    format!("{:.2}", micros / 1e6)
}

fn facts_card(title: &str, facts: &[Fact], degraded: &[String]) -> Markup {
    html! {
        section.card.third {
            header { h2 { (title) } }
            (fact_list(facts))
            @if !degraded.is_empty() {
                p.chips { @for port in degraded { span.chip.degraded { "decided without " (port) } } }
            }
        }
    }
}

fn fact_list(facts: &[Fact]) -> Markup {
    html! { dl.facts { @for fact in facts { dt { (fact.name) } dd { (fact.value) } } } }
}

fn world_card(view: &ExplanationView) -> Markup {
    html! {
        section.card.third {
            header { h2 { "Decided with" } }
            dl.facts { @for fact in &view.world { dt { (fact.name) } dd { code { (fact.value) } } } }
            @if !view.steps.is_empty() {
                h3 { "Time per step" }
                p.steps { @for step in &view.steps { span { (step.name) " " b { (span(step.took_us)) } } } }
            }
        }
    }
}

fn ineligible_card(view: &ExplanationView) -> Markup {
    let removed: u64 = view.ineligible.iter().map(|count| count.count).sum();
    html! {
        section.card.third {
            header {
                h2 { "Not even candidates" }
                @if view.line_items > 0 { small { (grouped(removed)) " of " (grouped(view.line_items)) " line items" } }
            }
            @if view.full { (counts(&view.ineligible, "ineligible")) }
            @else { p.empty { "This record keeps the shown ads only; a sample of decisions is kept in full." } }
        }
    }
}

fn counts(counts: &[Count], id: &str) -> Markup {
    let mut rows: Vec<&Count> = counts.iter().filter(|count| count.count > 0).collect();
    rows.sort_by_key(|count| std::cmp::Reverse(count.count));
    let id = (!id.is_empty()).then_some(id);
    html! {
        ul.reasons id=[id] {
            @for count in rows {
                li class={ (count.stage) " " (count.code) } { span { (count.text) } span.n { (grouped(count.count)) } }
            }
        }
    }
}

fn candidates_card(view: &ExplanationView) -> Markup {
    let (entered, cut): (Vec<_>, Vec<_>) =
        sorted(view).into_iter().partition(|candidate| candidate.value_micros.is_some());
    html! {
        section.card id="candidates" {
            header {
                h2 { "Every candidate" }
                small { (grouped(view.candidates.len() as u64)) " in the record, " (entered.len()) " entered the auction" }
            }
            div.scroll { (table(view, &entered)) }
            @if !cut.is_empty() {
                details {
                    summary { (grouped(cut.len() as u64)) " that did not enter the auction" }
                    div.scroll { (table(view, &cut)) }
                }
            }
        }
    }
}

/// Dearest first, then best first-phase score.
fn sorted(view: &ExplanationView) -> Vec<&CandidateView> {
    let mut rows: Vec<&CandidateView> = view.candidates.iter().collect();
    let key = |value: Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
    rows.sort_by(|a, b| {
        key(b.value_micros).total_cmp(&key(a.value_micros)).then(key(b.score).total_cmp(&key(a.score)))
    });
    rows
}

fn table(view: &ExplanationView, rows: &[&CandidateView]) -> Markup {
    html! {
        table.candidates {
            thead { tr {
                th scope="col" { "Ad" } th scope="col" { "Found by" } th.n scope="col" { "First score" } th.n scope="col" { "Bid" }
                th.n scope="col" { "pCTR" } th.n scope="col" { "pCVR" } th.n scope="col" { "Value of 1,000" }
                @for placement in &view.placements { th scope="col" { (placement.name) } }
            } }
            tbody { @for row in rows { (candidate(row)) } }
        }
    }
}

fn candidate(row: &CandidateView) -> Markup {
    html! {
        tr {
            td.ad {
                (row.title) small { (row.advertiser) ", " (row.campaign) " · ad " (row.ad_id) ", line item " (row.line_item_id) }
                @if !row.features.is_empty() {
                    details { summary { (row.features.len()) " features" } (fact_list(&row.features)) }
                }
            }
            td { (row.sources.join(", ")) }
            td.n { (number(row.score, |score| format!("{score:.4}"))) }
            td.n {
                @if let Some(bid) = &row.bid { (price(bid)) }
                @if let Some(ppm) = row.pacing_ppm.filter(|ppm| *ppm < 1_000_000) { br; small { "paced × " (format!("{:.2}", f64::from(ppm) / 1e6)) } }
            }
            td.n { (number(row.pctr, percent)) }
            td.n { (number(row.pcvr, percent)) }
            td.n { (number(row.value_micros, value)) }
            @for ending in &row.fates { (fate(ending)) }
        }
    }
}

fn number(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.map(show).unwrap_or_default()
}

fn fate(ending: &Ending) -> Markup {
    let class = if ending.code == "shown" { "shown" } else { ending.stage.as_str() };
    html! {
        td.fate { span class=(class) {
            @if let Some(slot) = ending.slot { "slot " (u32::from(slot) + 1) ": " }
            (ending.text)
            @if let Some(paid) = &ending.price { ", at " (price(paid)) }
        } }
    }
}
