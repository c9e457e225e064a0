//! The response to the client: parameters added to its redirect URI (RFC 6749 §4.1.2), `iss` among them (RFC 9207),
//! with status 303, which does not repeat a posted form (OAuth 2.1 §7.5.3).

use url::form_urlencoded;

use super::{error::AuthorizationError, request::AuthorizationRequest};
use crate::{
    grant::AuthorizationCode,
    http::answer::{Response, see_other},
};

/// A redirect with an authorization code.
pub(super) fn granted(
    request: &AuthorizationRequest,
    code: &AuthorizationCode,
    issuer: &str,
) -> Response {
    back(request, &[("code", &code.to_string())], issuer)
}

/// A redirect with an error.
pub(super) fn refused(
    request: &AuthorizationRequest,
    error: &AuthorizationError,
    issuer: &str,
) -> Response {
    let refusal = error.refusal();
    let parameters = [("error", refusal.code()), ("error_description", &error.to_string())];
    refusal.answered(back(request, &parameters, issuer), error.clone())
}

fn back(request: &AuthorizationRequest, parameters: &[(&str, &str)], issuer: &str) -> Response {
    let uri = request.redirect_uri.as_str();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    if let Some(state) = &request.state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", issuer);
    // The query of the redirect URI itself is preserved (OAuth 2.1 §2.3).
    let separator = if uri.contains('?') { '&' } else { '?' };
    see_other(&format!("{uri}{separator}{}", query.finish()))
}

/// Reads any bytes as a request of a known client.
#[cfg(any(fuzzing, test))]
pub(super) fn fuzz(bytes: &[u8]) {
    use http::header::LOCATION;
    use url::Url;

    use crate::{
        client::ClientIdentifier, config::Config, http::form::Form,
        identified_client::IdentifiedClient,
    };

    const ISSUER: &str = "https://door.example";
    let Ok(form) = Form::parse(bytes) else { return };
    let metadata = r#"{
        "redirect_uris": ["https://app.example/cb?a=1", "http://127.0.0.1:7001/cb", "app:/cb"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"]
    }"#;
    let client = IdentifiedClient {
        identifier: "0190b6c2-0000-7000-8000-000000000000"
            .parse::<ClientIdentifier>()
            .expect("it is a UUID"),
        metadata: serde_json::from_str(metadata).expect("it is metadata as they are kept"),
        state: crate::store::ClientState::default(),
        registration: crate::store::ClientRegistration::default(),
        is_held: false,
        registered_at: None,
    };
    let request = AuthorizationRequest::of(client, &form, &Config::default());
    let Ok(request) = request else { return };

    let uri = request.redirect_uri.as_str();
    let registered = request.client.metadata.redirect_uris.as_slice();
    assert!(registered.iter().any(|known| known.matches(uri)), "{uri} was not registered");
    let error = request.asked.as_ref().err().cloned().unwrap_or(AuthorizationError::Denied);
    let answer = refused(&request, &error, ISSUER);
    let location = answer.headers()[LOCATION].to_str().expect("a location is ASCII");
    assert!(location.starts_with(uri), "{location} is not below {uri}");
    let described = error.to_string();
    assert!(described.bytes().all(|it| matches!(it, b' '..=b'~') && it != b'"' && it != b'\\'));
    let location = Url::parse(location).expect("a location is a URL");
    let values = |name: &str| -> Vec<String> {
        let pairs = location.query_pairs().filter(|(known, _)| known == name);
        pairs.map(|(_, value)| value.into_owned()).collect()
    };
    assert_eq!(values("iss"), [ISSUER]);
    assert_eq!(values("error"), [error.refusal().code()]);
    assert_eq!(values("state"), request.state.iter().cloned().collect::<Vec<_>>());
    assert!(values("code").is_empty());
}

#[cfg(test)]
mod tests {
    use super::fuzz;

    #[test]
    fn an_answer_has_its_own_parameters_once_whatever_was_asked() {
        for request in [
            "",
            "redirect_uri=https://app.example/cb?a=1",
            "redirect_uri=https%3A%2F%2Fapp.example%2Fcb%3Fa%3D1&state=%26iss%3Dx%23%0D%0A",
            "redirect_uri=http://127.0.0.1:9/cb&state=a&state=b&request=%22%5C",
            "redirect_uri=app:/cb&response_type=code&code_challenge_method=S256\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&state=%F0%9F%A6%80",
        ] {
            fuzz(request.as_bytes());
        }
    }
}
