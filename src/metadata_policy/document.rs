//! Client metadata that a client publishes and does not send (Client ID Metadata Document §5): the parser
//! and the policy are those of a registration, and what only a document has is looked at beside them.

use super::{
    error::{MetadataError, Violation},
    policy,
    profile::Profile,
    request::RegistrationRequest,
};
use crate::{
    client::{
        ClientMetadata, DocumentUrl,
        fault::{Fault, Problem},
    },
    config::RegistrationConfig,
    json::{Object, Value},
};

const AUTH_METHOD: &str = "token_endpoint_auth_method";
/// All methods that a client can use, beside the one it would rather (OpenID Connect RP Metadata Choices).
const AUTH_METHODS: &str = "token_endpoint_auth_methods_supported";

/// The client that the document at `url` describes, or everything that is wrong with the document.
pub(crate) fn admit_document(
    document: &[u8],
    url: &DocumentUrl,
    settings: &RegistrationConfig,
) -> Result<ClientMetadata, Vec<Violation>> {
    let admitted = || -> Result<_, MetadataError> {
        let mut request = RegistrationRequest::parse(document)?;
        names_its_url(&request.document, url, &mut request.faults);
        holds_no_secret(&request.document, &mut request.faults);
        may_do_without_authentication(&request.document, &mut request.faults);
        Ok(policy::admit(request, &Profile::DOCUMENT, settings)?)
    };
    admitted()
        .map(|admitted| admitted.metadata().clone())
        .map_err(|error| error.violations(&Profile::DOCUMENT))
}

/// Or anybody could publish it as theirs (§5). Compared as text.
fn names_its_url(document: &Object<'_>, url: &DocumentUrl, faults: &mut Vec<Fault>) {
    match document.get("client_id") {
        Some(Value::String(text)) if text == url.as_str() => {}
        Some(_) => faults.push(Fault::of("client_id", Problem::OtherUrl)),
        None => faults.push(Fault::of("client_id", Problem::Missing)),
    }
}

/// Everybody reads a document, so that no secret can be in it (§5).
fn holds_no_secret(document: &Object<'_>, faults: &mut Vec<Fault>) {
    for member in ["client_secret", "client_secret_expires_at"] {
        if document.get(member).is_some() {
            faults.push(Fault::of(member, Problem::PublishedSecret));
        }
    }
}

