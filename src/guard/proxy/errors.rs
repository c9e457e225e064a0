//! What a client reads when its request does not reach the upstream, or the upstream does not answer: JSON-RPC for MCP,
//! JSON for others, with the identifier by which the log has the cause.

use std::{error::Error, sync::Arc};

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ACCEPT, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{streams::Full, upstream::Failure};
use crate::{
    guard::{
        Decided, Decision, Guarded, Reason, Tool, challenge::told, liveness::Found,
        mcp::MessageFault,
    },
    http::{
        answer::{self, Response},
        request_event::Outcome,
    },
    keys::KeysError,
};

/// The code of JSON-RPC for a failure of the server (JSON-RPC 2.0 §5.1).
const INTERNAL_ERROR: i32 = -32603;
/// The code of JSON-RPC for a message that is none.
const INVALID_REQUEST: i32 = -32600;

/// Who asks, as far as it decides how an error is written.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    is_mcp: bool,
    /// The identifier of the JSON-RPC request as JSON, if the guard has read it.
    pub(super) rpc_id: Option<String>,
    request_id: HeaderValue,
}

/// Why a request that is allowed cannot be passed on.
pub(super) enum Unfit {
    /// The session belongs to another person or client.
    Session,
    /// With the path of the upstream, its target is too long.
    Target,
    /// The assertion cannot be signed.
    Unsigned(KeysError),
}

impl Asking {
    pub(super) fn new(method: &Method, headers: &HeaderMap, request_id: &HeaderValue) -> Self {
        let request_id = request_id.clone();
        Self { is_mcp: is_mcp(method, headers), rpc_id: None, request_id }
    }

