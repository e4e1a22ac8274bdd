//! How the process itself is: what runs, how far behind it is, where it writes, and what it was told.

use maud::{Markup, html};

use super::frame::{Section, frame};
use super::numbers::{grouped, moment};
use super::operating::{HealthView, PartitionView};
use crate::workers::pulse::State;

/// `GET /health`.
#[must_use]
pub fn health_page(view: &HealthView) -> String {
    let masthead = html! { p.motto { "how the server is" } };
    let body = html! {
        p.notice role="status" { b { (verdict(view)) } " · up for " (lasting(view.uptime_s)) " · catalog version " (view.catalog_version) }
        div.board {
            (workers(&view.workers))
            (partitions(&view.partitions))
            (facts("Folds of the log", &view.folds))
            (facts("Disk", &view.disk))
            (facts("Decided with", &view.world))
            section.card #config {
                header { h2 { "Configuration in force" } }
                pre tabindex="0" role="region" aria-label="Configuration" { (view.config) }
            }
        }
    };
    frame("Health: Litfass", Some(Section::Health), &masthead, &body)
}

fn verdict(view: &HealthView) -> String {
    if view.failing.is_empty() { "Ready".to_owned() } else { format!("Not ready: {}", view.failing.join(", ")) }
}

/// Seconds as people say them.
fn lasting(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn workers(rows: &[(&'static str, State)]) -> Markup {
    html! {
        section.card.third #workers {
            header { h2 { "Workers" } }
            dl.facts { @for (name, state) in rows { dt { (name) } dd { (stated(*state)) } } }
        }
    }
}

fn stated(state: State) -> Markup {
    let (class, text) = match state {
        State::Well => ("serving", "well"),
        State::Failing => ("exhausted", "failing: it tries again"),
        State::Dead => ("exhausted", "dead: restart the server"),
    };
    html! { span.stand.(class) { (text) } }
}

fn partitions(rows: &[PartitionView]) -> Markup {
    let behind = |behind: Option<u64>| behind.map_or_else(|| "–".to_owned(), grouped);
    html! {
        section.card.two-thirds #partitions {
            header { h2 { "Event log" } small { "entries" } }
            table {
                thead { tr {
                    th scope="col" { "Partition" } th.n scope="col" { "Written" } th.n scope="col" { "Ledger behind" } th.n scope="col" { "Folds behind" } th.n scope="col" { "Last entry" }
                } }
                tbody { @for row in rows { tr {
                    th scope="row" { (row.number) }
                    td.n { (grouped(row.written)) } td.n { (behind(row.ledger_behind)) } td.n { (behind(row.folds_behind)) }
                    td.n { (row.last_ms.map_or_else(String::new, moment)) }
                } } }
            }
        }
    }
}

fn facts(title: &str, rows: &[(String, String)]) -> Markup {
    html! {
        section.card.third {
            header { h2 { (title) } }
            dl.facts { @for (name, value) in rows { dt { (name) } dd { (value) } } }
        }
    }
}