/// Keys are not looked at here. A client that would rather use them may say that it can do without; one that
/// lists its methods and leaves `none` out cannot.
fn may_do_without_authentication(document: &Object<'_>, faults: &mut Vec<Fault>) {
    let Some(Value::Array(methods)) = document.get(AUTH_METHODS) else { return };
    let is =
        |value: &Value<'_>, method: &str| matches!(value, Value::String(text) if text == method);
    let prefers = |method| document.get(AUTH_METHOD).is_some_and(|value| is(value, method));
    if !methods.iter().any(|value| is(value, "none")) {
        if !faults.iter().any(|fault| fault.member == AUTH_METHOD) {
            faults.push(Fault::of(AUTH_METHODS, Problem::AuthMethod));
        }
    } else if prefers("private_key_jwt") {
        faults.retain(|fault| fault.member != AUTH_METHOD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::TokenEndpointAuthMethod, config::Config};

    const URL: &str = "https://app.example/client.json";

    /// What a document with these members is admitted as, or the reasons against it.
    fn admit(members: &str) -> Result<ClientMetadata, Vec<String>> {
        let document = format!("{{{members}}}");
        let settings = Config::default().registration;
        admit_document(document.as_bytes(), &URL.parse().unwrap(), &settings)
            .map_err(|all| all.into_iter().map(|violation| violation.reason).collect())
    }

    fn with(more: &str) -> Result<ClientMetadata, Vec<String>> {
        admit(&format!(
            r#""client_id":"{URL}","client_name":"A","redirect_uris":["http://127.0.0.1/cb"]{more}"#
        ))
    }

    #[test]
    fn a_document_names_its_own_url_as_text() {
        assert!(with("").is_ok());
        let rest = r#""client_name":"A","redirect_uris":["http://127.0.0.1/cb"]"#;
        for other in ["https://app.example:443/client.json", "https://app.example/other", "", "A"] {
            let refused = admit(&format!(r#""client_id":"{other}",{rest}"#)).unwrap_err();
            assert_eq!(refused, ["client_id: is not the URL of the document"], "{other}");
        }
        assert_eq!(admit(rest).unwrap_err(), ["client_id: is required"]);
    }

    #[test]
    fn a_document_has_a_name_and_redirect_uris() {
        let refused = admit(&format!(r#""client_id":"{URL}""#)).unwrap_err();
        assert_eq!(refused, ["client_name: is required", "redirect_uris: is required"]);
    }

    #[test]
    fn no_secret_is_published() {
        for member in
            [r#""client_secret":"s""#, r#""client_secret":null"#, r#""client_secret_expires_at":0"#]
        {
            let refused = with(&format!(",{member}")).unwrap_err();
            assert!(
                refused[0].ends_with(": is in a document that everybody can read"),
                "{refused:?}"
            );
        }
        for method in ["client_secret_post", "client_secret_basic", "client_secret_jwt"] {
            for listed in ["", r#","token_endpoint_auth_methods_supported":["none"]"#] {
                let method = format!(r#","token_endpoint_auth_method":"{method}"{listed}"#);
                assert_eq!(with(&method).unwrap_err().len(), 1, "{method}");
            }
        }
        for private in [
            r#"{"kty":"EC","crv":"P-256","x":"a","y":"b","d":"c"}"#,
            r#"{"kty":"RSA","n":"a","e":"AQAB","d":"c"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"a","d":"c"}"#,
            r#"{"kty":"oct","k":"a"}"#,
        ] {
            let public = r#"{"kty":"EC","crv":"P-256","x":"a","y":"b"}"#;
            let keys = format!(r#","jwks":{{"keys":[{public},{private}]}}"#);
            assert_eq!(with(&keys).unwrap_err().len(), 1, "{private}");
        }
    }

    #[test]
    fn a_client_with_keys_is_let_in_when_it_can_do_without_them() {
        let keys = r#","token_endpoint_auth_method":"private_key_jwt""#;
        let refused = with(keys).unwrap_err();
        assert_eq!(
            refused,
            ["token_endpoint_auth_method: asks for a method that is not supported; only none is"]
        );
        let listing = |methods| format!(r#","token_endpoint_auth_methods_supported":{methods}"#);
        let both = listing(r#"["private_key_jwt","none"]"#);
        let admitted = with(&format!("{keys}{both}")).unwrap();
        assert_eq!(admitted.token_endpoint_auth_method, TokenEndpointAuthMethod::None);
        assert!(with(&both).is_ok());
        let one = listing(r#"["private_key_jwt"]"#);
        assert_eq!(with(&one).unwrap_err().len(), 1);
        assert_eq!(with(&format!("{keys}{one}")).unwrap_err().len(), 1);
    }

    #[test]
    fn a_document_is_held_to_the_rules_of_a_registration() {
        for more in [
            r#","logo_uri":"javascript:alert(1)""#,
            r#","client_uri":"data:text/html,x""#,
            r#","logo_uri":"https://169.254.169.254/""#,
            r#","client_name#fr":"a\u202e""#,
        ] {
            assert_eq!(with(more).unwrap_err().len(), 1, "{more}");
        }
        for danger in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"] {
            for member in ["logo_uri", "client_uri", "policy_uri", "tos_uri", "jwks_uri"] {
                let more = format!(r#","{member}":"{danger}""#);
                assert_eq!(with(&more).unwrap_err().len(), 1, "{more}");
            }
            // One good redirect URI makes up for none of these.
            let uris = format!(r#""redirect_uris":["https://app.example/cb","{danger}"]"#);
            let document = format!(r#""client_id":"{URL}","client_name":"A",{uris}"#);
            assert_eq!(admit(&document).unwrap_err().len(), 1, "{danger}");
        }
        assert_eq!(admit("x").unwrap_err().len(), 1);
    }
}
