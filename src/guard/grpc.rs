//! Forward-auth over gRPC: `envoy.service.auth.v3.Authorization/Check`.
//!
//! The question has all headers of the request, so the guard names those that Envoy must remove in whatever spelling the
//! client chose. Which resource is meant, the configuration of Envoy says (`context_extensions`), never the request.
//!
//! One message each way needs nothing of a gRPC library: a length before the message, and a status in the trailers.

mod messages;

use std::{future::ready, net::IpAddr};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE, request::Parts,
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use prost::Message as _;

use self::messages::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderValueOption,
    HttpRequest, HttpResponse, HttpStatus, OVERWRITE_IF_EXISTS_OR_ADD, OkHttpResponse, Status,
};
use super::{
    Guarded, Guards,
    forward_auth::{self, Dialect, ENVOY_REMOVES, Facts, Missing},
    headers::is_forged,
};
use crate::{
    app::App,
    http::{
        answer::{AnswerBody, Response},
        body::media_type,
    },
};

/// The largest question, in bytes: more than the headers that Envoy accepts.
const QUESTION_MAX: usize = 256 << 10;
/// The key in `context_extensions` for the id of the resource.
const RESOURCE: &str = "resource";
/// The media type of gRPC.
const GRPC: &str = "application/grpc";

/// Codes of gRPC.
const OK: i32 = 0;
const INVALID_ARGUMENT: i32 = 3;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAUTHENTICATED: i32 = 16;

/// Answers Envoy; `None` for other peers and for what is no question, to which the address does not exist.
pub(crate) async fn check_by_grpc(
    app: &App,
    guards: &Guards,
    peer: IpAddr,
    head: &Parts,
    body: Incoming,
) -> Option<Response> {
    let is_grpc =
        head.method == Method::POST && media_type(&head.headers).starts_with(GRPC.as_bytes());
    if !is_grpc || !forward_auth::may_ask(app, peer) {
        return None;
    }
    let question = guards.proxies.question_reader(app, peer).read(body, QUESTION_MAX).await;
    let Ok(question) = question else { return Some(failed(RESOURCE_EXHAUSTED)) };
    let Some(request) = message(&question).and_then(|bytes| CheckRequest::decode(bytes).ok())
    else {
        return Some(failed(INVALID_ARGUMENT));
    };
    let attributes = request.attributes.unwrap_or_default();
    Some(answered(app, guards, &attributes).await)
}

async fn answered(app: &App, guards: &Guards, attributes: &AttributeContext) -> Response {
    let http = attributes.request.as_ref().and_then(|request| request.http.as_ref());
    let (Some(http), Some(guarded)) = (http, resource(guards, attributes)) else {
        let response = forward_auth::misconfigured(Missing::Extension);
        return translated(response, &HeaderMap::new(), &[]).await;
    };
    let readable = headers(http);
    let ambiguity = readable.is_none().then_some("the request has a header that cannot be read");
    let headers = readable.unwrap_or_default();
    let scheme = guarded.origin.split("://").next().unwrap_or_default();
    let facts = Facts {
        method: &http.method,
        address: format!("{scheme}://{}", http.host),
        target: &http.path,
        headers: &headers,
        ambiguity,
    };
    let response = forward_auth::answered(app, guards, guarded, Dialect::Envoy, &facts).await;
    translated(response, &headers, &guarded.identity_names()).await
}

/// The resource that the configuration of Envoy names; the only one if it names none.
fn resource<'g>(guards: &'g Guards, attributes: &AttributeContext) -> Option<&'g Guarded> {
    if let Some(id) = attributes.context_extensions.get(RESOURCE) {
        return guards.by_id(id);
    }
    let mut all = guards.iter();
    all.next().filter(|_| all.next().is_none())
}

/// The headers of the request; `None` if one of them is no header.
fn headers(http: &HttpRequest) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &[u8]| {
        if !name.starts_with(':') {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.try_append(name, HeaderValue::from_bytes(value).ok()?).ok()?;
        }
        Some(())
    };
    if let Some(map) = &http.header_map {
        for header in &map.headers {
            let raw = if header.raw_value.is_empty() {
                header.value.as_bytes()
            } else {
                &header.raw_value
            };
            add(&header.key, raw)?;
        }
    } else {
        for (name, value) in &http.headers {
            add(name, value.as_bytes())?;
        }
    }
    Some(headers)
}

/// An answer to Envoy over HTTP, as the answer over gRPC that has Envoy do the same.
async fn translated(response: Response, sent: &HeaderMap, identity: &[HeaderName]) -> Response {
    let (head, body) = response.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let is_allowed = head.status == StatusCode::OK;
    let option = |(name, value): (&HeaderName, &HeaderValue)| HeaderValueOption {
        header: Some(messages::HeaderValue {
            key: name.to_string(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
            raw_value: Vec::new(),
        }),
        append_action: OVERWRITE_IF_EXISTS_OR_ADD,
    };
    let is_for_request = |name: &HeaderName| *name != ENVOY_REMOVES && *name != CONTENT_TYPE;
    let headers = head.headers.iter().filter(|(name, _)| !is_allowed || is_for_request(name));
    let headers: Vec<HeaderValueOption> = headers.map(option).collect();
    let answer = if is_allowed {
        let absent = head.headers.get(ENVOY_REMOVES).and_then(|names| names.to_str().ok());
        let absent = absent.into_iter().flat_map(|names| names.split(',')).map(str::to_owned);
        let forged = sent.keys().filter(|name| is_forged(name, identity));
        let forged =
            forged.filter(|name| !head.headers.contains_key(*name)).map(ToString::to_string);
        let headers_to_remove = absent.chain(forged).collect();
        HttpResponse::Ok(OkHttpResponse { headers, headers_to_remove })
    } else {
        HttpResponse::Denied(DeniedHttpResponse {
            status: Some(HttpStatus { code: i32::from(head.status.as_u16()) }),
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    };
    let code = match head.status {
        StatusCode::OK => OK,
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        _ => PERMISSION_DENIED,
    };
    let answer = CheckResponse { status: Some(Status { code }), http_response: Some(answer) };
    let mut response = sent_by_grpc(&answer);
    *response.extensions_mut() = head.extensions;
    response
}

/// The message behind its prefix: whether it is compressed, which nothing here is, and its length.
fn message(body: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = body.split_at_checked(5)?;
    let (compressed, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    (*compressed == 0 && usize::try_from(length).ok()? == message.len()).then_some(message)
}

fn sent_by_grpc(answer: &CheckResponse) -> Response {
    let length = answer.encoded_len();
    let mut bytes = BytesMut::with_capacity(5 + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).expect("an answer is small"));
    answer.encode(&mut bytes).expect("there is room for it");
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", OK.into());
    let body = Full::new(bytes.freeze()).with_trailers(ready(Some(Ok(trailers))));
    let body = body.map_err(|never| match never {}).boxed_unsync();
    grpc(AnswerBody::Stream(body))
}

/// The answer to a question that cannot be read.
fn failed(code: i32) -> Response {
    let mut response = grpc(AnswerBody::from(Bytes::new()));
    response.headers_mut().insert("grpc-status", code.into());
    response
}

fn grpc(body: AnswerBody) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    response
}
