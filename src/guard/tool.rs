//! Which tool a request calls, by its headers alone (MCP 2026-07-28). They count only where the upstream rejects
//! requests whose headers differ from the body: an older server goes by the body, whatever the headers say.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::HeaderMap;

use super::Tool;
use crate::config::Guard;

/// The first version whose servers compare headers and body. Versions are dates, so they compare as text.
const FIRST_VERSION: &str = "2026-07-28";

/// The methods by which no server takes a message of MCP.
const CALLS_NO_TOOL: [&str; 4] = ["GET", "HEAD", "OPTIONS", "DELETE"];

/// A tool that was found in headers.
pub(crate) enum Named {
    None,
    Called(String),
    Hidden(&'static str),
}

impl Named {
    pub(crate) fn as_tool(&self) -> Tool<'_> {
        match self {
            Self::None => Tool::None,
            Self::Called(name) => Tool::Called(name),
            Self::Hidden(reason) => Tool::Hidden(reason),
        }
    }
}

/// The tool that the headers of a request name.
pub(crate) fn tool_of(method: &str, headers: &HeaderMap, settings: &Guard) -> Named {
    // A message of MCP comes by POST, which some servers read in another spelling or under another method as well.
    if CALLS_NO_TOOL.contains(&method) {
        return Named::None;
    }
    if !settings.upstream_validates_headers {
        return Named::Hidden("upstream_validates_headers is not set");
    }
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !value("mcp-protocol-version").is_some_and(is_late_enough) {
        return Named::Hidden("MCP-Protocol-Version is absent or before 2026-07-28");
    }
    match value("mcp-method") {
        None => Named::Hidden("Mcp-Method is absent"),
        Some("tools/call") => match value("mcp-name").and_then(decoded) {
            Some(name) => Named::Called(name),
            None => Named::Hidden("Mcp-Name is absent or unreadable"),
        },
        Some(other) if other.eq_ignore_ascii_case("tools/call") => {
            Named::Hidden("Mcp-Method is misspelled")
        }
        Some(_) => Named::None,
    }
}

fn is_late_enough(version: &str) -> bool {
    let is_date = version.len() == FIRST_VERSION.len()
        && version
            .bytes()
            .zip(FIRST_VERSION.bytes())
            .all(|(byte, like)| if like == b'-' { byte == b'-' } else { byte.is_ascii_digit() });
    is_date && version >= FIRST_VERSION
}

/// The name in a header, which is in Base64 where a header cannot hold it: `=?base64?…?=`.
fn decoded(value: &str) -> Option<String> {
    let name = match value.strip_prefix("=?base64?") {
        Some(rest) => {
            let bytes = BASE64_STANDARD.decode(rest.strip_suffix("?=")?).ok()?;
            String::from_utf8(bytes).ok()?
        }
        None => value.to_owned(),
    };
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::config::{self, Sources};

    fn named(method: &str, lines: &[(&'static str, &'static str)], validates: bool) -> String {
        let resources = format!(
            r#"[{{ uri = "https://a.example", guard = {{ id = "a", upstream_validates_headers = {validates} }} }}]"#
        );
        let flags = vec![("authorization.resources", resources)];
        let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
        let guard = config.authorization.resources[0].guard.clone().unwrap();
        let headers = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        match tool_of(method, &headers.collect(), &guard) {
            Named::None => "none".to_owned(),
            Named::Called(name) => format!("called {name}"),
            Named::Hidden(_) => "hidden".to_owned(),
        }
    }

    #[test]
    fn headers_name_a_tool_only_where_the_version_says_so() {
        const V: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
        const CALL: (&str, &str) = ("mcp-method", "tools/call");
        for (lines, expected) in [
            (&[V, CALL, ("mcp-name", "delete_repo")][..], "called delete_repo"),
            (&[V, CALL, ("mcp-name", "=?base64?ZGVsZXRlX3JlcG8=?=")], "called delete_repo"),
            (&[V, CALL, ("mcp-name", "=?base64?!?=")], "hidden"),
            (&[V, CALL, ("mcp-name", "=?base64?ZGVs")], "hidden"),
            (&[V, CALL, ("mcp-name", "")], "hidden"),
            (&[V, CALL], "hidden"),
            (&[V, ("mcp-method", "tools/list")], "none"),
            (&[V, ("mcp-method", "Tools/Call"), ("mcp-name", "x")], "hidden"),
            (&[V], "hidden"),
            (&[CALL, ("mcp-name", "x")], "hidden"),
            (&[("mcp-protocol-version", "2025-11-25"), CALL, ("mcp-name", "x")], "hidden"),
            (&[("mcp-protocol-version", "draft-9999"), CALL, ("mcp-name", "x")], "hidden"),
            (&[("mcp-protocol-version", "2027-01-01"), CALL, ("mcp-name", "x")], "called x"),
        ] {
            assert_eq!(named("POST", lines, true), expected, "{lines:?}");
            assert_eq!(named("POST", lines, false), "hidden", "{lines:?}");
            for method in ["post", "Post", "PUT", "PATCH", "get"] {
                assert_eq!(named(method, lines, true), expected, "{method} {lines:?}");
            }
            for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
                assert_eq!(named(method, lines, true), "none", "{method} {lines:?}");
            }
        }
    }
}
