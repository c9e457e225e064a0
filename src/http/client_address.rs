//! The caller's address: the address of the socket, or the one that trusted proxies report (`Forwarded`, RFC 7239, or
//! `X-Forwarded-For`).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The addresses that one caller can choose from freely: an IPv4 address, or an IPv6 network of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    V4(u32),
    V6(u64),
}

impl Source {
    /// The source of an address; an IPv4 address mapped into IPv6 is that IPv4 address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments().map(u64::from);
                Self::V6(a << 48 | b << 32 | c << 16 | d)
            }
        }
    }
}

/// The address, or the network.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits).fmt(f),
            Self::V6(bits) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(bits) << 64)),
        }
    }
}

/// Whether `address` belongs to a trusted proxy.
pub(crate) fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|proxy| proxy.contains(&address))
}

/// The caller's address, for a request that came from `peer`.
///
/// A header is read only if the peer is a trusted proxy: from right to left, for as long as each address found is
/// trusted too. An element that is not an address ends the search at the last trusted proxy. If both headers are
/// present and disagree, the caller forged one of them; nothing tells which, so both are ignored.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, proxies) {
        return peer;
    }
    let by = |header: HeaderName, elements: fn(&str) -> Vec<Option<IpAddr>>| {
        headers.contains_key(&header).then(|| walk(peer, headers, &header, proxies, elements))
    };
    match (by(FORWARDED, forwarded), by(X_FORWARDED_FOR, x_forwarded_for)) {
        (Some(one), Some(other)) if one != other => peer,
        (one, other) => one.or(other).unwrap_or(peer),
    }
}

fn walk(
    peer: IpAddr,
    headers: &HeaderMap,
    header: &HeaderName,
    proxies: &[IpNet],
    elements: fn(&str) -> Vec<Option<IpAddr>>,
) -> IpAddr {
    let mut hop = peer;
    for line in headers.get_all(header).iter().rev() {
        let Ok(line) = line.to_str() else { return hop };
        for element in elements(line).into_iter().rev() {
            let Some(address) = element else { return hop };
            hop = address;
            if !is_trusted(hop, proxies) {
                return hop;
            }
        }
    }
    hop
}

/// The elements of an `X-Forwarded-For` line, from left to right; `None` for an element that is not an address.
fn x_forwarded_for(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|element| node(element.trim_matches([' ', '\t']))).collect()
}

/// The `for` parameters of a `Forwarded` line (RFC 7239 §4), from left to right; `None` for an element whose
/// parameter is absent or not an address. A line with broken syntax has no elements.
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    let Some(elements) = split_unquoted(line, ',') else { return vec![None] };
    elements
        .into_iter()
        .map(|element| {
            let mut found = None;
            for pair in split_unquoted(element, ';')? {
                let (name, value) = pair.split_once('=')?;
                if name.trim_matches([' ', '\t']).eq_ignore_ascii_case("for") {
                    if found.is_some() {
                        return None;
                    }
                    found = Some(node(&unquoted(value.trim_matches([' ', '\t']))?)?);
                }
            }
            found
        })
        .collect()
}

/// Splits at `separator` outside of quoted strings; `None` if a quoted string has no end.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = text
        .split(|c: char| {
            if is_escaped {
                is_escaped = false;
                return false;
            }
            match c {
                '"' => is_quoted = !is_quoted,
                '\\' => is_escaped = is_quoted,
                _ => return c == separator && !is_quoted,
            }
            false
        })
        .collect();
    (!is_quoted).then_some(parts)
}

/// A token as it is, or the content of a quoted string (RFC 9110 §5.6.4).
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut content = String::new();
    let mut characters = rest.strip_suffix('"')?.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => content.push(characters.next()?),
            '"' => return None,
            _ => content.push(c),
        }
    }
    Some(content)
}

