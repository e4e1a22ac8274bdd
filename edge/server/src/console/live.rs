//! The live page: a shell that the script fills, with the first view inside, so that nothing blinks while it loads.

use maud::{Markup, PreEscaped, html};

use super::frame::{Section, frame};
use super::numbers::grouped;
use super::view::{Audience, LiveView};

/// `GET /`.
#[must_use]
pub fn live_page(view: &LiveView) -> String {
    let masthead = html! {
        p.motto { (motto(&view.audience)) }
        p.status { i {} span #status role="status" { "live" } " · " span #uptime {} }
    };
    let body = html! {
        p.notice #notice { (notice(&view.audience)) }
        noscript { p.notice { b { "This page needs its script " } "to stay current. The same figures are at " a href="/v1/live" { "/v1/live" } "." } }
        (totals())
        div.board {
            (throughput()) (latency()) (click_rates())
            (last_decisions()) (reasons())
            (calibration()) (training())
            (campaigns())
        }
        (embedded(view))
    };
    frame("Litfass live", Some(Section::Live), &masthead, &body)
}

fn motto(audience: &Audience) -> &'static str {
    match audience {
        Audience::Callers => "every decision, as it is made",
        Audience::Shop { .. } => "a demo shop, as its ads are decided",
        Audience::Dataset { .. } => "a recorded shop, played back",
    }
}

fn notice(audience: &Audience) -> Markup {
    match audience {
        Audience::Callers => {
            html! { "Requests come from your own callers. Figures count from the start of this data directory." }
        }
        Audience::Shop { seed, shoppers, speed } => html! {
            b { "This is a demo. " }
            (grouped(*shoppers)) " simulated shoppers (seed " (seed) ") walk through a simulated shop"
            @if *speed > 0 { ", a day of theirs in " (86_400 / speed) " seconds" }
            ". Their true click probabilities are known and shown below; the server never sees them."
        },
        Audience::Dataset { name, synthetic, .. } => html! {
            b { "This is a replay of " (name) ". " }
            "A shown product that is in the visitor's basket counts as clicked and bought, so this judges purchase prediction: "
            "showing an ad has no effect in a recorded log. Synthetic are: " (synthetic) "."
        },
    }
}

fn totals() -> Markup {
    html! {
        dl.totals aria-label="Totals" {
            (total("Decisions", "decisions-total", "decisions-rate"))
            (total("Impressions", "impressions-total", "viewable-share"))
            (total("Clicks", "clicks-total", "click-share"))
            (total("Conversions", "conversions-total", "sales-total"))
            (total("Billed", "billed-total", "unbilled-total"))
            (total("Slots filled", "fill-share", "slots-total"))
            (total("Degraded", "degraded-total", "degraded-share"))
        }
    }
}

fn total(name: &str, id: &str, below: &str) -> Markup {
    html! { div { dt { (name) } dd { span id=(id) { "–" } small id=(below) {} } } }
}

fn throughput() -> Markup {
    html! {
        section.card.third {
            header { h2 { "Decisions a second" } small #rate-top {} }
            div.figures { (figure("rate-now", "key c-rate", "decisions")) (figure("events-now", "", "events")) }
            svg #rate-chart role="img" aria-label="Decisions per second over the last two minutes" {}
        }
    }
}

fn latency() -> Markup {
    html! {
        section.card.third {
            header { h2 { "Time to decide" } small #latency-top {} }
            div.figures { (figure("p50-now", "key c-p50", "half are faster")) (figure("p99-now", "key c-p99", "99 of 100 are faster")) }
            svg #latency-chart role="img" aria-label="Median and 99th percentile of the time to decide over the last two minutes" {}
        }
    }
}

fn click_rates() -> Markup {
    html! {
        section.card.third {
            header { h2 { "Click-through rate" } small #ctr-top {} }
            div.figures {
                (figure("ctr-predicted", "key predicted", "predicted"))
                (figure("ctr-observed", "key observed", "observed"))
                (figure("ctr-truth", "key truth", "known truth"))
            }
            svg #ctr-chart role="img" aria-label="Predicted, observed and true click-through rate over time" {}
        }
    }
}

fn figure(id: &str, class: &str, name: &str) -> Markup {
    html! { div { b id=(id) { "–" } span class=(class) { (name) } } }
}

fn calibration() -> Markup {
    html! {
        section.card.half {
            header { h2 { "Is the prediction right?" } small #ctr-rows {} }
            svg #calibration-chart role="img" aria-label="Predicted, observed and true click-through rate in ten equal groups by prediction" {}
            p.faint { "Impressions in ten equal groups, lowest prediction first: the dots (observed) belong on the line (predicted)." }
        }
    }
}

fn training() -> Markup {
    html! {
        section.card.half {
            header { h2 { "Training" } }
            div #training-now hidden { small #training-step {} progress #training-bar aria-label="Training progress" {} }
            p.empty #training-none { "The first model is trained as soon as enough impressions have an outcome." }
            div.scroll { table.training #training-table hidden {
                thead { tr {
                    th scope="col" { "Model" }
                    th.n scope="col" { "Rows" } th.n scope="col" { "Clicks" } th.n scope="col" { "AUC" } th.n scope="col" { "Log loss" }
                    th.n scope="col" { abbr title="Normalised entropy: log loss relative to always predicting the mean; below 1 is better" { "NE" } }
                    th.n scope="col" { abbr title="Predicted clicks divided by observed clicks; 1 is right" { "Calibration" } }
                    th scope="col" { "Serving" }
                } }
                tbody #training {}
            } }
        }
    }
}

fn campaigns() -> Markup {
    html! {
        section.card {
            header { h2 { "Budgets" } small { span #campaigns-said {} " · the upright mark is where an evenly paced campaign should be" } }
            ul.campaigns #campaigns {}
        }
    }
}

fn last_decisions() -> Markup {
    html! {
        section.card.two-thirds {
            header { h2 { "Last decisions" } small { span #decisions-held hidden { "standing still while you are here · " } "open one to see every candidate" } }
            ol #last-decisions tabindex="0" aria-label="Last decisions, newest first" {}
        }
    }
}

fn reasons() -> Markup {
    html! {
        section.card.third {
            header { h2 { "How candidates end" } }
            ul.reasons #fates {}
            div #ineligible-part {
                h3 { "Line items that never became candidates" }
                ul.reasons #ineligible {}
            }
        }
    }
}

/// The view as JSON in a data block. `<` is spelt as an escape, so that no text in it can end the block.
fn embedded(view: &LiveView) -> Markup {
    let json = serde_json::to_string(view).unwrap_or_else(|_| "null".to_owned()).replace('<', "\\u003c");
    html! { script #live-initial type="application/json" { (PreEscaped(json)) } }
}
