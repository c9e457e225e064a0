//! Identifies the client of a request (RFC 6749 §2.3). All clients are public: they state their identifier and prove
//! nothing. Some programs cannot omit a client secret, so a secret is ignored.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};

use super::error::TokenError;
use crate::{
    app::App,
    attempt,
    client::{ClientIdentifier, ClientMetadata, GrantTypes},
    family::FamilyKey,
    http::form::Form,
    identified_client::{self, TokenClient},
    store::ClientState,
};

/// The client that exchanges or revokes a token.
pub(super) struct Client {
    pub(super) identifier: ClientIdentifier,
    pub(super) grant_types: GrantTypes,
    /// The client's standing and age.
    pub(super) state: ClientState,
    /// The stored metadata; `None` for a client with a metadata document.
    metadata: Option<String>,
}

impl Client {
    /// The app, for the operator: the client's family, or the host of its document.
    pub(super) fn target(&self) -> Option<Box<str>> {
        let text = match (&self.identifier, &self.metadata) {
            (ClientIdentifier::Document(url), _) => url.host().to_owned(),
            (ClientIdentifier::Registered(_), metadata) => {
                let metadata = metadata.as_deref()?;
                let metadata = serde_json::from_str::<ClientMetadata>(metadata).ok()?;
                FamilyKey::of(&metadata).to_string()
            }
        };
        Some(attempt::target(text))
    }
}

/// The client that the request names.
pub(super) async fn identified(
    app: &App,
    headers: &HeaderMap,
    form: &Form<'_>,
) -> Result<Client, TokenError> {
    let named = basic(headers).map(|(user, _)| user);
    let client_id = match (form.one("client_id")?, &named) {
        (Some(one), Some(other)) if one != other => return Err(TokenError::TwoClients),
        (Some(client_id), _) => client_id,
        (None, Some(client_id)) => client_id,
        (None, None) => return Err(TokenError::Missing("client_id")),
    };
    // A malformed identifier belongs to no client.
    let identifier: ClientIdentifier = client_id.parse().map_err(|_| TokenError::UnknownClient)?;
    let client = identified_client::for_tokens(app, &identifier).await?;
    let TokenClient { grant_types, state, metadata } = client.ok_or(TokenError::UnknownClient)?;
    Ok(Client { identifier, grant_types, state, metadata })
}

/// The user and the password of HTTP Basic authentication, decoded as RFC 6749 §2.3.1 encodes them.
pub(super) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(BASE64_STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (user, password) = credentials.split_once(':')?;
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text)
            .decode_utf8()
            .ok()
            .map(std::borrow::Cow::into_owned)
    };
    Some((decoded(user)?, decoded(password)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        basic(&headers)
    }

    #[test]
    fn basic_credentials_are_decoded_as_a_form_encodes_them() {
        let credentials = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(read(&credentials("tools:s3cret")), pair("tools", "s3cret"));
        assert_eq!(
            read(&credentials("https%3A%2F%2Fa.example%2Fc:")),
            pair("https://a.example/c", "")
        );
        assert_eq!(read(&credentials("a:b+c%2B")), pair("a", "b c+"));
        assert_eq!(read(&credentials("a:b").replace("Basic", "bASIC")), pair("a", "b"));
        for bad in
            ["Basic", "Basic !", "Bearer abc", &credentials("nothing"), &credentials("a:%ff")]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
