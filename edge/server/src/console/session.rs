//! The pages on which a key is shown and put away again.

use maud::html;

use super::frame::frame;

/// Leads to `next` once the key is found to be one; `why` is what was wrong with the one before.
#[must_use]
pub fn login_page(next: &str, why: Option<&str>) -> String {
    let action = format!("/login?next={}", crate::access::cookie::escaped(next));
    let body = html! {
        section {
            h2 { "Show a key" }
            @if let Some(why) = why { p.notice role="alert" { (why) } }
            form method="post" action=(action) {
                p { label for="key" { "API key" } }
                p { input #key type="password" name="key" autocomplete="current-password" required autofocus size="70"; }
                p { button type="submit" { "Go on" } }
            }
            p { "The first key is made by " code { "litfass admin create-key --role admin" } "." }
        }
    };
    frame("Show a key: Litfass", None, &html! { p.motto { "Pages take a key" } }, &body)
}

/// For somebody who is in: who they are, and the way out where there is one.
#[must_use]
pub fn session_page(who: &str, csrf: Option<&str>) -> String {
    let body = html! {
        section {
            h2 { "Session" }
            p { "You are " (who) "." }
            @if let Some(csrf) = csrf {
                form method="post" action="/logout" {
                    input type="hidden" name="csrf" value=(csrf);
                    p { button type="submit" { "Log out" } }
                }
            }
            p { a href="/" { "What is happening now" } }
        }
    };
    frame("Session: Litfass", None, &html! { p.motto { "Session" } }, &body)
}
