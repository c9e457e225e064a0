//! The MCP SDK for Rust, unmodified, from the address of a protected server to an answer of its tool. Its user is the
//! small person of person.mjs. `TOOLS_URL` is the protected server, which runs elsewhere.

use std::env;

use oauth2::TokenResponse;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{
    AuthClient, AuthorizationCallback, AuthorizationManager, AuthorizationRequest, OAuthState,
    OAuthTokenResponse, WWWAuthenticateParams,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ServiceExt, object};
use tokio::process::Command;

const REDIRECT_URI: &str = "http://localhost:8094/callback";

/// Opens an authorization request as a user does, allows it, and returns where the user was sent.
async fn decide(request: &str) -> String {
    let person = Command::new("node").args(["../person.mjs", request]).output().await.unwrap();
    assert!(person.status.success(), "{}", String::from_utf8_lossy(&person.stderr));
    String::from_utf8(person.stdout).unwrap().trim().to_owned()
}

fn transport(
    manager: AuthorizationManager,
) -> (AuthClient<reqwest::Client>, StreamableHttpClientTransport<AuthClient<reqwest::Client>>) {
    let client = AuthClient::new(reqwest::Client::new(), manager);
    let config = StreamableHttpClientTransportConfig::with_uri(env::var("TOOLS_URL").unwrap());
    (client.clone(), StreamableHttpClientTransport::with_client(client, config))
}

async fn call(
    session: &RunningService<RoleClient, ()>,
    tool: &'static str,
) -> Result<String, ServiceError> {
    let request = CallToolRequestParams::new(tool).with_arguments(object!({ "word": "hello" }));
    let answer = session.call_tool(request).await?;
    Ok(answer.content[0].as_text().unwrap().text.clone())
}

fn scopes(token: &OAuthTokenResponse) -> Vec<String> {
    token.scopes().unwrap().iter().map(|scope| scope.to_string()).collect()
}

#[tokio::test]
async fn rmcp_goes_from_a_url_to_an_answer_steps_up_and_refreshes() {
    let tools = env::var("TOOLS_URL").unwrap();

    // Without a token, the server answers a challenge, which leads the SDK to the authorization server.
    let (_, stranger) = transport(AuthorizationManager::new(&tools).await.unwrap());
    let rejected = ().serve(stranger).await.unwrap_err();
    let request = AuthorizationRequest::new(REDIRECT_URI)
        .with_client_name("Journey in Rust")
        .with_challenge(rejected.auth_challenge().unwrap());
    let mut state = OAuthState::new(&tools, None).await.unwrap();
    state.start_authorization(request).await.unwrap();
    let sent = decide(&state.get_authorization_url().await.unwrap()).await;
    let issuer = AuthorizationCallback::from_redirect_url(&sent).unwrap().issuer;
    assert_eq!(issuer, env::var("DOORWARD_URL").ok());
    state.handle_callback_url(&sent).await.unwrap();

    let (client, authorized) = transport(state.into_authorization_manager().unwrap());
    let session = ().serve(authorized).await.unwrap();
    assert!(call(&session, "whoami").await.unwrap().ends_with(" tools:use"));

    let narrow = call(&session, "rename").await.unwrap_err();
    let url = tools.parse().unwrap();
    let challenge = WWWAuthenticateParams::parse(narrow.auth_challenge().unwrap(), &url);
    assert!(challenge.is_insufficient_scope());
    let stepped_up = {
        let manager = client.auth_manager.lock().await;
        let request = manager.request_scope_upgrade(&challenge.scope.unwrap()).await.unwrap();
        let sent = AuthorizationCallback::from_redirect_url(&decide(&request).await).unwrap();
        let answer = manager.exchange_code_for_token_with_issuer(
            &sent.code,
            &sent.csrf_token,
            sent.issuer.as_deref(),
        );
        answer.await.unwrap()
    };
    assert!(scopes(&stepped_up).contains(&"tools:write".to_owned()));
    assert!(call(&session, "rename").await.unwrap().contains("tools:write"));

    let renewed = client.auth_manager.lock().await.refresh_token().await.unwrap();
    assert_ne!(
        renewed.refresh_token().unwrap().secret(),
        stepped_up.refresh_token().unwrap().secret()
    );
    assert_eq!(scopes(&renewed), scopes(&stepped_up));
    assert_eq!(client.get_access_token().await.unwrap(), *renewed.access_token().secret());
    assert!(call(&session, "rename").await.unwrap().contains("tools:write"));
    session.cancel().await.unwrap();
}
