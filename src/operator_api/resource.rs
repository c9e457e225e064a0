//! The API as a protected resource of this server itself (RFC 9728): any client can ask for access to it.

use http::{HeaderValue, StatusCode, header::CACHE_CONTROL, request::Parts};
use serde_json::json;

use crate::{
    app::App,
    http::answer::{self, Response},
    operator::OperatorScope,
};

/// How long caches may keep a copy.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// Its metadata, if the path means it.
pub(crate) fn metadata(app: &App, head: &Parts) -> Option<Response> {
    let config = &app.config;
    if !(config.authorizes() && config.is_api_metadata(head.uri.path())) {
        return None;
    }
    let scopes: Vec<&str> = OperatorScope::ALL.iter().map(|scope| scope.as_str()).collect();
    let document = json!({
        "resource": config.api(),
        "authorization_servers": [config.server.issuer],
        "bearer_methods_supported": ["header"],
        "scopes_supported": scopes,
        "resource_name": "Operator API",
    });
    let mut response = answer::json(StatusCode::OK, document.to_string());
    response.headers_mut().insert(CACHE_CONTROL, CACHED);
    Some(response)
}
