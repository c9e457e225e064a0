//! Redirect URIs: which are allowed, and when two are the same (RFC 6749 §3.1.2, RFC 8252 §7 and §8.3,
//! RFC 9700 §4.1). [`RedirectUri::parse`] decides at registration and at authorization alike, so that
//! what was registered is never refused later by another rule.
//!
//! A redirect URI is kept byte for byte. Whether private networks may be redirected to is the operator's
//! choice and therefore a rule of `metadata_policy/policy.rs`.

use std::{
    borrow::Cow,
    hash::{Hash, Hasher},
    ops::Range,
};

use serde::Deserialize;

use super::{
    scheme,
    uri::{self, Host, Uri, UriError},
};
use crate::special_use;

/// The longest redirect URI, in bytes.
pub(super) const BYTES_MAX: usize = 2_048;

/// The only ways to write a loopback host (RFC 8252 §7.3, and `localhost` because clients use it).
const LOOPBACK_HOSTS: &[&str] = &["localhost", "127.0.0.1", "[::1]"];

/// Names that only a local network knows.
const LAN_SUFFIXES: &[&str] = &[".local", ".lan", ".internal", ".home.arpa"];

/// A redirect URI as it was sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri {
    text: String,
    /// The place of its host in the text, empty without one. `None` for a stored URI, whose host is parsed on demand.
    #[serde(skip)]
    host: Option<Range<usize>>,
}

impl PartialEq for RedirectUri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RedirectUri {}

impl Hash for RedirectUri {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// Where a redirect URI leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// `https` to a name or a public address.
    Public,
    /// `http` to this device.
    Loopback,
    /// A private network: allowed only where the operator says so.
    Lan,
    /// An application on this device, by its private-use scheme.
    PrivateUse,
}

/// Why a redirect URI is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// It cannot be read.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// Beyond [`BYTES_MAX`].
    #[error("is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// A scheme that runs something or reads local files.
    #[error("has a scheme that is dangerous")]
    DangerousScheme,
    /// A scheme that leads to no client.
    #[error("has a scheme that is not allowed")]
    ForeignScheme,
    /// A loopback host and a port where the scheme belongs.
    #[error("has no scheme; http:// is missing")]
    MissingHttp,
    /// Another host and a port there.
    #[error("has no scheme; https:// is missing")]
    MissingHttps,
    /// Another scheme directly after the scheme.
    #[error("contains another URI after its scheme")]
    NestedScheme,
    /// A fragment, even an empty one (RFC 6749 §3.1.2).
    #[error("has a fragment")]
    Fragment,
    /// A host with a character that no host name has.
    #[error("has a host that is not a host name")]
    HostName,
    /// Loopback, written in another way.
    #[error("must write a loopback host as localhost, 127.0.0.1 or [::1]")]
    LoopbackSpelling,
    /// `http` to another host than this device.
    #[error("uses http, which is for loopback hosts alone; use https")]
    PlainHttp,
    /// An address that is no public host.
    #[error("has a special-use address")]
    SpecialUse,
    /// A private network, where the operator has not allowed it.
    #[error("leads into a private network, which is not allowed here")]
    Lan,
}

impl RedirectUriError {
    /// Whether the entry sinks the whole request instead of being left out: it was made to deceive.
    pub const fn is_dangerous(self) -> bool {
        matches!(self, Self::DangerousScheme | Self::Uri(UriError::Hidden))
    }

    /// Whether the text is no URI at all, as opposed to one that is not allowed.
    pub const fn is_malformed(self) -> bool {
        match self {
            Self::Uri(error) => match error {
                UriError::Hidden
                | UriError::NotAscii
                | UriError::Backslash
                | UriError::Relative
                | UriError::Malformed
                | UriError::Port => true,
                UriError::SchemeTooLong
                | UriError::Userinfo
                | UriError::EncodedHost
                | UriError::NoHost
                | UriError::Wildcard
                | UriError::DotSegment
                | UriError::Ambiguous => false,
            },
            Self::TooLong
            | Self::DangerousScheme
            | Self::ForeignScheme
            | Self::MissingHttp
            | Self::MissingHttps
            | Self::NestedScheme
            | Self::Fragment
            | Self::HostName
            | Self::LoopbackSpelling
            | Self::PlainHttp
            | Self::SpecialUse
            | Self::Lan => false,
        }
    }
}

impl RedirectUri {
    /// Reads one redirect URI, and where it leads.
    pub fn parse(text: &str) -> Result<(Self, Reach), RedirectUriError> {
        let (uri, reach) = admitted(text)?;
        // No user information is admitted: an authority begins with the host.
        let start = uri.scheme.len() + "://".len();
        let host = match uri.host.as_str() {
            "" => 0..0,
            host => start..start + host.len(),
        };
        Ok((Self { text: text.to_owned(), host: Some(host) }, reach))
    }

    /// The text as it was sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it leads. What was registered under other rules and is refused by today's reads as an error.
    pub fn reach(&self) -> Result<Reach, RedirectUriError> {
        reach(&self.text)
    }

