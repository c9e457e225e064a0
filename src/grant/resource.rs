//! Resource indicators (RFC 8707): where a token is to be used.

use std::fmt;

use url::Url;

/// The longest indicator, in bytes.
const BYTES_MAX: usize = 2_048;

/// The value of `resource`: an absolute URI without fragment, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceIndicator(String);

/// A text that is no resource indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an absolute URI without a fragment")]
pub struct ResourceIndicatorError;

impl ResourceIndicator {
    /// Reads the value of `resource` (RFC 8707 §2).
    pub fn parse(text: &str) -> Result<Self, ResourceIndicatorError> {
        let is_absolute = Url::parse(text).is_ok();
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains('#');
        (is_absolute && is_plain && text.len() <= BYTES_MAX)
            .then(|| Self(text.to_owned()))
            .ok_or(ResourceIndicatorError)
    }

    /// As it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name one resource. Clients disagree about the slash behind a bare origin and about the
    /// case of scheme and host, which mean nothing (RFC 3986 §6.2); everything else is compared as text.
    pub fn names_the_same(&self, other: &Self) -> bool {
        self.0 == other.0 || compared(&self.0) == compared(&other.0)
    }
}

/// The text with scheme and host in lower case, and a bare origin without its slash.
fn compared(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = if path == "/" { "" } else { path };
    format!("{}://{}{path}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase())
}

impl fmt::Display for ResourceIndicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indicator(text: &str) -> ResourceIndicator {
        ResourceIndicator::parse(text).unwrap()
    }

    #[test]
    fn an_indicator_is_an_absolute_uri_without_fragment() {
        for text in
            ["https://mcp.example.com", "https://mcp.example.com/mcp?x=1", "urn:example:api"]
        {
            assert_eq!(indicator(text).as_str(), text);
        }
        for text in [
            "",
            "/mcp",
            "mcp.example.com",
            "https://a.example/#",
            "https://a.example/ b",
            "https://a.example/\u{e9}",
        ] {
            assert!(ResourceIndicator::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_slash_behind_an_origin_and_the_case_of_the_host_mean_nothing() {
        let origin = indicator("https://mcp.example.com");
        for same in ["https://mcp.example.com/", "HTTPS://MCP.example.com"] {
            assert!(origin.names_the_same(&indicator(same)), "{same}");
        }
        let mcp = indicator("https://mcp.example.com/mcp");
        for other in [
            "https://mcp.example.com/mcp/",
            "https://mcp.example.com/MCP",
            "https://mcp.example.com",
        ] {
            assert!(!mcp.names_the_same(&indicator(other)), "{other}");
        }
    }
}
