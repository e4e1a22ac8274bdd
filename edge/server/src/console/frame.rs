//! What all pages have in common, and the pages that say that there is none.

use maud::{DOCTYPE, Markup, html};

/// A page around `body`; `live` adds the script that keeps it current.
pub(super) fn frame(title: &str, live: bool, masthead: &Markup, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/console/console.css";
                @if live {
                    script type="module" src="/console/live.js" {}
                }
            }
            body {
                a.skip href="#content" { "To the content" }
                header.masthead {
                    h1 { a href="/" { "Litfass" } }
                    (masthead)
                    p.session { a href="/login" { "Session" } }
                }
                main #content { (body) }
            }
        }
    };
    page.into_string()
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
    frame(&format!("{title}: Litfass"), false, &motto, &body)
}
