//! The page that says why a line item was not shown.

use maud::{Markup, html};

use super::frame::{Section, frame};
use super::numbers::{amount, grouped, moment, percent};
use super::operating::WhyNotPage;
use crate::api::why_not::{ObstacleAnswer, WhyNotAnswer};

/// `GET /line-items/ID/why-not`.
#[must_use]
pub fn why_not_page(page: &WhyNotPage) -> String {
    let answer = &page.answer;
    let masthead = html! { p.motto { "why it was not shown" } };
    let body = html! {
        p.notice {
            b { (page.name) } " · line item " (answer.line_item_id) " of "
            a href={ "/campaigns/" (page.campaign_id) } { (page.campaign) } " · "
            @for (i, (name, words)) in [("hour", "the last hour"), ("day", "the last day")].into_iter().enumerate() {
                @if i > 0 { " · " }
                a href={ "?span=" (name) } aria-current=[(page.span == name).then_some("true")] { (words) }
            }
        }
        div.board {
            (summary(answer))
            (obstacles("predicates", "What kept it out before the auction", "It was no candidate in these requests.", &answer.predicates))
            (obstacles("endings", "How it ended where it could have been shown", "It was never a candidate.", &answer.fates))
            (sources(answer))
        }
    };
    frame(&format!("Why not {}: Litfass", page.name), Some(Section::Campaigns), &masthead, &body)
}

fn summary(answer: &WhyNotAnswer) -> Markup {
    html! {
        section.card {
            header { h2 #because { (because(answer)) } @if let (Some(first), Some(last)) = (answer.first_ms, answer.last_ms) { small { (moment(first)) " – " (moment(last)) } } }
            div.figures {
                div { b { (grouped(answer.requests)) } span { "requests of people" } }
                div { b { (grouped(answer.eligible)) } span { "it could have been shown in" } }
                div { b { (grouped(answer.shown)) } span { "it was shown in" } }
                div { b { (answer.median_gap_micros.map_or_else(|| "–".to_owned(), amount)) } span { "per 1,000: median gap when outbid" } }
            }
            @if let Some(at) = answer.cut_off_at_ms { p role="note" { "There were more decisions than one page looks at: these are the ones before " (moment(at)) "." } }
        }
    }
}

/// The answer in one sentence.
fn because(answer: &WhyNotAnswer) -> String {
    if answer.requests == 0 {
        return "Nobody asked for ads in this time".to_owned();
    }
    let others =
        [("no source found it", answer.not_retrieved), ("it was not in the catalog yet", answer.not_there_yet)];
    let named = answer.predicates.iter().chain(&answer.fates).map(|row| (row.text, row.first));
    let most = named.chain(others).max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0);
    match most {
        Some((text, count)) => {
            format!("Most often: {text} ({} of {} requests)", grouped(count), grouped(answer.requests))
        }
        None => "Nothing kept it from being shown".to_owned(),
    }
}

fn obstacles(id: &str, title: &str, none: &str, rows: &[ObstacleAnswer]) -> Markup {
    let mut rows: Vec<&ObstacleAnswer> = rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.first, row.only)));
    html! {
        section.card id=(id) {
            header { h2 { (title) } small { "shares of all requests" } }
            @if rows.is_empty() { p.empty { (none) } }
            @else { div.scroll { table {
                thead { tr {
                    th scope="col" { "Obstacle" } th.n scope="col" { "First in the way" } th.n scope="col" { "" }
                    th.n scope="col" { "The only one" } th.n scope="col" { "" } th.drawn scope="col" { span.sr { "Drawn" } }
                } }
                tbody { @for row in rows { (obstacle(row)) } }
            } } }
        }
    }
}

fn obstacle(row: &ObstacleAnswer) -> Markup {
    html! { tr {
        th scope="row" { (row.text) " " small { (row.stage) " · " code { (row.code) } } }
        td.n { (percent(row.first_share)) } td.n { small { (grouped(row.first)) } }
        td.n { (percent(row.only_share)) } td.n { small { (grouped(row.only)) } }
        td.drawn { svg viewBox="0 0 100 9" preserveAspectRatio="none" aria-hidden="true" {
            rect.first width=(width(row.first_share)) height="9" rx="1" {}
            rect.only width=(width(row.only_share)) height="9" rx="1" {}
        } }
    } }
}

fn width(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

fn sources(answer: &WhyNotAnswer) -> Markup {
    let beside = [
        ("Not in the catalog yet", answer.not_there_yet),
        ("Eligible, and no source found an ad of it", answer.not_retrieved),
        ("Eligible, lost before the auction, and the record does not say how", answer.unrecorded),
        ("Recorded with every candidate", answer.recorded_in_full),
        ("Of a time whose pacing tables do not say who had funds", answer.funds_unknown),
        ("Recorded although it is worked out to be ineligible: a fault of ours", answer.contradicted),
    ];
    html! {
        section.card {
            header { h2 { "How this is known" } }
            dl.facts { @for (name, count) in beside { dt { (name) } dd { (grouped(count)) } } }
            p { small { "Worked out again from the record, the catalog of that moment and the logged pacing tables: " (answer.recomputed.join("; ")) "." } }
            p { small { "From the record: " (answer.recorded.join("; ")) "." } }
        }
    }
}
