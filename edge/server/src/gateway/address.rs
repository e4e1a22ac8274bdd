//! Where a request comes from, when proxies stand in between.
//!
//! Only what a trusted proxy says is believed: the list that proxies append to is walked from its right end, hop by hop, for as
//! long as the hop that said so is trusted. What a client wrote itself stands further left and is never reached.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use super::networks::Networks;

/// Which header the operator's proxies append to. Only that one is read: the other may be the client's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ForwardedBy {
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl ForwardedBy {
    pub const ALL: [Self; 2] = [Self::XForwardedFor, Self::Forwarded];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }

    /// What one proxy appended; none where it is no address.
    fn hop(self, element: &[u8]) -> Option<IpAddr> {
        let text = std::str::from_utf8(element).ok()?;
        match self {
            Self::XForwardedFor => hop(text),
            Self::Forwarded => for_parameter(text),
        }
    }
}

/// The first address from the right that no trusted proxy has. What is no address ends the walk, and hides nothing to its right.
#[must_use]
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &Networks, by: ForwardedBy) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines: Vec<_> = headers.get_all(by.name()).iter().collect();
    let elements = lines.into_iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for element in elements {
        match by.hop(element) {
            Some(next) if trusted.contains(client) => client = next.to_canonical(),
            Some(_) | None => break,
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// The `for` of one element: `for=192.0.2.60;proto=http`, `For="[2001:db8::17]:4711"`.
fn for_parameter(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for"));
    named.next().and_then(|(_, value)| hop(value.trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn found(peer: &str, by: ForwardedBy, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        found_in(peer, by, &lines)
    }

    fn found_in(peer: &str, by: ForwardedBy, lines: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(by.name(), HeaderValue::from_bytes(line).unwrap());
        }
        let trusted = Networks::parse(["10.0.0.0/8", "::1"]).unwrap();
        client(peer.parse().unwrap(), &headers, &trusted, by).to_string()
    }

    #[test]
    fn the_list_is_walked_from_the_right_for_as_long_as_the_hop_is_trusted() {
        let by = ForwardedBy::XForwardedFor;
        assert_eq!(found("203.0.113.9", by, &["198.51.100.1"]), "203.0.113.9", "a stranger's word counts nothing");
        assert_eq!(found("10.0.0.1", by, &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(found("10.0.0.1", by, &["1.1.1.1, 198.51.100.1"]), "198.51.100.1", "what the client claims is left");
        assert_eq!(found("10.0.0.1", by, &["1.1.1.1, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(
            found("10.0.0.1", by, &["1.1.1.1", "198.51.100.1, 10.0.0.2"]),
            "198.51.100.1",
            "two lines are one list"
        );
        assert_eq!(found("10.0.0.1", by, &["198.51.100.1, nonsense"]), "10.0.0.1", "no further than what can be read");
        assert_eq!(found("10.0.0.1", by, &[]), "10.0.0.1");
        assert_eq!(found("::1", by, &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(found("::ffff:10.0.0.1", by, &["198.51.100.1:4711"]), "198.51.100.1");
    }

    #[test]
    fn what_a_client_wrote_hides_nothing_that_a_proxy_appended() {
        let by = ForwardedBy::XForwardedFor;
        let appended = "caf\u{e9}, 198.51.100.1, 10.0.0.2";
        assert_eq!(found("10.0.0.1", by, &[appended]), "198.51.100.1");
        assert_eq!(found_in("10.0.0.1", by, &[b"\xff\xfe, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            found_in("10.0.0.1", by, &[b"1.1.1.1", b"\xff"]),
            "10.0.0.1",
            "nor does it let what is before it through"
        );
        let by = ForwardedBy::Forwarded;
        assert_eq!(found("10.0.0.1", by, &["for=\"\u{e9}\", for=198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn the_standard_header_is_read_where_it_is_the_one() {
        let by = ForwardedBy::Forwarded;
        let line = "for=1.1.1.1, For=\"[2001:db8:cafe::17]:4711\";proto=https;by=10.0.0.2";
        assert_eq!(found("10.0.0.1", by, &[line]), "2001:db8:cafe::17");
        assert_eq!(found("10.0.0.1", by, &["for=_hidden"]), "10.0.0.1");
        assert_eq!(found("10.0.0.1", ForwardedBy::XForwardedFor, &["for=1.1.1.1"]), "10.0.0.1");
    }
}
