//! Accounts: what each can still spend, and one account's month.

use maud::{Markup, html};

use super::frame::{Section, frame};
use super::numbers::{amount, grouped};
use super::operating::{AccountPage, AccountRow, AccountsView};
use crate::api::accounts::{AccountView, ChargeView, MoveView, StatementView};

/// `GET /accounts`.
#[must_use]
pub fn accounts_page(view: &AccountsView) -> String {
    let masthead = html! { p.motto { "who pays, and what is left" } };
    let body = html! {
        form.filter method="get" action="/accounts" role="search" {
            label { "Name begins with " input type="search" name="name" value=(view.name); }
            button type="submit" { "Show" }
        }
        section.card {
            header { h2 { "Accounts" } small { "one for each advertiser" } }
            @if view.rows.is_empty() { p.empty { "There is no such account." } }
            @else { div.scroll tabindex="0" role="region" aria-label="Accounts" { (table(&view.rows)) } }
            @if let Some(after) = view.next_after {
                nav.pages aria-label="More accounts" { a rel="next" href=(view.address(after)) { "Next page" } }
            }
        }
    };
    frame("Accounts: Litfass", Some(Section::Accounts), &masthead, &body)
}

fn table(rows: &[AccountRow]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Advertiser" } th scope="col" { "Status" } th.n scope="col" { "Charged in all" }
                th.n scope="col" { "Reserved" } th.n scope="col" { "Can still be spent" }
            } }
            tbody { @for row in rows { tr {
                td { a href={ "/accounts/" (row.id) } { (row.name) } " " small { (row.id) } }
                td { (row.status) }
                td.n { (amount(row.spent_micros)) } td.n { (amount(row.reserved_micros)) }
                td.n { (amount(row.available_micros)) }
            } } }
        }
    }
}

/// `GET /accounts/ID`.
#[must_use]
pub fn account_page(page: &AccountPage) -> String {
    let account = &page.account;
    let masthead = html! { p.motto { (account.name) } };
    let body = html! {
        p.notice {
            "Account " (account.account_id) " of tenant " (account.tenant_id) " · days of " (account.time_zone) " · "
            a href={ "/campaigns?advertiser=" (account.account_id) } { "its campaigns" } " · " a href="/accounts" { "all accounts" }
        }
        div.board {
            (balance(account))
            (statement(page))
        }
    };
    frame(&format!("{}: Litfass", account.name), Some(Section::Accounts), &masthead, &body)
}

fn balance(account: &AccountView) -> Markup {
    let rows = [
        ("Deposits", &account.deposits_nanos),
        ("Adjustments", &account.adjustments_nanos),
        ("Refunds", &account.refunds_nanos),
        ("Charged", &account.spent_nanos),
        ("Balance", &account.balance_nanos),
        ("Credit limit", &account.credit_limit_nanos),
        ("Reserved for ads that are out", &account.reserved_nanos),
        ("Can still be spent", &account.available_nanos),
    ];
    html! {
        section.card #balance {
            header { h2 { "Balance" } @if let Some(until) = &account.complete_until { small { "complete up to " (until) } } }
            dl.facts.sums { @for (name, nanos) in rows { dt { (name) } dd.n { (money(nanos)) } } }
        }
    }
}

fn statement(page: &AccountPage) -> Markup {
    let statement = &page.statement;
    let csv = format!("/v1/accounts/{}/statement?month={}&format=csv", statement.account_id, statement.month);
    html! {
        section.card #statement {
            header {
                h2 { "Statement of " (statement.month) }
                small { @if statement.is_final { "final" } @else { "may still change" } " · " a href=(csv) { "as CSV" } }
            }
            form.filter method="get" {
                label { "Month " input type="month" name="month" value=(statement.month) pattern="[0-9]{4}-[0-9]{2}" required; }
                button type="submit" { "Show" }
            }
            div.scroll tabindex="0" role="region" aria-label="Statement" { (entries(statement)) }
        }
    }
}

fn entries(statement: &StatementView) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "By" } th.n scope="col" { "Amount" } } }
            tbody {
                tr { td {} th scope="row" { "Opening balance" } td {} td.n { (money(&statement.opening.nanos)) } }
                @for charge in &statement.charges { (charged(charge)) }
                @for moved in &statement.movements { (movement(moved)) }
                tr { td {} th scope="row" { b { "Closing balance" } } td {} td.n { b { (money(&statement.closing.nanos)) } } }
            }
        }
    }
}

fn charged(charge: &ChargeView) -> Markup {
    html! { tr {
        td { (charge.day) }
        td { (grouped(charge.events)) " charged events of line item " (charge.line_item_id) " in " a href={ "/campaigns/" (charge.campaign_id) } { "campaign " (charge.campaign_id) } }
        td {}
        td.n { "−" (money(&charge.nanos)) }
    } }
}

fn movement(moved: &MoveView) -> Markup {
    html! { tr {
        td { (moved.time) }
        td { (moved.kind) @if !moved.reason.is_empty() { ": " (moved.reason) } }
        td { (moved.by) }
        td.n { (money(&moved.nanos)) }
    } }
}

/// Rounded to two digits, with every nano of it for whoever points at it.
fn money(nanos: &str) -> Markup {
    let micros = nanos.parse::<i128>().ok().and_then(|nanos| i64::try_from(nanos.div_euclid(1_000)).ok());
    html! { span title={ (nanos) " nanos" } { @match micros { Some(micros) => (amount(micros)), None => (nanos) } } }
}
