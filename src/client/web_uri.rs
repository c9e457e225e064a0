//! Addresses of web pages and keys: `client_uri`, `logo_uri`, `policy_uri`, `tos_uri`, `jwks_uri`
//! (RFC 7591 §2). They are kept, shown and, once asked for, fetched; so each is `https` to a public host,
//! or `http` to this device. Nothing is fetched at registration. Lengths are the profile's.

use serde::Deserialize;

use super::{
    redirect_uri::{is_localhost, is_loopback_host},
    uri::{self, Host, UriError},
};
use crate::special_use;

/// An address of a web page, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct WebUri(String);

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebUriError {
    /// A bare host or another text that is no URL: careless, not hostile.
    #[error("is not an absolute https URL")]
    NotAUrl,
    /// Hidden characters, or a scheme that runs something.
    #[error("is not an address of a web page")]
    Dangerous,
    /// Another scheme than `https`, or `http` to another host than this device.
    #[error("must use https")]
    NotHttps,
    /// A user name or password, even an empty one.
    #[error("has user information before its host")]
    Userinfo,
    /// An address or name that is no public host.
    #[error("has a special-use address")]
    SpecialUse,
}

impl WebUri {
    /// Reads one address.
    pub fn parse(text: &str) -> Result<Self, WebUriError> {
        if uri::holds_hidden(text) {
            return Err(WebUriError::Dangerous);
        }
        let scheme = uri::scheme(text).ok_or(WebUriError::NotAUrl)?;
        if super::scheme::is_dangerous(&scheme) {
            return Err(WebUriError::Dangerous);
        }
        if !matches!(&*scheme, "http" | "https") {
            // `example.com:8080` reads as a scheme, but was meant as a bare host.
            let is_port = text
                .split_once(':')
                .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
            return Err(if is_port { WebUriError::NotAUrl } else { WebUriError::NotHttps });
        }
        let uri = uri::read(text).map_err(|error| match error {
            UriError::Hidden
            | UriError::Backslash
            | UriError::Ambiguous
            | UriError::EncodedHost => WebUriError::Dangerous,
            UriError::Userinfo => WebUriError::Userinfo,
            UriError::NotAscii
            | UriError::Relative
            | UriError::Malformed
            | UriError::SchemeTooLong
            | UriError::Port
            | UriError::NoHost
            | UriError::Wildcard
            | UriError::DotSegment => WebUriError::NotAUrl,
        })?;
        let is_http = scheme == "http";
        match uri.host {
            Host::None => Err(WebUriError::NotAUrl),
            Host::Name("localhost") => Ok(()),
            Host::Address(_, host) if is_http && is_loopback_host(host) => Ok(()),
            Host::Address(address, _) if special_use::is_special_use(address) => {
                Err(WebUriError::SpecialUse)
            }
            Host::Name(name) if is_localhost(name) => Err(WebUriError::SpecialUse),
            Host::Name(_) | Host::Address(..) if is_http => Err(WebUriError::NotHttps),
            Host::Name(_) | Host::Address(..) => Ok(()),
        }?;
        Ok(Self(text.to_owned()))
    }

    /// The text as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{WebUriError::*, *};

    #[test]
    fn pages_are_https_or_on_this_device() {
        for text in [
            "https://code.visualstudio.com",
            "https://a.example/logo.png?x=1#top",
            "http://localhost:5173",
            "http://127.0.0.1/",
            "http://[::1]:8080/x",
        ] {
            assert_eq!(WebUri::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_careless_text_is_told_from_a_dangerous_one() {
        let refused = [
            ("example.com", NotAUrl),
            ("example.com:8080", NotAUrl),
            ("/logo.png", NotAUrl),
            ("https://", NotAUrl),
            ("https://a.example:x/", NotAUrl),
            ("javascript:alert(1)", Dangerous),
            ("JavaScript:alert(1)", Dangerous),
            ("java\tscript:alert(1)", Dangerous),
            (" javascript:alert(1)", Dangerous),
            ("data:image/png;base64,x", Dangerous),
            ("file:///etc/passwd", Dangerous),
            ("https://a.example\\@evil.example/", Dangerous),
            ("https://0x7f.1/", Dangerous),
            ("http://a.example/", NotHttps),
            ("ftp://a.example/", NotHttps),
            ("mailto:a@a.example", NotHttps),
            ("https://user@a.example/", Userinfo),
            ("https://127.0.0.1/", SpecialUse),
            ("http://169.254.169.254/latest/", SpecialUse),
            ("https://10.0.0.1/", SpecialUse),
            ("https://[::ffff:10.0.0.1]/", SpecialUse),
            ("https://x.localhost/", SpecialUse),
        ];
        for (text, error) in refused {
            assert_eq!(WebUri::parse(text), Err(error), "{text}");
        }
    }
}
