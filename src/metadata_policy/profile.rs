//! The two profiles of the registration endpoint, as data. Validation is one; it asks a profile where the
//! promises differ, and never asks which profile it is.

use crate::client::ProfileName;

/// What one door promises.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a profile is a row of choices")]
pub(crate) struct Profile {
    /// Which door this is, for records and logs.
    pub(crate) name: ProfileName,
    /// Whether a client must have a name.
    pub(crate) requires_client_name: bool,
    /// Whether a value that is merely not allowed is left out while the request stands without it. A
    /// dangerous value is refused all the same.
    pub(crate) is_lenient: bool,
    /// Whether a client that asks for a secret is registered without one.
    pub(crate) replaces_auth_method: bool,
    /// The longest `client_uri`, `logo_uri`, `policy_uri`, `tos_uri` and `jwks_uri`, in characters.
    pub(crate) uri_characters_max: usize,
    /// The longest `scope`, in characters.
    pub(crate) scope_characters_max: usize,
    /// Whether scopes outside a configured catalogue are left out.
    pub(crate) drops_unknown_scopes: bool,
    /// What is said, as `invalid_client_metadata`, of a redirect URI that does not parse; otherwise it is
    /// an `invalid_redirect_uri` like every other refused one.
    pub(crate) malformed_redirect_uri: Option<&'static str>,
    /// What the answers look like.
    pub(crate) answers: Answers,
}

/// What the answers of a profile look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Six members on 201, two on 400, `{"errors":[…]}` on all else; `x-ratelimit-*`.
    Datadog,
    /// All registered metadata on 201, every violation on 400, OAuth errors on all else; `RateLimit-*`.
    OAuth,
}

impl Profile {
    /// `POST /api/v2/oauth2/register`.
    pub(crate) const DATADOG: Self = Self {
        name: ProfileName::Datadog,
        requires_client_name: true,
        is_lenient: false,
        replaces_auth_method: false,
        uri_characters_max: 1_000,
        scope_characters_max: 1_000,
        drops_unknown_scopes: false,
        malformed_redirect_uri: Some("redirect URI is not well-formed"),
        answers: Answers::Datadog,
    };

    /// `POST /oauth2/register` and `POST /register`.
    pub(crate) const RFC7591: Self = Self {
        name: ProfileName::Rfc7591,
        requires_client_name: false,
        is_lenient: true,
        replaces_auth_method: true,
        uri_characters_max: 2_048,
        scope_characters_max: 4_096,
        drops_unknown_scopes: true,
        malformed_redirect_uri: None,
        answers: Answers::OAuth,
    };

    /// Metadata that is published, not sent: a client there is known by its name alone, and a method that
    /// needs a secret cannot be meant otherwise.
    pub(crate) const DOCUMENT: Self =
        Self { requires_client_name: true, replaces_auth_method: false, ..Self::RFC7591 };

    /// The profile of this name.
    pub(crate) fn of(name: ProfileName) -> &'static Self {
        match name {
            ProfileName::Datadog => &Self::DATADOG,
            ProfileName::Rfc7591 => &Self::RFC7591,
        }
    }
}
