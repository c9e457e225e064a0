//! Families: what an operator would call the same app. A client belongs to one by its name, without versions and
//! parenthesized suffixes, and by the hosts, loopback, and private-use schemes that its redirect URIs lead to.
//!
//! Pure, and stable: lists, URLs, and stores find a family by its identifier for as long as it has clients.

use std::{borrow::Cow, collections::BTreeSet, fmt, net::Ipv6Addr, str::FromStr};

use aws_lc_rs::digest;

use crate::{
    appearance,
    client::{ClientMetadata, ClientName, RedirectUri},
    id::Id,
};

/// A family identifier: a UUID of version 8 (RFC 9562 §5.8), from the SHA-256 of the key's text.
pub type FamilyId = Id<Family>;

/// What a [`FamilyId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {}

/// Which family a client belongs to. `Display` is its stable text: `claude code@claude.ai,loopback`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyKey {
    name: String,
    destinations: BTreeSet<Destination<'static>>,
}

/// Where a redirect URI leads, ports and paths aside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination<'uri> {
    /// A host in lower case, without the dot of the root.
    Host(Cow<'uri, str>),
    /// This device.
    Loopback,
    /// An application on this device, by its private-use scheme in lower case.
    Scheme(Cow<'uri, str>),
}

/// How a private-use scheme begins where hosts are written as well.
const SCHEME: &str = "scheme:";
/// How this device is written there.
const LOOPBACK: &str = "loopback";

impl FamilyKey {
    /// The family of a client. The order of its redirect URIs, and their ports, do not matter.
    pub fn of(metadata: &ClientMetadata) -> Self {
        let uris = metadata.redirect_uris.as_slice().iter();
        Self {
            name: family_name(metadata.client_name.as_ref().map_or("", ClientName::as_str)),
            destinations: uris.map(|uri| Destination::of(uri).into_owned()).collect(),
        }
    }

    /// The family's name: a skeleton of the names of its clients, empty for clients without one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its clients lead, in a fixed order.
    pub fn destinations(&self) -> impl Iterator<Item = &Destination<'static>> {
        self.destinations.iter()
    }

    /// The identifier that follows from the text of this key.
    pub fn id(&self) -> FamilyId {
        self.identified().0
    }

    /// The identifier, and the text from which it follows.
    pub fn identified(&self) -> (FamilyId, String) {
        let text = self.to_string();
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(hash.as_ref().split_at(16).0);
        let id = uuid::Builder::from_custom_bytes(bytes).into_uuid().into_bytes();
        (Id::from_bytes(id), text)
    }
}

impl fmt::Display for FamilyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (at, destination) in self.destinations.iter().enumerate() {
            write!(f, "{}{destination}", if at == 0 { '@' } else { ',' })?;
        }
        Ok(())
    }
}

/// Why a text is no family key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a family key, such as claude code@claude.ai,loopback")]
pub struct FamilyKeyError;

impl FromStr for FamilyKey {
    type Err = FamilyKeyError;

    /// Reads a key in any order and case; a name may have its suffix and version.
    fn from_str(text: &str) -> Result<Self, FamilyKeyError> {
        let (name, destinations) = text.rsplit_once('@').ok_or(FamilyKeyError)?;
        let destinations = destinations.split(',').map(|text| text.trim().parse());
        Ok(Self {
            name: family_name(name),
            destinations: destinations.collect::<Result<_, _>>().map_err(|_| FamilyKeyError)?,
        })
    }
}

impl<'uri> Destination<'uri> {
    /// Where `uri` leads.
    pub fn of(uri: &'uri RedirectUri) -> Self {
        let (scheme, host) = uri.scheme_and_host();
        match &*scheme {
            "http" | "https" if is_loopback(host) => Self::Loopback,
            "http" | "https" => Self::Host(in_one_spelling(host)),
            _ => Self::Scheme(scheme),
        }
    }

    pub(crate) fn into_owned(self) -> Destination<'static> {
        match self {
            Self::Host(host) => Destination::Host(Cow::Owned(host.into_owned())),
            Self::Loopback => Destination::Loopback,
            Self::Scheme(scheme) => Destination::Scheme(Cow::Owned(scheme.into_owned())),
        }
    }
}

impl fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Loopback => f.write_str(LOOPBACK),
            Self::Scheme(scheme) => write!(f, "{SCHEME}{scheme}"),
        }
    }
}

/// Why a text is no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a host, nor loopback, nor scheme:NAME")]
pub struct DestinationError;

