//! The last decisions, and the way to any other by its id.

use maud::{Markup, html};

use super::frame::{Section, frame};
use super::numbers::{grouped, moment, price, span};
use super::view::DecisionRow;

/// `GET /decisions`; `None` where who looks does not see all tenants.
#[must_use]
pub fn decisions_page(rows: Option<&[DecisionRow]>) -> String {
    let masthead = html! { p.motto { "who was shown, and why" } };
    let body = html! {
        form.filter method="get" action="/decisions" role="search" {
            label { "Decision " input type="search" name="id" size="36" placeholder="32 hexadecimal digits" required; }
            button type="submit" { "Explain" }
        }
        section.card {
            header { h2 { "The last decisions" } @if rows.is_some() { small { "at most ten a second are listed" } } }
            @match rows {
                None => p.empty { "This list shows all tenants together: it takes a key of the platform. A decision of your own is found by its id." }
                Some([]) => p.empty { "Nothing was decided since the server started." }
                Some(rows) => div.scroll tabindex="0" role="region" aria-label="The last decisions" { (table(rows)) }
            }
        }
    };
    frame("Decisions: Litfass", Some(Section::Decisions), &masthead, &body)
}

fn table(rows: &[DecisionRow]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Decision" } th scope="col" { "When" } th scope="col" { "Asked" } th scope="col" { "Shown" }
                th.n scope="col" { "Candidates" } th.n scope="col" { "Took" }
            } }
            tbody { @for row in rows { tr {
                td { a href={ "/decisions/" (row.id) } { code { (row.id.get(..8).unwrap_or(&row.id)) } } }
                td { (moment(row.time_ms)) }
                td { (row.context) }
                td { (shown(row)) }
                td.n { (grouped(row.candidates.into())) }
                td.n { (span(row.took_us)) }
            } } }
        }
    }
}

fn shown(row: &DecisionRow) -> Markup {
    html! {
        @if row.shown.is_empty() { span.faint { "nobody" } }
        @for won in &row.shown { div { (won.title) " " small { (won.advertiser) " · " (price(&won.price)) } } }
    }
}