    /// Scheme in lower case and host as written, empty when it has none.
    pub fn scheme_and_host(&self) -> (Cow<'_, str>, &str) {
        let known = self.host.clone().and_then(|host| self.text.get(host));
        let host =
            known.unwrap_or_else(|| uri::read(&self.text).map_or("", |uri| uri.host.as_str()));
        (uri::scheme(&self.text).unwrap_or_default(), host)
    }

    /// Whether an authorization request may ask to be answered at `presented`: the same text, but for the
    /// port of a loopback redirect, which may differ or be absent (RFC 8252 §7.3).
    pub fn matches(&self, presented: &str) -> bool {
        self.text == presented
            || match (without_loopback_port(&self.text), without_loopback_port(presented)) {
                (Some(registered), Some(asked)) => {
                    registered == asked && reach(presented) == Ok(Reach::Loopback)
                }
                _ => false,
            }
    }
}

/// Host, and what follows the port, of an `http` URI to a loopback host.
fn without_loopback_port(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("http://")?;
    let host = LOOPBACK_HOSTS.iter().find(|host| rest.starts_with(**host))?;
    let rest = rest.strip_prefix(host)?;
    let rest = match rest.strip_prefix(':') {
        Some(port) => port.trim_start_matches(|digit: char| digit.is_ascii_digit()),
        None => rest,
    };
    Some((host, rest))
}

/// Where `text` leads, by the rules for redirect URIs.
fn reach(text: &str) -> Result<Reach, RedirectUriError> {
    admitted(text).map(|(_, reach)| reach)
}

/// Reads `text` by the rules for redirect URIs.
fn admitted(text: &str) -> Result<(Uri<'_>, Reach), RedirectUriError> {
    if text.len() > BYTES_MAX {
        return Err(RedirectUriError::TooLong);
    }
    let mut nested = scheme::nested(text).peekable();
    let is_nested = nested.peek().is_some();
    if uri::scheme(text).is_some_and(|name| scheme::is_dangerous(&name))
        || nested.any(|name| scheme::is_dangerous(&name))
    {
        return Err(RedirectUriError::DangerousScheme);
    }
    let uri = match uri::read(text) {
        // An address cannot even be read as a scheme.
        Ok(_) | Err(UriError::Relative) if scheme::is_host_and_port(text) => {
            return Err(if scheme::is_host_of_device(text) {
                RedirectUriError::MissingHttp
            } else {
                RedirectUriError::MissingHttps
            });
        }
        read => read?,
    };
    if !matches!(&*uri.scheme, "http" | "https") {
        if scheme::is_foreign(&uri.scheme) {
            return Err(RedirectUriError::ForeignScheme);
        }
        if is_nested {
            return Err(RedirectUriError::NestedScheme);
        }
    }
    if uri.has_fragment {
        return Err(RedirectUriError::Fragment);
    }
    let reach = match &*uri.scheme {
        "https" => web(uri.host, Reach::Public)?,
        "http" => web(uri.host, Reach::Loopback)?,
        _ => Reach::PrivateUse,
    };
    Ok((uri, reach))
}

/// Where an `http` or `https` URI leads, `best` being all that its scheme may hope for.
fn web(host: Host<'_>, best: Reach) -> Result<Reach, RedirectUriError> {
    let is_https = best == Reach::Public;
    match host {
        Host::None => Err(UriError::NoHost.into()),
        Host::Name("localhost") => Ok(best),
        Host::Name(name) if is_localhost(name) => Err(RedirectUriError::LoopbackSpelling),
        Host::Name(name) if !is_host_name(name) => Err(RedirectUriError::HostName),
        Host::Name(_) if is_https => Ok(Reach::Public),
        Host::Name(name) if is_lan_name(name) => Ok(Reach::Lan),
        Host::Address(_, text) if !is_https && LOOPBACK_HOSTS.contains(&text) => {
            Ok(Reach::Loopback)
        }
        Host::Address(address, _) if address.to_canonical().is_loopback() && !is_https => {
            Err(RedirectUriError::LoopbackSpelling)
        }
        Host::Address(address, _) if special_use::is_private(address) => Ok(Reach::Lan),
        Host::Address(address, _) if special_use::is_special_use(address) => {
            Err(RedirectUriError::SpecialUse)
        }
        Host::Address(..) if is_https => Ok(Reach::Public),
        Host::Name(_) | Host::Address(..) => Err(RedirectUriError::PlainHttp),
    }
}

/// Whether `host` as written is the one way to write this loopback host.
pub(super) fn is_loopback_host(host: &str) -> bool {
    LOOPBACK_HOSTS.contains(&host)
}

/// `localhost` in other letters, with a trailing dot, or below it.
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost") || ends_with(name, ".localhost")
}

/// Whether `name` ends with `suffix`, whatever the case of its letters.
fn ends_with(name: &str, suffix: &str) -> bool {
    name.len()
        .checked_sub(suffix.len())
        .and_then(|at| name.split_at_checked(at))
        .is_some_and(|(_, end)| end.eq_ignore_ascii_case(suffix))
}

fn is_host_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

fn is_lan_name(name: &str) -> bool {
    !name.contains('.') || LAN_SUFFIXES.iter().any(|suffix| ends_with(name, suffix))
}

#[cfg(test)]
mod tests;
