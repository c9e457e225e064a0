//! The part of a provider's metadata that this server uses (OpenID Connect Discovery 1.0 §3).

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use url::Url;

/// Accepted algorithms of ID tokens: none that a holder of our client secret could sign with, and none that is
/// outdated. Each is used only if the provider lists it.
const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// The metadata of a provider.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProviderMetadata {
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) jwks_uri: Url,
    /// Whether the provider adds `iss` to each authorization response (RFC 9207 §3).
    pub(crate) names_itself: bool,
    /// Whether the client secret goes into the form, because the provider does not read the header.
    pub(crate) takes_secret_in_form: bool,
    /// The `prompt` that makes the provider offer a choice of accounts (OpenID Connect Core 1.0 §3.1.2.1), if it has
    /// one.
    pub(crate) prompt_for_other_account: Option<&'static str>,
    /// The algorithms of [`ALGORITHMS`] that the provider lists.
    pub(crate) algorithms: Vec<Algorithm>,
}

/// Why the metadata of a provider is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProviderMetadataError {
    #[error("its metadata is no JSON object")]
    NotAnObject,
    #[error("its metadata names another issuer")]
    Issuer,
    #[error("its metadata has no usable {0}")]
    Endpoint(&'static str),
    #[error("it signs ID tokens with nothing that is accepted here")]
    Algorithms,
}

impl ProviderMetadata {
    /// Reads the metadata document of this issuer, which must name the issuer byte for byte (§4.3).
    pub(crate) fn read(document: &[u8], issuer: &str) -> Result<Self, ProviderMetadataError> {
        let Ok(Value::Object(members)) = serde_json::from_slice(document) else {
            return Err(ProviderMetadataError::NotAnObject);
        };
        if members.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(ProviderMetadataError::Issuer);
        }
        let signs_with = texts(&members, "id_token_signing_alg_values_supported");
        let is_named = |(name, _): &(&str, Algorithm)| signs_with.contains(name);
        let algorithms: Vec<_> =
            ALGORITHMS.into_iter().filter(is_named).map(|(_, algorithm)| algorithm).collect();
        if algorithms.is_empty() {
            return Err(ProviderMetadataError::Algorithms);
        }
        // An absent member means the header (§3).
        let ways = texts(&members, "token_endpoint_auth_methods_supported");
        Ok(Self {
            authorization_endpoint: endpoint(&members, issuer, "authorization_endpoint")?,
            token_endpoint: endpoint(&members, issuer, "token_endpoint")?,
            jwks_uri: endpoint(&members, issuer, "jwks_uri")?,
            names_itself: members.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            takes_secret_in_form: ways.contains(&"client_secret_post")
                && !ways.contains(&"client_secret_basic"),
            prompt_for_other_account: prompt_for_other_account(&members),
            algorithms,
        })
    }
}

/// The `prompt` for another account: one that the provider lists as supported (Initiating User Registration via
/// OpenID Connect 1.0 §4). Nearly all providers without such a list support the first.
fn prompt_for_other_account(members: &Map<String, Value>) -> Option<&'static str> {
    let supported = texts(members, "prompt_values_supported");
    let mut prompts = ["select_account", "login"].into_iter();
    prompts.find(|prompt| supported.is_empty() || supported.contains(prompt))
}

/// An endpoint: an https URL, unless the issuer itself is on this machine and uses http.
fn endpoint(
    members: &Map<String, Value>,
    issuer: &str,
    name: &'static str,
) -> Result<Url, ProviderMetadataError> {
    let text = members.get(name).and_then(Value::as_str);
    let url = text.and_then(|text| Url::parse(text).ok());
    let is_usable = |url: &Url| {
        url.scheme() == "https" || url.scheme() == "http" && issuer.starts_with("http://")
    };
    url.filter(is_usable).ok_or(ProviderMetadataError::Endpoint(name))
}

fn texts<'members>(members: &'members Map<String, Value>, name: &str) -> Vec<&'members str> {
    let list = members.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_is_asked_for_by_a_prompt_that_the_provider_supports() {
        for (supported, expected) in [
            (json!(null), Some("select_account")),
            (json!(["none", "login", "select_account"]), Some("select_account")),
            (json!(["none", "login"]), Some("login")),
            (json!(["none", "create"]), None),
        ] {
            let members = json!({ "prompt_values_supported": supported });
            assert_eq!(prompt_for_other_account(members.as_object().unwrap()), expected);
        }
    }

    const ISSUER: &str = "https://login.example/acme";

    /// Valid metadata with one member changed.
    fn with(name: &str, value: Value) -> Result<ProviderMetadata, ProviderMetadataError> {
        let mut document = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://login.example/authorize?tenant=acme",
            "token_endpoint": "https://api.example/token",
            "jwks_uri": "https://login.example/keys",
            "id_token_signing_alg_values_supported": ["none", "HS256", "RS256", "ES512", "EdDSA"],
        });
        document[name] = value;
        ProviderMetadata::read(document.to_string().as_bytes(), ISSUER)
    }

    #[test]
    fn only_algorithms_of_the_list_that_the_provider_names_are_used() {
        let read = with("other", json!(1)).unwrap();
        assert_eq!(read.algorithms, [Algorithm::RS256, Algorithm::EdDSA]);
        let named = |list| with("id_token_signing_alg_values_supported", list);
        assert_eq!(named(json!(["none", "HS256"])), Err(ProviderMetadataError::Algorithms));
        assert_eq!(named(Value::Null), Err(ProviderMetadataError::Algorithms));
    }

    #[test]
    fn metadata_of_another_issuer_is_refused() {
        for other in
            ["https://login.example/acme/", "https://LOGIN.example/acme", "https://evil.example"]
        {
            assert_eq!(with("issuer", json!(other)), Err(ProviderMetadataError::Issuer), "{other}");
        }
        assert_eq!(with("issuer", Value::Null), Err(ProviderMetadataError::Issuer));
        assert_eq!(ProviderMetadata::read(b"[]", ISSUER), Err(ProviderMetadataError::NotAnObject));
    }

    #[test]
    fn an_endpoint_without_tls_is_refused() {
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            for bad in
                [json!("http://login.example/x"), json!("/x"), json!("javascript:x"), Value::Null]
            {
                assert_eq!(with(name, bad), Err(ProviderMetadataError::Endpoint(name)));
            }
        }
    }

    #[test]
    fn the_secret_goes_into_the_header_unless_only_the_form_is_read() {
        for (ways, in_form) in [
            (Value::Null, false),
            (json!(["client_secret_post", "client_secret_basic"]), false),
            (json!(["private_key_jwt", "client_secret_post"]), true),
        ] {
            let read = with("token_endpoint_auth_methods_supported", ways.clone()).unwrap();
            assert_eq!(read.takes_secret_in_form, in_form, "{ways}");
        }
    }
}
