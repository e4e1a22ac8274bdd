//! The page of one campaign: the day's spend against its plan, its line items, and the switches.

use litfass_market::pacing::Why;
use maud::{Markup, html};

use super::campaigns::{budget, complete, figure_cells, figure_heads, stand};
use super::curve::curve;
use super::frame::{Section, frame};
use super::numbers::{amount, grouped, price};
use super::operating::{CampaignPage, Curve, LineItemView, Stand};
use crate::workers::pacing::Standing;

/// `GET /campaigns/ID`.
#[must_use]
pub fn campaign_page(page: &CampaignPage) -> String {
    let row = &page.row;
    let masthead = html! { p.motto { (row.name) } };
    let body = html! {
        p.notice {
            "Campaign " (row.id) " of " a href={ "/accounts/" (row.advertiser_id) } { (row.advertiser) } " · " (stand(row.stand))
            " · budget " (budget(&row.budget)) " · " a href="/campaigns" { "all campaigns" }
        }
        div.board {
            (delivery(page))
            (line_items(page))
            @if page.changeable { (switches(page)) }
        }
        (complete(page.complete_until.as_deref()))
    };
    frame(&format!("{}: Litfass", row.name), Some(Section::Campaigns), &masthead, &body)
}

fn delivery(page: &CampaignPage) -> Markup {
    html! {
        section.card {
            header { h2 { "Spend against plan on " (page.day) } small { "hours of " (page.time_zone) } }
            div.figures {
                div { b { (amount(page.row.spent_today_micros)) } span.key.c-rate { "charged today" } }
                div { b { (grouped(page.row.today.impressions)) } span { "impressions" } }
                div { b { (grouped(page.row.today.clicks)) } span { "clicks" } }
                div { b { (amount(page.outstanding_micros)) } span { "tokens that are out may still bill" } }
            }
            (curve(&page.curve))
            p { small { (page.curve.plan) } }
            details { summary { "The same as a table" } div.scroll { (hours(&page.curve)) } }
        }
    }
}

fn hours(curve: &Curve) -> Markup {
    html! {
        table #hours {
            thead { tr {
                th scope="col" { "Hour" } (figure_heads()) th.n scope="col" { "Spend" } th.n scope="col" { "Spent so far" } th.n scope="col" { "Planned so far" }
            } }
            tbody { @for hour in &curve.hours { tr {
                th scope="row" { (hour.name) }
                (figure_cells(&hour.figures))
                td.n { (amount(hour.figures.spent_micros())) }
                td.n { (amount(hour.spent_so_far_micros)) }
                td.n { (hour.planned_so_far_micros.map_or_else(String::new, amount)) }
            } } }
        }
    }
}

fn line_items(page: &CampaignPage) -> Markup {
    html! {
        section.card {
            header { h2 { "Line items" } small { "today" } }
            @if page.line_items.is_empty() { p.empty { "It has none." } }
            @else {
                div.scroll tabindex="0" role="region" aria-label="Line items" { table {
                    thead { tr {
                        th scope="col" { "Line item" } th scope="col" { "Status" } th.n scope="col" { "Bid" } th scope="col" { "Pacing" }
                        th.n scope="col" { "Spent" } (figure_heads()) th scope="col" { span.sr { "Why not" } }
                    } }
                    tbody { @for row in &page.line_items { (line_item(row)) } }
                } }
            }
            @if let Some(after) = page.next_after {
                nav.pages aria-label="More line items" { a rel="next" href={ "/campaigns/" (page.row.id) "?after=" (after) } { "More line items" } }
            }
        }
    }
}

fn line_item(row: &LineItemView) -> Markup {
    html! { tr {
        td { (row.name) " " small { (row.id) } }
        td { (stand(row.stand)) }
        td.n { (price(&row.bid)) }
        td { (pacing(row)) }
        td.n { (amount(row.today.spent_micros())) }
        (figure_cells(&row.today))
        td { a.why-not href={ "/line-items/" (row.id) "/why-not" } aria-label={ "Why " (row.name) " was not shown" } { "why not?" } }
    } }
}

fn pacing(row: &LineItemView) -> Markup {
    let mode = row.pacing.replace('_', "-");
    let of = if row.by_requests { "of the requests" } else { "of its bid" };
    html! {
        @match (row.pacing.as_str(), row.multiplier_ppm) {
            ("asap", _) => { "as fast as possible" }
            (_, 0) => { (mode) ": resting" }
            (_, ppm) => { (mode) ": " (ppm / 10_000) " % " (of) }
        }
        @if let Some(standing) = &row.standing { br; small { (against_plan(standing)) } }
    }
}

/// How far from its plan, and why it is where it is behind.
fn against_plan(standing: &Standing) -> String {
    let tenths = standing.behind_ppm.unsigned_abs() / 1_000;
    let (percent, tenth) = (tenths / 10, tenths % 10);
    match (standing.why, standing.behind_ppm) {
        (Why::NoPlan, _) => "no budget that has a time to last".to_owned(),
        (Why::Spent, _) => "its budget is spent, or owed to conversions to come".to_owned(),
        (_, -1_000..=1_000) => "on its plan".to_owned(),
        (_, ..0) => format!("{percent}.{tenth} % of the budget ahead of its plan"),
        (Why::Unheld, _) => format!(
            "{percent}.{tenth} % of the budget behind its plan, and nothing held back: its bid is too low, or too few requests match"
        ),
        (Why::Steered | Why::Ahead, _) => format!("{percent}.{tenth} % of the budget behind its plan, catching up"),
        (Why::CleanUp, _) => format!("{percent}.{tenth} % of the budget left at the end"),
    }
}

fn switches(page: &CampaignPage) -> Markup {
    html! {
        section.card #switches {
            header { h2 { "Stop and go" } }
            div.switches {
                @match page.row.stand {
                    Stand::Archived => { p.empty { "It is archived and never serves again." } }
                    Stand::Paused => { (switch(page, "resume", "Resume")) small { "It serves again within a second." } }
                    _ => {
                        (switch(page, "pause", "Pause")) small { "No new ads of it once the catalog that says so is served, within a second." }
                        (switch(page, "kill", "Kill now")) small { "Out of every auction at once. Ads already handed out may still bill what is stated above." }
                    }
                }
            }
        }
    }
}

fn switch(page: &CampaignPage, verb: &str, name: &str) -> Markup {
    html! {
        form method="post" action={ "/campaigns/" (page.row.id) "/" (verb) } {
            @if let Some(csrf) = &page.csrf { input type="hidden" name="csrf" value=(csrf); }
            button.(verb) type="submit" { (name) }
        }
    }
}
