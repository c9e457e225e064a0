//! The registered OAuth error codes that are used here, spelled once.

/// An error code of the OAuth Extensions Error Registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    /// RFC 6749 §5.2; here: the request cannot be read as one JSON object.
    InvalidRequest,
    /// RFC 7591 §3.2.2.
    InvalidRedirectUri,
    /// RFC 7591 §3.2.2.
    InvalidClientMetadata,
    /// RFC 6749 §4.1.2.1; our choice for 429 and 503.
    TemporarilyUnavailable,
    /// RFC 6749 §4.1.2.1; our choice for 500.
    ServerError,
}

impl ErrorCode {
    /// The code as it stands in an answer.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }
}
