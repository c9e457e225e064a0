//! Redirect URIs: which are allowed, and when two are the same (RFC 6749 §3.1.2, RFC 8252 §7 and §8.3,
//! RFC 9700 §4.1). [`RedirectUri::parse`] decides at registration and at authorization alike, so that
//! what was registered is never refused later by another rule.
//!
//! A redirect URI is kept byte for byte. Whether private networks may be redirected to is the operator's
//! choice and therefore a rule of `registration/policy.rs`.

use std::borrow::Cow;

use serde::Deserialize;

use super::uri::{self, Host, UriError};
use crate::special_use;

/// The longest redirect URI, in bytes.
pub(super) const BYTES_MAX: usize = 2_048;

/// Schemes that run something, read local files or hide another scheme: one such entry sinks a request.
const DANGEROUS_SCHEMES: &[&str] = &[
    "javascript",
    "data",
    "vbscript",
    "file",
    "filesystem",
    "blob",
    "about",
    "view-source",
    "jar",
];

/// Schemes that lead to no OAuth client.
const FOREIGN_SCHEMES: &[&str] = &["ws", "wss", "ftp", "mailto", "tel", "sms", "intent", "urn"];

/// Beginnings of schemes that browsers and operating systems keep to themselves.
const FOREIGN_SCHEME_PREFIXES: &[&str] = &["chrome", "ms-appx"];

/// The only ways to write a loopback host (RFC 8252 §7.3, and `localhost` because clients use it).
const LOOPBACK_HOSTS: &[&str] = &["localhost", "127.0.0.1", "[::1]"];

/// Names that only a local network knows.
const LAN_SUFFIXES: &[&str] = &[".local", ".lan", ".internal", ".home.arpa"];

