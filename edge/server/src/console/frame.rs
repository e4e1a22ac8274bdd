//! What all pages have in common, and the pages that say that there is none.

use maud::{DOCTYPE, Markup, html};

/// Where a page belongs in the navigation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Section {
    Live,
    Campaigns,
    Decisions,
    Accounts,
    Health,
}

/// In the order in which they stand.
const SECTIONS: [(Section, &str, &str); 5] = [
    (Section::Live, "/", "Live"),
    (Section::Campaigns, "/campaigns", "Campaigns"),
    (Section::Decisions, "/decisions", "Decisions"),
    (Section::Accounts, "/accounts", "Accounts"),
    (Section::Health, "/health", "Health"),
];

/// A page around `body`; only the live one has a script, which keeps it current.
pub(super) fn frame(title: &str, section: Option<Section>, masthead: &Markup, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/console/console.css";
                @if section == Some(Section::Live) {
                    script type="module" src="/console/live.js" {}
                }
            }
            body {
                a.skip href="#content" { "To the content" }
                header.masthead {
                    h1 { a href="/" { "Litfass" } }
                    (masthead)
                    (navigation(section))
                }
                main #content { (body) }
            }
        }
    };
    page.into_string()
}

fn navigation(here: Option<Section>) -> Markup {
    html! {
        nav aria-label="Pages" {
            @for (section, path, name) in SECTIONS {
                a href=(path) aria-current=[(here == Some(section)).then_some("page")] { (name) }
            }
            a.session href="/login" { "Session" }
        }
    }
}

/// For an address that names nothing; `what` is what was looked for.
#[must_use]
pub fn missing_page(what: &str) -> String {
    problem_page("Not found", &format!("There is no {what}."))
}

/// For anything that cannot be shown, with the reason.
#[must_use]
pub fn problem_page(title: &str, why: &str) -> String {
    let motto = html! { p.motto { (title) } };
    let body = html! {
        p.notice { (why) " " a href="/" { "Back to what is happening now" } }
    };
    frame(&format!("{title}: Litfass"), None, &motto, &body)
}
