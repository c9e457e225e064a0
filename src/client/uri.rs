//! Reads a URI as every other reader would, or not at all (RFC 3986 and the WHATWG URL standard).
//!
//! The raw text is judged first, because WHATWG parsers strip tabs, turn backslashes into slashes and
//! rewrite IPv4 forms. Then both a strict RFC 3986 parser and the WHATWG one read it, and must agree on
//! scheme, host and port: what they read differently is what attackers hide in. Which URIs are welcome
//! is left to `redirect_uri.rs` and `web_uri.rs`.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use icu_properties::{
    CodePointSetData,
    props::{BidiControl, DefaultIgnorableCodePoint},
};

use crate::json::all;

/// The longest scheme that is read, in bytes.
const SCHEME_BYTES_MAX: usize = 64;

/// A URI that both parsers read alike.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Uri<'text> {
    /// In lower case.
    pub(super) scheme: Cow<'text, str>,
    pub(super) host: Host<'text>,
    pub(super) has_fragment: bool,
}

/// The host of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host<'text> {
    /// No authority, or an empty one.
    None,
    /// A registered name as it was written.
    Name(&'text str),
    /// An address, and how it was written (IPv6 with its brackets).
    Address(IpAddr, &'text str),
}

impl<'text> Host<'text> {
    /// The host as it was written, empty without one.
    pub(super) const fn as_str(self) -> &'text str {
        match self {
            Self::None => "",
            Self::Name(host) | Self::Address(_, host) => host,
        }
    }
}

/// Why a text cannot be read as a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// White space, control, bidirectional or invisible characters, raw or percent-encoded.
    #[error("contains white space or hidden characters")]
    Hidden,
    /// A visible character outside ASCII.
    #[error("contains a character outside ASCII")]
    NotAscii,
    /// A backslash, which some readers take for a slash.
    #[error("contains a backslash")]
    Backslash,
    /// No scheme: a relative reference or a bare host.
    #[error("is not an absolute URI")]
    Relative,
    /// Not of RFC 3986's form.
    #[error("is not a well-formed URI")]
    Malformed,
    /// A scheme beyond all reason.
    #[error("has a scheme longer than {SCHEME_BYTES_MAX} characters")]
    SchemeTooLong,
    /// Port 0, an empty one or one above 65535.
    #[error("has a port that is not between 1 and 65535")]
    Port,
    /// A user name or password, even an empty one.
    #[error("has user information before its host")]
    Userinfo,
    /// A host with percent-encoding.
    #[error("has a percent-encoded host")]
    EncodedHost,
    /// `http` or `https` without a host.
    #[error("has no host")]
    NoHost,
    /// A `*` anywhere.
    #[error("contains a wildcard")]
    Wildcard,
    /// A `.` or `..` segment, raw or encoded.
    #[error("has a dot segment in its path")]
    DotSegment,
    /// The two parsers read it differently.
    #[error("is read differently by different programs")]
    Ambiguous,
}

/// Whether `text` holds what a person cannot see: white space, controls, bidirectional controls,
/// zero-width and other default-ignorable characters.
pub(super) fn holds_hidden(text: &str) -> bool {
    if all(text, |byte| byte.is_ascii_graphic()) {
        return false;
    }
    text.chars().any(|character| character.is_whitespace() || is_hidden(character))
}

/// Whether a person cannot see `character`, white space aside.
pub(super) fn is_hidden(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character.is_control()
        || CodePointSetData::new::<BidiControl>().contains(character)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// The scheme of `text` in lower case, whatever follows it.
pub(super) fn scheme(text: &str) -> Option<Cow<'_, str>> {
    // That of almost every text needs no look at each of its letters.
    for usual in ["https", "http"] {
        if text.strip_prefix(usual).is_some_and(|rest| rest.starts_with(':')) {
            return Some(Cow::Borrowed(usual));
        }
    }
    let (scheme, _) = text.split_at(text.bytes().position(|byte| byte == b':')?);
    let mut bytes = scheme.bytes();
    let is_scheme = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme.then(|| {
        if scheme.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(scheme.to_ascii_lowercase())
        } else {
            Cow::Borrowed(scheme)
        }
    })
}

/// Reads `text`.
pub(super) fn read(text: &str) -> Result<Uri<'_>, UriError> {
    let is_plain = is_plain(text);
    if !is_plain {
        raw(text)?;
    }
    let scheme = scheme(text).ok_or(UriError::Relative)?;
    if scheme.len() > SCHEME_BYTES_MAX {
        return Err(UriError::SchemeTooLong);
    }
    let strict = fluent_uri::Uri::parse(text).map_err(|_| UriError::Malformed)?;
    let authority = strict.authority();
    if authority.is_some_and(|authority| authority.has_userinfo()) {
        return Err(UriError::Userinfo);
    }
    let port = authority.map_or(Ok(None), port)?;
    let host = authority.map_or(Ok(Host::None), |authority| host(authority.host()))?;
    if host == Host::None && matches!(&*scheme, "http" | "https") {
        return Err(UriError::NoHost);
    }
    if !is_plain && text.contains('*') {
        return Err(UriError::Wildcard);
    }
    let path = strict.path().as_str();
    if !all(path, |byte| byte != b'.' && byte != b'%')
        && path.as_bytes().split(|byte| *byte == b'/').any(is_dot_segment)
    {
        return Err(UriError::DotSegment);
    }
    if !has_one_reading(&scheme, host) {
        let lenient = url::Url::parse(text).map_err(|_| UriError::Ambiguous)?;
        let is_same = lenient.scheme() == scheme;
        if !(is_same && is_same_host(host, &lenient) && is_same_port(port, &lenient)) {
            return Err(UriError::Ambiguous);
        }
    }
    Ok(Uri { scheme, host, has_fragment: strict.has_fragment() })
}

