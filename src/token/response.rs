//! The successful answer of the token endpoint (RFC 6749 §5.1).

use serde::Serialize;

use crate::{app::App, client::Scope, grant::RefreshToken};

/// What is handed out. The scope is always said, since less may be allowed than was asked for.
#[derive(Serialize)]
pub(super) struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

impl TokenResponse {
    pub(super) fn new(
        app: &App,
        access_token: String,
        refresh_token: Option<RefreshToken>,
        scope: Option<Scope>,
    ) -> Self {
        Self {
            access_token,
            token_type: "Bearer",
            expires_in: app.config.token.access_token_lifetime_seconds,
            refresh_token: refresh_token.map(|token| token.to_string()),
            scope: scope.map(|scope| scope.as_str().to_owned()),
        }
    }

    pub(super) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a token response is strings and a number")
    }
}
