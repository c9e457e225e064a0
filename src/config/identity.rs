//! What the settings of a guard may tell a server of a person: claims, and the headers that carry them in plain text.

use super::{
    kind::{Shown, Text},
    text::accept_if,
};

/// The claims of an assertion that Doorward itself sets.
pub(crate) const OWN_CLAIMS: [&str; 13] = [
    "iss",
    "aud",
    "sub",
    "iat",
    "exp",
    "nbf",
    "jti",
    "client_id",
    "client_name",
    "scope",
    "grant",
    "email",
    "email_verified",
];

/// A claim of the provider for servers behind the guard.
pub(super) const TOLD_CLAIM: Text<String> = Text {
    expected: "the name of a claim, such as groups",
    parse: |text| {
        if OWN_CLAIMS.contains(&text) {
            return Err(Some(format!("Doorward itself sets the claim {text}")));
        }
        accept_if(text, !text.is_empty() && text.len() <= 255)
    },
    print: String::clone,
    shown: Shown::Whole,
};

/// A header that only a proxy sets.
pub(super) const IDENTITY_HEADER: Text<String> = Text {
    expected: "the name of a header such as X-Forwarded-User, of letters, digits, and hyphens",
    parse: |text| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if text.is_empty() || text.len() > 64 || !is_plain {
            return Err(None);
        }
        let name = text.to_ascii_lowercase();
        let is_taken =
            ["accept", "connection", "content-", "doorward-", "mcp-", "sec-", "transfer-encoding"];
        let others =
            ["authorization", "cookie", "expect", "host", "origin", "te", "trailer", "upgrade"];
        if is_taken.iter().any(|taken| name.starts_with(taken)) || others.contains(&name.as_str()) {
            return Err(Some("that header means something else".into()));
        }
        Ok(text.to_owned())
    },
    print: String::clone,
    shown: Shown::Whole,
};