/// A redirect URI as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

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
        reach(text).map(|reach| (Self(text.to_owned()), reach))
    }

    /// The text as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where it leads. What was registered under other rules and is refused by today's reads as an error.
    pub fn reach(&self) -> Result<Reach, RedirectUriError> {
        reach(&self.0)
    }

    /// Scheme in lower case and host as written, empty when it has none.
    pub fn scheme_and_host(&self) -> (Cow<'_, str>, &str) {
        let host = uri::read(&self.0).map_or("", |uri| match uri.host {
            Host::None => "",
            Host::Name(host) | Host::Address(_, host) => host,
        });
        (uri::scheme(&self.0).unwrap_or_default(), host)
    }

    /// Whether an authorization request may ask to be answered at `presented`: the same text, but for the
    /// port of a loopback redirect, which may differ or be absent (RFC 8252 §7.3).
    pub fn matches(&self, presented: &str) -> bool {
        self.0 == presented
            || match (without_loopback_port(&self.0), without_loopback_port(presented)) {
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
    if text.len() > BYTES_MAX {
        return Err(RedirectUriError::TooLong);
    }
    if let Some(scheme) = uri::scheme(text) {
        if is_dangerous_scheme(&scheme) {
            return Err(RedirectUriError::DangerousScheme);
        }
        if FOREIGN_SCHEMES.contains(&&*scheme)
            || FOREIGN_SCHEME_PREFIXES.iter().any(|prefix| scheme.starts_with(prefix))
        {
            return Err(RedirectUriError::ForeignScheme);
        }
    }
    let uri = uri::read(text)?;
    if uri.has_fragment {
        return Err(RedirectUriError::Fragment);
    }
    match &*uri.scheme {
        "https" => web(uri.host, Reach::Public),
        "http" => web(uri.host, Reach::Loopback),
        _ => Ok(Reach::PrivateUse),
    }
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

/// Whether a scheme runs something, reads local files or hides another scheme; `scheme` in lower case.
pub(super) fn is_dangerous_scheme(scheme: &str) -> bool {
    DANGEROUS_SCHEMES.contains(&scheme)
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
mod tests {
    use proptest::prelude::*;

    use super::{Reach::*, RedirectUriError as Error, *};

    const REFUSED: &[(&str, Error)] = &[
        ("https://a.example/cb#", Error::Fragment),
        ("com.example.app:/cb#x", Error::Fragment),
        ("https://@a.example/cb", Error::Uri(UriError::Userinfo)),
        ("http://127.0.0.1@evil.example/cb", Error::Uri(UriError::Userinfo)),
        ("http://localhost:80@evil.example/cb", Error::Uri(UriError::Userinfo)),
        ("cursor://user@host/cb", Error::Uri(UriError::Userinfo)),
        ("https://*.example.com/cb", Error::Uri(UriError::Wildcard)),
        ("https://example.com/*", Error::Uri(UriError::Wildcard)),
        ("*", Error::Uri(UriError::Relative)),
        ("https://a.example\\.evil.example/cb", Error::Uri(UriError::Backslash)),
        ("https://a.example/call back", Error::Uri(UriError::Hidden)),
        (" javascript:alert(1)", Error::Uri(UriError::Hidden)),
        ("jav\tascript:alert(1)", Error::Uri(UriError::Hidden)),
        ("https://a.example/\u{200b}cb", Error::Uri(UriError::Hidden)),
        ("https://a.example/cb%00.png", Error::Uri(UriError::Hidden)),
        ("https://a.example/cb%0d%0a", Error::Uri(UriError::Hidden)),
        ("https://a.example/cb%7F", Error::Uri(UriError::Hidden)),
        ("https://\u{441}laude.ai/cb", Error::Uri(UriError::NotAscii)),
        ("https://example\u{3002}com/cb", Error::Uri(UriError::NotAscii)),
        ("https://a.example/cb%zz", Error::Uri(UriError::Malformed)),
        ("https://a.example/<script>", Error::Uri(UriError::Malformed)),
        ("https://a.example/\"x", Error::Uri(UriError::Malformed)),
        ("https://%65vil.example/cb", Error::Uri(UriError::EncodedHost)),
        ("https://a%2eexample/cb", Error::Uri(UriError::EncodedHost)),
        ("https://a%2fexample/cb", Error::Uri(UriError::EncodedHost)),
        ("https://a,b.example/cb", Error::HostName),
        ("http://127.0.0.1:0/cb", Error::Uri(UriError::Port)),
        ("https://a.example:/cb", Error::Uri(UriError::Port)),
        ("http://127.0.0.1:65536/cb", Error::Uri(UriError::Port)),
        ("http://127.0.0.1:80a/cb", Error::Uri(UriError::Malformed)),
        ("http://127.0.0.1:-1/cb", Error::Uri(UriError::Malformed)),
        ("https:", Error::Uri(UriError::NoHost)),
        ("https:///a.example/cb", Error::Uri(UriError::NoHost)),
        ("https:/a.example/cb", Error::Uri(UriError::NoHost)),
        ("//a.example/cb", Error::Uri(UriError::Relative)),
        ("/callback", Error::Uri(UriError::Relative)),
        ("a.example/cb", Error::Uri(UriError::Relative)),
        ("", Error::Uri(UriError::Relative)),
        ("http://127.1/", Error::Uri(UriError::Ambiguous)),
        ("http://0x7f.1/", Error::Uri(UriError::Ambiguous)),
        ("http://2130706433/", Error::Uri(UriError::Ambiguous)),
        ("http://0177.0.0.1:3000/cb", Error::Uri(UriError::Ambiguous)),
        ("http://127.0.0.2/", Error::LoopbackSpelling),
        ("http://[::ffff:127.0.0.1]/", Error::LoopbackSpelling),
        ("http://[0:0:0:0:0:0:0:1]:3000/cb", Error::LoopbackSpelling),
        ("http://localhost./", Error::LoopbackSpelling),
        ("http://LOCALHOST/", Error::LoopbackSpelling),
        ("http://evil.localhost:3000/cb", Error::LoopbackSpelling),
        ("https://evil.localhost/cb", Error::LoopbackSpelling),
        ("http://localhost.localdomain:3000/cb", Error::PlainHttp),
        ("http://localhost.attacker.com:8080/cb", Error::PlainHttp),
        ("http://127.0.0.1.evil.example/cb", Error::PlainHttp),
        ("http://8.8.8.8/cb", Error::PlainHttp),
        ("http://0.0.0.0:8080/cb", Error::SpecialUse),
        ("http://[::]:8080/cb", Error::SpecialUse),
        ("https://127.0.0.1/cb", Error::SpecialUse),
        ("https://[::1]/cb", Error::SpecialUse),
        ("https://169.254.169.254/latest/meta-data/", Error::SpecialUse),
        ("https://[::ffff:10.0.0.1]/", Error::SpecialUse),
        ("http://[fe80::1%25eth0]:3000/cb", Error::Uri(UriError::Malformed)),
        ("http://::1:3000/cb", Error::Uri(UriError::Malformed)),
        ("https://a.example/oauth/../evil", Error::Uri(UriError::DotSegment)),
        ("https://a.example/oauth/%2E%2e/evil", Error::Uri(UriError::DotSegment)),
        ("https://a.example/.", Error::Uri(UriError::DotSegment)),
        ("app://x/a/./b", Error::Uri(UriError::DotSegment)),
        ("javascript:alert(1)", Error::DangerousScheme),
        ("JaVaScRiPt://trusted.example/%0aalert(1)", Error::DangerousScheme),
        ("data:text/html,x", Error::DangerousScheme),
        ("vbscript:x", Error::DangerousScheme),
        ("file:///etc/passwd", Error::DangerousScheme),
        ("filesystem:https://a.example/x", Error::DangerousScheme),
        ("blob:https://a.example/x", Error::DangerousScheme),
        ("about:blank", Error::DangerousScheme),
        ("view-source:https://a.example/", Error::DangerousScheme),
        ("jar:https://a.example!/x", Error::DangerousScheme),
        ("ws://a.example/", Error::ForeignScheme),
        ("wss://a.example/", Error::ForeignScheme),
        ("ftp://a.example/", Error::ForeignScheme),
        ("mailto:a@a.example", Error::ForeignScheme),
        ("tel:+15550100", Error::ForeignScheme),
        ("sms:+15550100", Error::ForeignScheme),
        ("intent://evil.example/#Intent;end", Error::ForeignScheme),
        ("chrome://settings/", Error::ForeignScheme),
        ("chrome-extension://abc/x", Error::ForeignScheme),
        ("ms-appx-web://Microsoft.AAD.BrokerPlugin/x", Error::ForeignScheme),
        ("urn:ietf:wg:oauth:2.0:oob", Error::ForeignScheme),
    ];

    fn reach_of(text: &str) -> Result<Reach, Error> {
        RedirectUri::parse(text).map(|(_, reach)| reach)
    }

    #[test]
    fn what_clients_in_the_field_send_is_allowed() {
        let allowed = [
            ("https://claude.ai/api/mcp/auth_callback", Public),
            ("https://example.com", Public),
            ("https://example.com/callback?query=value", Public),
            ("https://example.com:8443/callback", Public),
            ("https://ai.example.com/oauth/clients/mcp:linear/callback", Public),
            ("https://chat.example.org/?no_universal_links=true", Public),
            ("HTTPS://Example.com/cb", Public),
            ("https://xn--laude-0ye.ai/cb", Public),
            ("https://8.8.8.8/cb", Public),
            ("https://[2606:4700::1111]:8443/cb", Public),
            ("https://localhost:3000/cb", Public),
            ("http://localhost", Loopback),
            ("http://localhost:63658/callback", Loopback),
            ("http://127.0.0.1", Loopback),
            ("http://127.0.0.1:50914", Loopback),
            ("http://127.0.0.1/", Loopback),
            ("http://[::1]/callback", Loopback),
            ("http://[::1]:1234/callback", Loopback),
            ("http://localhost:3000/?state=5a1c", Loopback),
            ("cursor://anysphere.cursor-mcp/oauth/callback", PrivateUse),
            ("vscode://ext/path", PrivateUse),
            ("workbuddy://workbuddy/mcp/connector%3Aatlas-cloud/oauth/callback", PrivateUse),
            ("hopperai://oauth", PrivateUse),
            ("io.element:/callback", PrivateUse),
            ("com.example.app:/oauth2redirect", PrivateUse),
            ("myapp:///oauth/callback", PrivateUse),
            ("no-dot-reverse-notation:/some", PrivateUse),
        ];
        for (text, reach) in allowed {
            assert_eq!(reach_of(text), Ok(reach), "{text}");
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        for (text, error) in REFUSED {
            assert_eq!(reach_of(text), Err(*error), "{text}");
        }
        let long_scheme = format!("{}://x/cb", "a".repeat(300));
        assert_eq!(reach_of(&long_scheme), Err(Error::Uri(UriError::SchemeTooLong)));
        let longest = format!("https://a.example/{}", "a".repeat(BYTES_MAX - 18));
        assert_eq!(reach_of(&longest), Ok(Public));
        assert_eq!(reach_of(&format!("{longest}a")), Err(Error::TooLong));
    }

    #[test]
    fn a_private_network_is_told_from_a_public_host() {
        for text in [
            "http://192.168.1.20:3080/cb",
            "http://10.0.0.1/",
            "http://[fd00::1]/",
            "http://homeassistant.local:8123/cb",
            "http://nas/cb",
            "https://192.168.1.20/cb",
        ] {
            assert_eq!(reach_of(text), Ok(Lan), "{text}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_redirect_may_differ() {
        let cases = [
            ("https://a.example/cb", "https://a.example/cb", true),
            ("https://a.example/cb", "https://a.example/cb/", false),
            ("https://a.example/cb", "https://A.example/cb", false),
            ("https://a.example/cb", "https://a.example:443/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5555/cb", true),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1/cb", true),
            ("http://[::1]:1/cb", "http://[::1]:2/cb", true),
            ("http://localhost:1/cb?x=1", "http://localhost:2/cb?x=1", true),
            ("http://localhost", "http://localhost:2", true),
            ("http://localhost:1/cb", "http://127.0.0.1:1/cb", false),
            ("http://localhost:1/cb", "http://localhost:2/other", false),
            ("http://localhost:1/cb", "http://localhost:0/cb", false),
            ("http://localhost:1/cb", "http://localhost:/cb", false),
            ("http://localhost:1/cb", "http://localhost:99999/cb", false),
            ("http://localhost", "http://localhost.evil.example", false),
            ("http://localhost", "http://localhost:1@evil.example", false),
            ("cursor://x/cb", "cursor://x:1/cb", false),
        ];
        for (registered, presented, matches) in cases {
            let (uri, _) = RedirectUri::parse(registered).unwrap();
            assert_eq!(uri.matches(presented), matches, "{registered} {presented}");
        }
    }

    proptest! {
        #[test]
        fn what_is_echoed_is_what_was_sent(text in "(https|http|app|com\\.example):(//)?[a-z0-9.@:\\[\\]%#*]{0,12}(/[a-zA-Z0-9%._~-]{0,9}){0,3}(\\?[a-z=&]{0,9})?") {
            if let Ok((uri, _)) = RedirectUri::parse(&text) {
                prop_assert_eq!(uri.as_str(), &text);
                prop_assert!(uri.matches(&text));
                let written = serde_json::Value::from(uri.as_str());
                prop_assert_eq!(serde_json::from_value::<RedirectUri>(written).unwrap(), uri);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            drop(RedirectUri::parse(&text));
        }

        #[test]
        fn whoever_is_allowed_has_no_second_reading(text in "https?://[a-z0-9.%@:\\\\\\[\\]]{1,16}/") {
            if let Ok((uri, _)) = RedirectUri::parse(&text) {
                let (_, host) = uri.scheme_and_host();
                prop_assert_eq!(url::Url::parse(&text).unwrap().host_str().map(str::to_owned), Some(host.to_ascii_lowercase()));
            }
        }
    }
}
