//! The successful answer of the token endpoint (RFC 6749 §5.1).

use crate::{app::App, client::Scope, grant::RefreshToken};

/// Room for what is neither token nor scope, in bytes.
const REST_BYTES: usize = 128;

/// The body of the answer. The scope is always said, since less may be allowed than was asked for.
///
/// Nothing in it needs escaping: tokens are base64url with dots and underscores, and a scope has neither
/// quotes nor backslashes (RFC 6749 §3.3). To look at every byte for it would be a tenth of all that an
/// exchange costs beside its signature.
pub(super) fn body(
    app: &App,
    access_token: &str,
    refresh_token: Option<&RefreshToken>,
    scope: Option<&Scope>,
) -> String {
    let refresh_token = refresh_token.map(RefreshToken::to_string);
    let texts = [Some(access_token), refresh_token.as_deref(), scope.map(Scope::as_str)];
    let length: usize = texts.iter().flatten().map(|text| text.len()).sum();
    let mut body = String::with_capacity(length + REST_BYTES);
    let lifetime = app.config.token.access_token_lifetime_seconds.to_string();
    body.extend(["{\"access_token\":\"", access_token, "\",\"token_type\":\"Bearer\""]);
    body.extend([",\"expires_in\":", &lifetime]);
    if let Some(token) = &refresh_token {
        body.extend([",\"refresh_token\":\"", token, "\""]);
    }
    if let Some(scope) = scope {
        body.extend([",\"scope\":\"", scope.as_str(), "\""]);
    }
    body.push('}');
    body
}
