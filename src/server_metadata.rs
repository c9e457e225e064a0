//! Authorization server metadata (RFC 8414 §2): names what exists with the settings, and nothing else. Members whose
//! default is not ours are spelled out.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{config::Config, messages::Language, paths};

/// The document of a server with these settings, the same for as long as the server runs. Every URL in it begins
/// with the configured issuer; nothing comes from a request.
pub(crate) fn document(config: &Config) -> Bytes {
    let issuer = &config.server.issuer;
    let at = |path: &str| json!(format!("{issuer}{path}"));
    let mut document = Map::new();
    let mut add = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
    add("issuer", json!(issuer));
    add("authorization_endpoint", at(paths::AUTHORIZE));
    add("token_endpoint", at(paths::TOKEN));
    add("registration_endpoint", at(paths::REGISTER));
    add("revocation_endpoint", at(paths::REVOKE));
    add("jwks_uri", at(paths::JWKS));
    add("response_types_supported", json!(["code"]));
    add("response_modes_supported", json!(["query"]));
    add("grant_types_supported", json!(["authorization_code", "refresh_token"]));
    add("code_challenge_methods_supported", json!(["S256"]));
    add("token_endpoint_auth_methods_supported", json!(["none"]));
    add("revocation_endpoint_auth_methods_supported", json!(["none"]));
    add("authorization_response_iss_parameter_supported", json!(true));
    // OpenID Connect Discovery §3 requires these two, and libraries that read either document reject one without
    // them. They promise no ID token: without `openid` among the scopes and `id_token` among the response types,
    // no client asks for one. go-oidc verifies JWT access tokens by the algorithms named here.
    add("subject_types_supported", json!(["public"]));
    add("id_token_signing_alg_values_supported", json!([config.token.algorithm.name()]));
    let languages: Vec<&str> = Language::ALL.iter().map(|language| language.tag()).collect();
    add("ui_locales_supported", json!(languages));
    let scopes: Vec<&str> =
        config.registration.scopes.iter().map(|known| known.scope.as_str()).collect();
    if !scopes.is_empty() {
        add("scopes_supported", json!(scopes));
    }
    if config.authorizes() {
        // RFC 9728 §4.
        let resources = config.authorization.resources.iter();
        let mut uris: Vec<String> = resources.map(|resource| resource.uri.to_string()).collect();
        uris.push(config.api());
        add("protected_resources", json!(uris));
    }
    if config.introspects() {
        add("introspection_endpoint", at(paths::INTROSPECT));
        add("introspection_endpoint_auth_methods_supported", json!(["client_secret_basic"]));
    }
    if config.client_documents.enabled {
        add("client_id_metadata_document_supported", json!(true));
    }
    Value::Object(document).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, CatalogueScope, SigningAlgorithm, Sources};

    fn read(config: &Config) -> Value {
        serde_json::from_slice(&document(config)).unwrap()
    }

    #[test]
    fn every_address_begins_with_the_issuer_as_it_was_set() {
        let mut config = Config::default();
        config.server.issuer = "https://door.example/acme".into();
        let read = read(&config);
        assert_eq!(read["issuer"], "https://door.example/acme");
        let addresses = read.as_object().unwrap().iter().filter(|(member, _)| *member != "issuer");
        let addresses = addresses.filter_map(|(member, value)| Some((member, value.as_str()?)));
        let mut count = 0;
        for (member, address) in addresses {
            assert!(
                address.starts_with("https://door.example/acme/oauth2/"),
                "{member}: {address}"
            );
            count += 1;
        }
        assert_eq!(count, 5, "{read}");
    }

    #[test]
    fn metadata_has_the_members_that_openid_libraries_require() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256, SigningAlgorithm::EdDsa]
        {
            let mut config = Config::default();
            config.token.algorithm = algorithm;
            let read = read(&config);
            assert_eq!(read["subject_types_supported"], json!(["public"]));
            assert_eq!(read["id_token_signing_alg_values_supported"], json!([algorithm.name()]));
            assert_eq!(read["response_types_supported"], json!(["code"]), "no ID token is offered");
        }
    }

    #[test]
    fn what_is_not_there_is_not_named_and_nothing_is_empty() {
        let config = Config::default();
        let optional = [
            "introspection_endpoint",
            "scopes_supported",
            "protected_resources",
            "client_id_metadata_document_supported",
        ];
        let bare = read(&config);
        assert!(optional.iter().all(|member| bare.get(member).is_none()), "{bare}");

        let resource = format!(
            r#"[{{ uri = "https://mcp.example", id = "a", secret_sha256 = "{}" }}]"#,
            "0".repeat(64)
        );
        let flags = vec![("authorization.resources", resource)];
        let mut config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
        config.registration.scopes = vec![CatalogueScope::named("read".into())];
        config.client_documents.enabled = true;
        let full = read(&config);
        assert!(optional.iter().all(|member| full.get(member).is_some()), "{full}");
        let resources = json!(["https://mcp.example", "http://127.0.0.1:8080/api"]);
        assert_eq!(full["protected_resources"], resources);
        let methods = &full["introspection_endpoint_auth_methods_supported"];
        assert_eq!(*methods, json!(["client_secret_basic"]));
        for (member, value) in [&bare, &full].into_iter().flat_map(|it| it.as_object().unwrap()) {
            let is_empty = [json!(null), json!([]), json!({}), json!("")].contains(value);
            assert!(!is_empty, "{member}");
        }
    }
}