/// Whether the WHATWG parser is known to read the host as it is written, so that asking it would tell
/// nothing and cost more than all the rest: `http` or `https`, and a canonical IPv4 address, or labels in
/// lower case of which none is punycode and the last begins with a letter, as no number does.
/// `a_plain_host_has_one_reading` holds this against the parser.
fn has_one_reading(scheme: &str, host: Host<'_>) -> bool {
    let is_label = |label: &[u8]| {
        !label.is_empty()
            && !label.starts_with(b"xn--")
            && label.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    let is_plain = match host {
        Host::Name(name) => {
            let mut labels = name.as_bytes().split(|byte| *byte == b'.');
            let last = labels.clone().next_back().unwrap_or_default();
            last.first().is_some_and(u8::is_ascii_alphabetic) && labels.all(is_label)
        }
        Host::Address(address, _) => address.is_ipv4(),
        Host::None => false,
    };
    is_plain && matches!(scheme, "http" | "https")
}

/// Whether `text` holds nothing that is worth a closer look, as most do.
fn is_plain(text: &str) -> bool {
    all(text, |byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'%' | b'*'))
}

/// The checks that only the raw text allows.
fn raw(text: &str) -> Result<(), UriError> {
    if holds_hidden(text) || holds_encoded_control(text) {
        Err(UriError::Hidden)
    } else if !text.is_ascii() {
        Err(UriError::NotAscii)
    } else if text.contains('\\') {
        Err(UriError::Backslash)
    } else {
        Ok(())
    }
}

/// Whether a percent-encoded octet stands for an ASCII control character.
fn holds_encoded_control(text: &str) -> bool {
    text.as_bytes().windows(3).any(|octets| match octets {
        [b'%', b'0' | b'1', low] => low.is_ascii_hexdigit(),
        [b'%', b'7', low] => low.eq_ignore_ascii_case(&b'f'),
        _ => false,
    })
}

fn port(authority: fluent_uri::component::Authority<'_>) -> Result<Option<u16>, UriError> {
    match authority.port_to_u16() {
        Ok(None) if authority.has_port() => Err(UriError::Port),
        Ok(Some(0)) | Err(_) => Err(UriError::Port),
        Ok(port) => Ok(port),
    }
}

fn host(text: &str) -> Result<Host<'_>, UriError> {
    if text.is_empty() {
        return Ok(Host::None);
    }
    if text.as_bytes().contains(&b'%') {
        return Err(UriError::EncodedHost);
    }
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| UriError::Malformed)?;
        return Ok(Host::Address(address.into(), text));
    }
    Ok(text
        .parse::<Ipv4Addr>()
        .map_or(Host::Name(text), |address| Host::Address(address.into(), text)))
}

fn is_dot_segment(segment: &[u8]) -> bool {
    let dots_of: [&[u8]; 3] = [b".", b"%2e", b"%2E"];
    let mut rest = segment;
    let mut dots = 0;
    while let Some(after) = dots_of.into_iter().find_map(|dot| rest.strip_prefix(dot)) {
        rest = after;
        dots += 1;
    }
    rest.is_empty() && matches!(dots, 1 | 2)
}

fn is_same_host(host: Host<'_>, lenient: &url::Url) -> bool {
    match (host, lenient.host()) {
        (Host::None, None | Some(url::Host::Domain(""))) => true,
        (Host::Name(name), Some(url::Host::Domain(domain))) => name.eq_ignore_ascii_case(domain),
        (Host::Address(IpAddr::V4(address), _), Some(url::Host::Ipv4(other))) => address == other,
        (Host::Address(IpAddr::V6(address), _), Some(url::Host::Ipv6(other))) => address == other,
        // For a private-use scheme the WHATWG parser leaves an IPv4 address a name.
        (Host::Address(IpAddr::V4(_), text), Some(url::Host::Domain(domain))) => text == domain,
        _ => false,
    }
}

/// The WHATWG parser forgets a port that is the scheme's own.
fn is_same_port(port: Option<u16>, lenient: &url::Url) -> bool {
    let own = match lenient.scheme() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    port.filter(|port| Some(*port) != own) == lenient.port()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An authority of what WHATWG parsers are known to rewrite, and of what they are not.
    const URI: &str = "https?://([a-z0-9x-]{1,5}|xn--[a-z0-9-]{0,4}|0x[0-9a-f]{0,3}|[0-9]{1,3})\
                       (\\.([a-z0-9-]{1,4}|0x?[0-9a-f]{0,2}|[0-9]{1,3})){0,4}\
                       (:[0-9]{1,5})?(/[a-z2e.]{0,5})?(\\?[a-z@:/]{0,4})?";

    proptest! {
        #[test]
        fn a_plain_host_has_one_reading(text in URI) {
            let strict = fluent_uri::Uri::parse(text.as_str()).unwrap();
            let authority = strict.authority().unwrap();
            let (Ok(host), Ok(port)) = (host(authority.host()), port(authority)) else {
                return Ok(());
            };
            if has_one_reading(strict.scheme().as_str(), host) {
                let lenient = url::Url::parse(&text).unwrap();
                prop_assert!(is_same_host(host, &lenient) && is_same_port(port, &lenient));
                prop_assert_eq!(lenient.scheme(), strict.scheme().as_str());
                prop_assert_eq!((lenient.username(), lenient.password()), ("", None));
            }
        }
    }
}
