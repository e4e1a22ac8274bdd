//! Sets of addresses, written as networks: `10.0.0.0/8`, `2001:db8::/32`, or one address alone.

use std::net::{IpAddr, Ipv6Addr};

/// Ranges of addresses, sorted and apart. An IPv4 address is its IPv4-mapped IPv6 address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Networks(Vec<(u128, u128)>);

/// What is wrong with a line of a list.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no network such as 10.0.0.0/8 or 2001:db8::/32")]
pub struct NoNetwork(pub String);

impl Networks {
    /// # Errors
    /// The first text that is no network.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NoNetwork> {
        let ranges: Result<Vec<_>, _> = texts.into_iter().map(range).collect();
        Ok(Self(joined(ranges?)))
    }

    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let number = number(address);
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).is_some_and(|at| number <= self.0[at].1)
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn number(address: IpAddr) -> u128 {
    let wide: Ipv6Addr = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    wide.into()
}

fn range(text: &str) -> Result<(u128, u128), NoNetwork> {
    parsed(text.trim()).ok_or_else(|| NoNetwork(text.to_owned()))
}

fn parsed(text: &str) -> Option<(u128, u128)> {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let length: u32 = length.map_or(Some(bits), |length| length.parse().ok())?;
    let rest = bits.checked_sub(length)?;
    let host = 1_u128.checked_shl(rest).map_or(u128::MAX, |size| size - 1);
    let first = number(address) & !host;
    Some((first, first | host))
}

/// Sorted; what touches or overlaps is one.
fn joined(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut apart: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match apart.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            Some(_) | None => apart.push((first, last)),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let networks = Networks::parse(["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"]).unwrap();
        for inside in ["10.1.0.0", "10.1.255.255", "192.0.2.7", "2001:db8:ffff::1", "::ffff:10.1.2.3"] {
            assert!(networks.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["10.0.255.255", "10.2.0.0", "192.0.2.8", "2001:db9::", "::1", "0.0.0.0"] {
            assert!(!networks.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(Networks::parse(["::/0"]).unwrap().contains("203.0.113.1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "example.com", "10.0.0.0/-1", "1.2.3.4/x"] {
            assert!(Networks::parse([bad]).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn many_networks_hold_what_one_of_them_holds(
            list in prop::collection::vec((0_u32..64, 26_u32..33), 0..12), address in 0_u32..70,
        ) {
            let v4 = |low: u32| std::net::Ipv4Addr::from(0x0a00_0000 | low << 2);
            let texts: Vec<_> = list.iter().map(|(low, length)| format!("{}/{length}", v4(*low))).collect();
            let all = Networks::parse(texts.iter().map(String::as_str)).unwrap();
            let one = |text: &String| Networks::parse([text.as_str()]).unwrap().contains(v4(address).into());
            prop_assert_eq!(all.contains(v4(address).into()), texts.iter().any(one));
        }
    }
}
