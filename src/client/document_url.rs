//! The URL of a client metadata document (Client ID Metadata Document §3), which is the client's
//! identifier and compared as text. Whether it may be fetched is not decided here.

use std::{fmt, str::FromStr};

use url::Url;

/// The longest URL of a document, in bytes.
const BYTES_MAX: usize = 2_048;

/// An `https` URL with a path, in the spelling in which it was presented.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentUrl(String);

/// A text that is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no https URL with a path and without fragment, user name and dot segments")]
pub struct DocumentUrlError;

impl DocumentUrl {
    /// As it was presented.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host; a name is in ASCII (punycode).
    pub fn host(&self) -> &str {
        let authority = self.0.trim_start_matches("https://").split(['/', '?']).next();
        let authority = authority.unwrap_or_default();
        // An IPv6 address has colons of its own, in brackets.
        match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => authority,
        }
    }

    /// As one that can be fetched.
    pub(crate) fn to_url(&self) -> Url {
        Url::parse(&self.0).expect("it was parsed when it was made")
    }
}

impl FromStr for DocumentUrl {
    type Err = DocumentUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| DocumentUrlError)?;
        let is_bare =
            url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        // `Url` takes dot segments, default ports and odd spellings away; what it has changed is refused.
        let is_plain = text.len() <= BYTES_MAX
            && text.starts_with("https://")
            && is_bare
            && !text.contains('\\')
            && url.path().len() > 1
            && is_spelled_so(&url, text);
        is_plain.then(|| Self(text.to_owned())).ok_or(DocumentUrlError)
    }
}

/// Whether `text` is how the URL is written; the default port may be in it.
fn is_spelled_so(url: &Url, text: &str) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.as_str() == text || {
        let rest = text.strip_prefix("https://").and_then(|rest| rest.strip_prefix(host));
        let rest = rest.and_then(|rest| rest.strip_prefix(":443"));
        rest.is_some_and(|rest| url.as_str() == format!("https://{host}{rest}"))
    }
}

impl fmt::Display for DocumentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_are_two_identifiers() {
        let plain: DocumentUrl = "https://a.example/c".parse().unwrap();
        assert_ne!(plain, "https://a.example:443/c".parse().unwrap());
        assert_ne!(plain, "https://a.example/c?".parse().unwrap());
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_where_the_fetch_goes(text in "https://[a-z.:@0-9\\[\\]]{0,12}/[ -~]{0,12}") {
            if let Ok(url) = text.parse::<DocumentUrl>() {
                let fetched = url.to_url();
                proptest::prop_assert_eq!(fetched.host_str(), Some(url.host()));
                proptest::prop_assert!(fetched.username().is_empty() && fetched.fragment().is_none());
            }
        }
    }

    #[test]
    fn the_url_of_a_document_is_https_with_a_path_and_nothing_odd() {
        for text in [
            "https://a.example/client.json",
            "https://a.example:443/client.json",
            "https://a.example:8443/c?v=1",
            "https://a.example/@scope/c@1",
        ] {
            let url = text.parse::<DocumentUrl>().unwrap();
            assert_eq!((url.as_str(), url.host()), (text, "a.example"));
        }
        let plain: DocumentUrl = "https://[2606:4700::1]/c".parse().unwrap();
        let with_port: DocumentUrl = "https://[2606:4700::1]:8443/c".parse().unwrap();
        assert_eq!((plain.host(), with_port.host()), ("[2606:4700::1]", "[2606:4700::1]"));
        for text in [
            "http://a.example/c",
            "https://a.example",
            "https://a.example/",
            "https://u@a.example/c",
            "https://u:p@a.example/c",
            "https://@a.example/c",
            "https://:@a.example/c",
            "https://a.example/%2E%2e/c",
            "https://a.example/c\tx",
            "https://\u{fc}.example/c",
            "https://0x7f.1/c",
            "https://a.example:0443/c",
            "https:///a.example/c",
            "https://a.example/c#f",
            "https://a.example/c#",
            "https://a.example/a/../c",
            "https://a.example/a/%2e%2e/c",
            "https://a.example/./c",
            "HTTPS://a.example/c",
            "https://A.example/c",
            "https://a.example\\c",
            " https://a.example/c",
            "https:a.example/c",
        ] {
            assert!(text.parse::<DocumentUrl>().is_err(), "{text:?}");
        }
    }
}
