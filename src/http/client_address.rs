//! The caller's address: the socket's, or what trusted proxies say it is (`Forwarded`, RFC 7239, or
//! `X-Forwarded-For`).

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use axum::{extract::FromRequestParts, http::request::Parts};
use http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The caller's address. A request extension that the server puts there before any endpoint is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(*parts.extensions.get().expect("the server has put the caller's address there"))
    }
}

/// What one caller can freely choose addresses from: an IPv4 address, or an IPv6 network of 64 bits.
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

/// Whether `address` is one of the proxies that are believed.
pub(crate) fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|proxy| proxy.contains(&address))
}

/// The caller's address, for a request that came from `peer`.
///
/// A header is read only when the peer is trusted, and from its right end only as far as what was
/// found is trusted too. An element that is no address stops the walk at the last trusted hop. When
/// both headers are there and do not agree, one of them is the caller's own invention, and since
/// nothing tells which, neither is believed.
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

/// The elements of an `X-Forwarded-For` line, from left to right; `None` for what is no address.
fn x_forwarded_for(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|element| node(element.trim_matches([' ', '\t']))).collect()
}

/// The `for` parameters of a `Forwarded` line (RFC 7239 §4), from left to right; `None` for an element
/// without one, or with one that is no address. A line whose syntax is broken says nothing at all.
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

/// Splits at `separator` outside of quoted strings; `None` when a quoted string has no end.
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

/// A node identifier (RFC 7239 §6) that is an address, with or without a port. IPv6 without brackets is
/// taken too, which `X-Forwarded-For` has.
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