/// A node identifier (RFC 7239 §6) that is an address, with or without a port. IPv6 without brackets is accepted too,
/// because `X-Forwarded-For` has it.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port_is_good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return port_is_good
            .then(|| address.parse::<Ipv6Addr>().ok())?
            .map(|address| IpAddr::V6(address).to_canonical());
    }
    if let Some((address, _)) = text.split_once(':').filter(|(_, port)| is_port(port)) {
        return address.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// A port (up to five digits) or an obfuscated one (`_` and letters; RFC 7239 §6.3).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(name) => {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        }
        None => (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The proxies of the tests: 10.0.0.0/8 and `fd00::/8`.
    fn proxies() -> Vec<IpNet> {
        vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]
    }

    /// The address found for a request from `peer` with these header lines.
    fn found(peer: &str, lines: &[(HeaderName, &str)]) -> IpAddr {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        client_address(ip(peer), &headers, &proxies())
    }

    #[test]
    fn x_forwarded_for_is_walked_from_the_right_through_trusted_proxies() {
        for (line, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("192.0.2.66, 192.0.2.1", "192.0.2.1"),
            ("192.0.2.66, 192.0.2.1,10.1.1.1 ,\t10.2.2.2", "192.0.2.1"),
            ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("192.0.2.1, ::ffff:10.1.1.1", "192.0.2.1"),
            ("192.0.2.1, fd00::1", "192.0.2.1"),
        ] {
            assert_eq!(found("10.0.0.1", &[(X_FORWARDED_FOR, line)]), ip(expected), "{line}");
        }
    }

    #[test]
    fn what_is_no_address_stops_the_walk_at_the_last_trusted_hop() {
        for bad in [
            "",
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.1.",
            "192.0.2.256",
            "192.0.2.1:",
            "192.0.2.1:123456",
            "192.0.2.1:x",
            "[192.0.2.1]",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]x",
            "[2001:db8::1]:",
            "[::1%eth0]",
            "fe80::1%1",
            "127.1",
            "0x7f.0.0.1",
            "localhost",
            "192.0.2.1 192.0.2.2",
            "\"192.0.2.1\"",
        ] {
            let line = format!("192.0.2.66, {bad}, 10.1.1.1");
            assert_eq!(found("10.0.0.1", &[(X_FORWARDED_FOR, &line)]), ip("10.1.1.1"), "{bad}");
            assert_eq!(found("10.0.0.1", &[(X_FORWARDED_FOR, bad)]), ip("10.0.0.1"), "{bad}");
        }
    }

    #[test]
    fn forwarded_is_read_with_its_parameters_and_quotes() {
        for (line, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("For=192.0.2.1;proto=https;by=10.0.0.1", "192.0.2.1"),
            ("proto=https; for=\"192.0.2.1:4711\" ;host=\"a,b;c\"", "192.0.2.1"),
            ("for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=\"[2001:db8::1]:_port\"", "2001:db8::1"),
            ("for=\"192.0.2.\\1\"", "192.0.2.1"),
            ("for=192.0.2.66, for=192.0.2.1, for=10.1.1.1", "192.0.2.1"),
            ("for=192.0.2.66;host=\"x, for=10.9.9.9\", for=192.0.2.1", "192.0.2.1"),
            ("for=192.0.2.66, for=192.0.2.1;host=\"\\\", for=10.9.9.9\"", "192.0.2.1"),
            // No usable address in the header: the peer itself.
            ("for=unknown", "10.0.0.1"),
            ("for=_hidden", "10.0.0.1"),
            ("by=192.0.2.1", "10.0.0.1"),
            ("for", "10.0.0.1"),
            ("", "10.0.0.1"),
            ("for=192.0.2.1;for=192.0.2.2", "10.0.0.1"),
            ("for=192.0.2.66, for=\"192.0.2.1", "10.0.0.1"),
            ("for=\"192.0.2.1\"x", "10.0.0.1"),
            ("for=192.0.2.66, for=unknown, for=10.1.1.1", "10.1.1.1"),
        ] {
            assert_eq!(found("10.0.0.1", &[(FORWARDED, line)]), ip(expected), "{line}");
        }
    }

    #[test]
    fn later_lines_of_a_header_are_nearer_than_earlier_ones() {
        let lines = [(X_FORWARDED_FOR, "192.0.2.66, 192.0.2.1"), (X_FORWARDED_FOR, "10.1.1.1")];
        assert_eq!(found("10.0.0.1", &lines), ip("192.0.2.1"));
    }

    #[test]
    fn two_headers_that_do_not_agree_are_both_not_believed() {
        let both = |one, other| found("10.0.0.1", &[(FORWARDED, one), (X_FORWARDED_FOR, other)]);
        assert_eq!(both("for=192.0.2.1", "192.0.2.1"), ip("192.0.2.1"));
        assert_eq!(both("for=192.0.2.66", "192.0.2.1"), ip("10.0.0.1"));
        assert_eq!(both("nonsense", "192.0.2.1"), ip("10.0.0.1"));
    }

    #[test]
    fn a_mapped_peer_is_an_ipv4_address() {
        assert_eq!(found("::ffff:192.0.2.1", &[]), ip("192.0.2.1"));
        let lines = [(X_FORWARDED_FOR, "192.0.2.1")];
        assert_eq!(found("::ffff:10.0.0.1", &lines), ip("192.0.2.1"));
    }

    proptest! {
        #[test]
        fn no_header_from_an_untrusted_peer_changes_the_address(
            peer in any::<IpAddr>(),
            forwarded in "[ -~]{0,60}",
            x_forwarded_for in "[0-9a-f:., \\[\\]]{0,60}",
        ) {
            let peer = peer.to_canonical();
            prop_assume!(!is_trusted(peer, &proxies()));
            let lines = [(FORWARDED, &*forwarded), (X_FORWARDED_FOR, &*x_forwarded_for)];
            prop_assert_eq!(found(&peer.to_string(), &lines), peer);
        }

        #[test]
        fn what_the_caller_sends_ahead_does_not_change_what_a_trusted_proxy_appends(
            caller in any::<IpAddr>(),
            sent in "[ -~]{0,60}",
        ) {
            let caller = caller.to_canonical();
            prop_assume!(!is_trusted(caller, &proxies()));
            let line = format!("{sent}, {caller}");
            prop_assert_eq!(found("10.0.0.1", &[(X_FORWARDED_FOR, &line)]), caller);
        }
    }
}
