//! The registered OAuth error codes that are used here, spelled once.

use serde::{Serialize, Serializer};

/// An error code of the OAuth Extensions Error Registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    /// RFC 6749 §5.2; here: the request cannot be read as one JSON object.
    InvalidRequest,
    /// RFC 7591 §3.2.2.
    InvalidRedirectUri,
    /// RFC 7591 §3.2.2.
    InvalidClientMetadata,
    /// RFC 6749 §5.2: whoever asks is not known; and where resources ask, not who it says it is.
    InvalidClient,
    /// RFC 6749 §5.2: the code or refresh token is not, or no longer, good.
    InvalidGrant,
    /// RFC 6749 §4.1.2.1, §5.2: this client may not ask so.
    UnauthorizedClient,
    /// RFC 6750 §3.1: of a registration access token (RFC 7592) or an initial access token (RFC 7591 §3).
    InvalidToken,
    /// RFC 6749 §4.1.2.1; our choice for 403.
    AccessDenied,
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType,
    /// RFC 6749 §5.2.
    UnsupportedGrantType,
    /// RFC 6749 §4.1.2.1, §5.2.
    InvalidScope,
    /// RFC 8707 §2.
    InvalidTarget,
    /// OpenID Connect Core §3.1.2.6, for `prompt=none`.
    LoginRequired,
    /// OpenID Connect Core §3.1.2.6, for `prompt=none`.
    ConsentRequired,
    /// RFC 6749 §4.1.2.1; our choice for 429 and 503.
    TemporarilyUnavailable,
    /// RFC 6749 §4.1.2.1; our choice for 500.
    ServerError,
}

impl ErrorCode {
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[
        Self::InvalidRequest,
        Self::InvalidRedirectUri,
        Self::InvalidClientMetadata,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::InvalidToken,
        Self::AccessDenied,
        Self::UnsupportedResponseType,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::InvalidTarget,
        Self::LoginRequired,
        Self::ConsentRequired,
        Self::TemporarilyUnavailable,
        Self::ServerError,
    ];

    /// The code as it stands in an answer.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::InvalidToken => "invalid_token",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