    /// The upstream gave no answer.
    pub(super) fn failed(&self, failure: Failure) -> Response {
        let (status, code, text) = match &failure {
            Failure::BodyTooLarge(_) => {
                return self.too_large(&failure.to_string());
            }
            Failure::Lookups => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the server is busy; try again",
            ),
            Failure::ConnectLate(_) | Failure::AnswerLate(_) => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_timeout",
                "the server behind this address did not answer in time",
            ),
            Failure::Unresolved(_)
            | Failure::Connect(_)
            | Failure::Broken(_)
            | Failure::Closed
            | Failure::Encoded
            | Failure::Unread(_)
            | Failure::Switched => (
                StatusCode::BAD_GATEWAY,
                "upstream_unavailable",
                "the server behind this address could not be reached or did not answer",
            ),
        };
        self.caused(status, code, text, Arc::new(failure))
    }

    /// The request cannot be passed on.
    pub(super) fn unfit(&self, unfit: Unfit) -> Response {
        match unfit {
            // MCP 2025-11-25, transports: the client then begins another session.
            Unfit::Session => {
                let text = "the session does not exist";
                self.refused(StatusCode::NOT_FOUND, "invalid_request", text)
            }
            Unfit::Target => {
                let text = "the target is too long";
                self.refused(StatusCode::URI_TOO_LONG, "invalid_request", text)
            }
            Unfit::Unsigned(error) => {
                let (status, text) = (StatusCode::INTERNAL_SERVER_ERROR, "the server failed");
                self.caused(status, "server_error", text, Arc::new(error))
            }
        }
    }

    fn caused(
        &self,
        status: StatusCode,
        code: &'static str,
        text: &str,
        cause: Arc<dyn Error + Send + Sync>,
    ) -> Response {
        let mut response = self.refused(status, code, text);
        let outcome = Outcome { error_code: Some(code), cause: Some(cause), ..Outcome::default() };
        response.extensions_mut().insert(outcome);
        response
    }

    /// The request does not go on. A denial is the answer of MCP's own protocol: VS Code would register again for a
    /// 403.
    pub(super) fn challenged(
        &self,
        guarded: &Guarded,
        decided: &Decided<'_>,
        tool: Tool<'_>,
        token: &Found,
    ) -> Response {
        let Some(told) = told(guarded, &decided.decision) else {
            return self.refused(
                StatusCode::FORBIDDEN,
                "access_denied",
                "the request is not allowed",
            );
        };
        let status = match decided.decision {
            Decision::Denied if self.is_mcp => StatusCode::OK,
            _ => StatusCode::from_u16(told.status).unwrap_or(StatusCode::BAD_REQUEST),
        };
        let cause: Arc<dyn Error + Send + Sync> = match token {
            Found::Unknown(error) => Arc::clone(error) as _,
            _ => Arc::new(Reason::new(guarded, decided, tool, &told.description)),
        };
        let mut response = self.caused(status, told.code, &told.description, cause);
        if let (Found::Valid(authorized), Some(outcome)) =
            (token, response.extensions_mut().get_mut::<Outcome>())
        {
            outcome.client_id = Uuid::parse_str(&authorized.client_id).ok();
        }
        if let Some(challenge) = told.challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// There are too many streams.
    pub(super) fn full(&self, full: Full) -> Response {
        let (status, text) = match full {
            Full::InAll => {
                (StatusCode::SERVICE_UNAVAILABLE, "too many requests are open to this server")
            }
            Full::OfSource => {
                (StatusCode::TOO_MANY_REQUESTS, "too many requests are open from this address")
            }
            Full::OfPerson => {
                (StatusCode::TOO_MANY_REQUESTS, "too many requests of this person are open")
            }
            Full::OfGrant => {
                (StatusCode::TOO_MANY_REQUESTS, "too many requests of this authorization are open")
            }
        };
        let mut response = self.refused(status, "temporarily_unavailable", text);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        response
    }

    /// The body is no message that all servers read alike.
    pub(super) fn misread(&self, fault: &MessageFault) -> Response {
        self.refused(StatusCode::BAD_REQUEST, "invalid_request", &fault.to_string())
    }

    pub(super) fn too_large(&self, text: &str) -> Response {
        self.refused(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", text)
    }

    pub(super) fn refused(&self, status: StatusCode, code: &str, text: &str) -> Response {
        let reference = self.request_id.to_str().unwrap_or_default();
        let body = if self.is_mcp {
            let rpc_code = if status.is_server_error() { INTERNAL_ERROR } else { INVALID_REQUEST };
            let id = self.rpc_id.as_deref().and_then(|id| serde_json::from_str(id).ok());
            json!({
                "jsonrpc": "2.0",
                "id": id.unwrap_or(Value::Null),
                "error": { "code": rpc_code, "message": text, "data": { "request_id": reference } },
            })
        } else {
            json!({ "error": code, "error_description": text, "request_id": reference })
        };
        answer::json(status, body.to_string())
    }
}

/// Whether a request is one of MCP: every client of it names the version, a session, or both types of an answer.
fn is_mcp(method: &Method, headers: &HeaderMap) -> bool {
    let names_mcp = || headers.keys().any(|name| name.as_str().starts_with("mcp-"));
    let takes_events = || {
        let values = headers.get_all(ACCEPT).iter();
        let mut types = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        types.any(|one| one.trim_ascii().starts_with(b"text/event-stream"))
    };
    names_mcp() || (*method == Method::POST && takes_events())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn body(response: Response) -> Value {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn asking(headers: &[(&'static str, &'static str)]) -> Asking {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value)))
            .collect();
        Asking::new(&Method::POST, &headers, &HeaderValue::from_static("r1"))
    }

    #[tokio::test]
    async fn an_error_is_json_rpc_for_mcp_and_json_for_others() {
        for headers in [
            &[("accept", "application/json, text/event-stream")][..],
            &[("mcp-protocol-version", "2025-11-25")],
        ] {
            let mut asking = asking(headers);
            asking.rpc_id = Some("\"a\"".into());
            let response = asking.failed(Failure::AnswerLate(60));
            assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
            let body = body(response).await;
            assert_eq!((&body["id"], &body["error"]["code"]), (&json!("a"), &json!(-32603)));
            assert_eq!(body["error"]["data"]["request_id"], "r1");
        }
        let response = asking(&[("accept", "*/*")]).failed(Failure::Closed);
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        let body = body(response).await;
        assert_eq!(
            (&body["error"], &body["request_id"]),
            (&json!("upstream_unavailable"), &json!("r1"))
        );
    }

    #[tokio::test]
    async fn no_error_tells_where_the_upstream_is() {
        let failure = Failure::Connect(std::io::Error::other("10.0.0.7:3000 refused"));
        let body = body(asking(&[]).failed(failure)).await;
        assert!(!body.to_string().contains("10.0.0.7"), "{body}");
    }
}
