//! The session's cookie and the few forms of the pages, read and written by hand: what is looked for needs no unescaping.

use axum::http::{HeaderMap, header};
use litfass_types::Duration;

const NAME: &str = "litfass_session";

/// The session's secret, where the request carries one.
#[must_use]
pub fn session(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == NAME).map(|(_, value)| value)
}

/// `Set-Cookie` of a session that lives that long; an empty secret and no life end it. Not sent by other sites' pages, not read
/// by scripts, and over TLS only unless the server is called by a loopback name.
#[must_use]
pub fn set(secret: &str, life: Duration, plain_http: bool) -> String {
    let secure = if plain_http { "" } else { "; Secure" };
    format!("{NAME}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}", life.0 / 1_000)
}

/// A field of a form as it was sent, without the spaces around it.
#[must_use]
pub fn form_field<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let pairs = std::str::from_utf8(body).ok()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(field, _)| *field == name).map(|(_, value)| value.trim_matches('+'))
}

/// As the value of a query: whatever is not a letter, a digit or one of `-._~/` as `%xx`.
#[must_use]
pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A path on this server, and nothing that a browser would take for another one.
#[must_use]
pub fn is_own_path(path: &str) -> bool {
    let second = path.as_bytes().get(1);
    path.starts_with('/') && !matches!(second, Some(b'/' | b'\\')) && !path.contains(|c: char| c.is_control())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; litfass_session=abc; b=2"));
        assert_eq!(session(&headers), Some("abc"));
        headers.clear();
        headers.append(header::COOKIE, HeaderValue::from_static("xlitfass_session=abc"));
        assert_eq!(session(&headers), None);
    }

    #[test]
    fn only_paths_of_this_server_are_led_back_to() {
        for own in ["/", "/decisions/1?x=2"] {
            assert!(is_own_path(own), "{own}");
        }
        for other in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x"] {
            assert!(!is_own_path(other), "{other}");
        }
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        assert_eq!(form_field(b"xcsrf=1&csrf=+abc+&csrf=2", "csrf"), Some("abc"));
        assert_eq!(form_field(b"\xff=1&csrf=1", "csrf"), None);
        assert_eq!(escaped("/a b?c=d&e"), "/a%20b%3Fc%3Dd%26e");
    }
}
