//! The table of campaigns: what each delivered today, and the way to each.

use maud::{Markup, html};

use super::frame::{Section, frame};
use super::numbers::{amount, grouped, percent};
use super::operating::{Budget, CampaignRow, CampaignsView, Figures, Stand};

/// `GET /campaigns`.
#[must_use]
pub fn campaigns_page(view: &CampaignsView) -> String {
    let masthead = html! { p.motto { "what is booked, and what it delivers today" } };
    let body = html! {
        (filter(view))
        section.card {
            header { h2 { "Campaigns" } small { "figures of valid traffic, of each advertiser's own day" } }
            @if view.rows.is_empty() { p.empty { "There is no such campaign." } }
            @else { div.scroll tabindex="0" role="region" aria-label="Campaigns" { (table(&view.rows)) } }
            (pages(view))
        }
        (complete(view.complete_until.as_deref()))
    };
    frame("Campaigns: Litfass", Some(Section::Campaigns), &masthead, &body)
}

fn filter(view: &CampaignsView) -> Markup {
    html! {
        form.filter method="get" action="/campaigns" role="search" {
            label { "Name begins with " input type="search" name="name" value=(view.name); }
            label { "Status "
                select name="status" {
                    option value="" selected[view.status.is_empty()] { "any" }
                    @for status in ["active", "paused", "archived"] {
                        option value=(status) selected[view.status == status] { (status) }
                    }
                }
            }
            @if let Some(advertiser) = view.advertiser { input type="hidden" name="advertiser" value=(advertiser); }
            button type="submit" { "Show" }
        }
    }
}

fn table(rows: &[CampaignRow]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Campaign" } th scope="col" { "Advertiser" } th scope="col" { "Status" }
                th.n scope="col" { "Spent today" } th.n scope="col" { "Budget" } (figure_heads())
            } }
            tbody { @for row in rows { tr {
                td { a href={ "/campaigns/" (row.id) } { (row.name) } " " small { (row.id) } }
                td { a href={ "/accounts/" (row.advertiser_id) } { (row.advertiser) } }
                td { (stand(row.stand)) }
                td.n { (amount(row.spent_today_micros)) }
                td.n { (budget(&row.budget)) }
                (figure_cells(&row.today))
            } } }
        }
    }
}

pub(super) fn figure_heads() -> Markup {
    html! { th.n scope="col" { "Impressions" } th.n scope="col" { "Clicks" } th.n scope="col" { "CTR" } th.n scope="col" { "eCPM" } }
}

pub(super) fn figure_cells(figures: &Figures) -> Markup {
    html! {
        td.n { (grouped(figures.impressions)) }
        td.n { (grouped(figures.clicks)) }
        td.n { (figures.ctr().map_or_else(String::new, percent)) }
        td.n { (figures.ecpm_micros().map_or_else(String::new, amount)) }
    }
}

pub(super) fn stand(stand: Stand) -> Markup {
    let (class, text) = stand.words();
    html! { span.stand.(class) { (text) } }
}

pub(super) fn budget(budget: &Budget) -> String {
    match *budget {
        Budget::None => "none".to_owned(),
        Budget::Day { micros } => format!("{} a day", amount(micros)),
        Budget::Lifetime { micros, spent_micros } => format!("{} of {} in all", amount(spent_micros), amount(micros)),
    }
}

fn pages(view: &CampaignsView) -> Markup {
    html! {
        nav.pages aria-label="More campaigns" {
            @if view.continued { a href=(view.address(None)) { "First page" } }
            @if let Some(after) = view.next_after { a rel="next" href=(view.address(Some(after))) { "Next page" } }
        }
    }
}

pub(super) fn complete(until: Option<&str>) -> Markup {
    html! {
        p.notice {
            @match until {
                Some(until) => { "Delivery is complete up to " (until) "." }
                None => { "Delivery is still being read: up to when it is complete is not known yet." }
            }
        }
    }
}