impl FromStr for Destination<'static> {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let text = text.to_ascii_lowercase();
        if text == LOOPBACK || is_loopback(&text) {
            return Ok(Self::Loopback);
        }
        if let Some(scheme) = text.strip_prefix(SCHEME) {
            return if is_private_scheme(scheme) {
                Ok(Self::Scheme(Cow::Owned(scheme.to_owned())))
            } else {
                Err(DestinationError)
            };
        }
        let host = in_one_spelling(&text);
        if is_host(&host) {
            Ok(Self::Host(Cow::Owned(host.into_owned())))
        } else {
            Err(DestinationError)
        }
    }
}

/// Whether a redirect URI can have this host, which is in its one spelling.
fn is_host(host: &str) -> bool {
    // A redirect URI may have a host with an underscore, which no other host has.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_name);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    match url::Host::parse(host) {
        Ok(url::Host::Ipv4(address)) => address.to_string() == host,
        Ok(url::Host::Ipv6(_)) => true,
        Ok(url::Host::Domain(_)) | Err(_) => !is_number && host.split('.').all(is_label),
    }
}

/// A host in lower case, without dots at its end, and an IPv6 address as RFC 5952 writes it.
fn in_one_spelling(host: &str) -> Cow<'_, str> {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match address.and_then(|address| address.parse::<Ipv6Addr>().ok()) {
        Some(address) => Cow::Owned(format!("[{address}]")),
        None => lower_case(host.trim_end_matches('.')),
    }
}

/// The ways in which a redirect URI may write a loopback host.
fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

fn is_private_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && !matches!(scheme, "http" | "https")
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn lower_case(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// How often a name is shortened until nothing changes, usually once or twice.
const PASSES_MAX: usize = 8;

/// The words of a client name in lower case, without versions and parenthesized suffixes. A name that is nothing else
/// stays whole. What comes out is its own family name, so that a key can be read again from its text.
pub(crate) fn family_name(name: &str) -> String {
    let short = shortened(name);
    // Most names have nothing to be shortened.
    if short.eq_ignore_ascii_case(name) {
        return short;
    }
    let mut name = short;
    for _ in 0..PASSES_MAX {
        let shorter = shortened(&name);
        if shorter == name {
            break;
        }
        name = shorter;
    }
    name
}

fn shortened(name: &str) -> String {
    let plain = appearance::plain(name);
    let short = words(without_suffixes(&plain), true);
    if short.is_empty() { words(&plain, false) } else { short }
}

/// Cuts parenthesized suffixes and version words off the end of a name, in any order.
fn without_suffixes(name: &str) -> &str {
    let mut rest = name.trim_end();
    loop {
        let shorter = match rest.strip_suffix(')') {
            Some(inner) => opening(inner).map(|at| rest.split_at(at).0),
            None => rest
                .rsplit_once(char::is_whitespace)
                .filter(|(_, last)| is_version(last))
                .map(|(first, _)| first),
        };
        match shorter.map(str::trim_end) {
            Some(shorter) if !shorter.is_empty() => rest = shorter,
            _ => return rest,
        }
    }
}

/// Where the parenthesis begins that ends after `text`.
fn opening(text: &str) -> Option<usize> {
    let mut depth = 1;
    for (at, character) in text.char_indices().rev() {
        match character {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The words of `text` between single blanks. Without versions if told so: the rest of a word from its version on
/// (`app/1.2.0-beta.3`), and a number at the end.
fn words(text: &str, without_versions: bool) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        for part in word.split(|it: char| !it.is_alphanumeric() && it != '.') {
            if without_versions && is_version(part) {
                break;
            }
            words.extend(part.split('.').filter(|part| !part.is_empty()));
        }
    }
    let is_number = |word: &&&str| word.bytes().all(|byte| byte.is_ascii_digit());
    while without_versions
        && words.len() > 1
        && words.last().is_some_and(|word| is_number(&word) || matches!(*word, "v" | "version"))
    {
        words.pop();
    }
    words.join(" ")
}

/// Whether a word is a version: `1.2`, `v3`, `v1.0.2-rc.1`. A number alone is one only at the end of a name.
fn is_version(word: &str) -> bool {
    let (digits, has_v) = word.strip_prefix('v').map_or((word, false), |rest| (rest, true));
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.');
    let (numbers, rest) = digits.split_at(end.unwrap_or(digits.len()));
    let is_ended = rest.is_empty()
        || rest.starts_with(['-', '+'])
        || rest.bytes().all(|it| it.is_ascii_alphanumeric());
    let has_dot = numbers.trim_end_matches('.').contains('.');
    numbers.starts_with(|first: char| first.is_ascii_digit())
        && is_ended
        && (has_dot || has_v && rest.is_empty())
}

#[cfg(test)]
mod tests;
