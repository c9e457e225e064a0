//! What is declined, and how a client notices: it is not named, it is not there, and it proves nothing.

use serde_json::json;

use crate::{
    description,
    flow::{self, Browser, Client, REDIRECT_URI},
    granted::{claims, config, form, redeeming, refused},
    harness::TestServer,
};

#[tokio::test]
async fn what_is_declined_is_neither_named_nor_there() {
    let server = TestServer::with(description::everything()).await;
    let get = async |path: &str| {
        server.exchange(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
    };
    let document = get("/.well-known/oauth-authorization-server").await.json();
    let mut names: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let all = [
        "authorization_endpoint",
        "authorization_response_iss_parameter_supported",
        "client_id_metadata_document_supported",
        "code_challenge_methods_supported",
        "grant_types_supported",
        "id_token_signing_alg_values_supported",
        "introspection_endpoint",
        "introspection_endpoint_auth_methods_supported",
        "issuer",
        "jwks_uri",
        "protected_resources",
        "registration_endpoint",
        "response_modes_supported",
        "response_types_supported",
        "revocation_endpoint",
        "revocation_endpoint_auth_methods_supported",
        "scopes_supported",
        "subject_types_supported",
        "token_endpoint",
        "token_endpoint_auth_methods_supported",
        "ui_locales_supported",
    ];
    assert_eq!(names, all);
    for member in all.iter().filter(|it| it.ends_with("_endpoint") || it.ends_with("_uri")) {
        let path = document[*member].as_str().unwrap().strip_prefix(flow::ISSUER).unwrap();
        assert_ne!(get(path).await.status, 404, "{member}");
    }
    for path in ["/oauth2/par", "/oauth2/device_authorization", "/oauth2/userinfo"] {
        assert_eq!(get(path).await.status, 404, "{path}");
        assert_eq!(server.post_form(path, "", "client_id=x").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn no_other_grant_is_exchanged_for_tokens() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await.to_string();
    for grant_type in [
        "password",
        "client_credentials",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "Authorization_Code",
    ] {
        let body = form(&[
            ("grant_type", grant_type),
            ("client_id", &client),
            ("username", "developer"),
            ("password", server.password.as_ref().unwrap()),
            ("device_code", "x"),
            ("assertion", "x"),
            ("subject_token", "x"),
        ]);
        let answer = server.token(&body).await;
        assert_eq!(refused(&answer), (400, "unsupported_grant_type".to_owned()), "{grant_type}");
    }
}

#[tokio::test]
async fn an_assertion_proves_nothing_and_names_nobody() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let code = server.grant(client).await;
    let assertion = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "eyJhbGciOiJub25lIn0.e30."),
    ];
    let nameless = [("client_id", ""), assertion[0], assertion[1]];
    let answer = server.token(&redeeming(client, &code, &nameless)).await;
    assert_eq!(refused(&answer), (400, "invalid_request".to_owned()));
    let other = server.new_client().await.to_string();
    let of_another = [("client_id", &*other), assertion[0], assertion[1]];
    let answer = server.token(&redeeming(client, &code, &of_another)).await;
    assert_eq!(refused(&answer), (400, "invalid_grant".to_owned()));
    let answer = server.token(&redeeming(client, &code, &assertion)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn no_token_is_bound_to_a_key_whatever_a_client_sends() {
    let server = TestServer::with(flow::config()).await;
    let metadata = json!({ "redirect_uris": [REDIRECT_URI], "dpop_bound_access_tokens": true });
    let answer = server.post("/oauth2/register", &metadata.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json().get("dpop_bound_access_tokens"), None, "what is not done is not told");
    let client = Client { id: answer.client_id().to_string() };
    let mut browser = Browser::signed_in(&server).await;
    let request = client.request().and("dpop_jkt", &"A".repeat(43));
    let page = browser.get(&request.path()).await;
    let code = browser.submit(&page, "decision", "allow").await.code();
    let body = redeeming(answer.client_id(), &code, &[]);
    let bought = server.post_form("/oauth2/token", "dpop: e30.e30.e30\r\n", &body).await;
    assert_eq!(bought.json()["token_type"], "Bearer", "{bought:?}");
    assert_eq!(claims(&bought).get("cnf"), None);
}
