//! A registration server without a framework, a rule or a store, for measurement alone: it reads the
//! body, parses it with `serde_json` and answers the bytes that Doorward answers. It is an example and
//! thus part of no release.
//!
//! `bare_hyper WORK PORT`, where WORK is `register`, or `constant` for the same answer to whatever
//! comes: what the load generator and this machine's loopback can do at most; or `signed`, which signs
//! what comes by ES256 and answers the signature: what a server that issues signed tokens can do at most.

use std::{
    error::Error,
    io,
    net::Ipv4Addr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use doorward::{client::ClientId, clock::Clock, entropy::Entropy};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "retry-after, www-authenticate, ratelimit-limit, ratelimit-remaining, ratelimit-reset, \
     x-ratelimit-limit, x-ratelimit-period, x-ratelimit-remaining, x-ratelimit-reset, \
     x-ratelimit-name",
);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The members that the load generator sends, in the order in which Doorward answers them, after
/// those that the server makes (RFC 7591 §3.2.1).
#[derive(Deserialize, Serialize)]
struct Information {
    #[serde(skip_deserializing)]
    client_id: String,
    #[serde(skip_deserializing)]
    client_id_issued_at: u64,
    client_name: String,
    grant_types: Vec<String>,
    redirect_uris: Vec<String>,
    response_types: Vec<String>,
    token_endpoint_auth_method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contacts: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_type: Option<String>,
}

#[derive(Clone, Copy)]
enum Work {
    Register,
    Constant,
    Signed,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: bare_hyper register|constant|signed PORT";
    let [work, port] = &arguments[..] else { return Err(usage.into()) };
    let work = match work.as_str() {
        "register" => Work::Register,
        "constant" => Work::Constant,
        "signed" => Work::Signed,
        _ => return Err(usage.into()),
    };
    // The runtime is the one that Doorward has.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(work, port.parse()?))?;
    Ok(())
}

async fn serve(work: Work, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let made = Arc::new(AtomicU64::new(0));
    let tasks = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let made = Arc::clone(&made);
        tasks.spawn(async move {
            let answer = service_fn(|request| answer(work, request, &made));
            // A caller that goes away is no failure of this server.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}

async fn answer(
    work: Work,
    request: Request<Incoming>,
    made: &AtomicU64,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let information = match work {
        Work::Constant => Some(Bytes::from_static(br#"{"client_id":"constant"}"#)),
        Work::Signed => signed(&body),
        Work::Register => register(&body),
    };
    let (status, information) = match information {
        Some(information) => (StatusCode::CREATED, information),
        None => (StatusCode::BAD_REQUEST, Bytes::new()),
    };
    let mut response = Response::new(Full::new(information));
    *response.status_mut() = status;
    headers_of_every_answer(response.headers_mut(), made.fetch_add(1, Ordering::Relaxed));
    Ok(response)
}

fn signed(body: &[u8]) -> Option<Bytes> {
    static KEY: LazyLock<Option<EcdsaKeyPair>> =
        LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok());
    let signature = KEY.as_ref()?.sign(&SystemRandom::new(), body).ok()?;
    let text = BASE64_URL_SAFE_NO_PAD.encode(signature);
    Some(format!("{{\"client_id\":\"{text}\"}}").into())
}

fn register(body: &[u8]) -> Option<Bytes> {
    let mut information: Information = serde_json::from_slice(body).ok()?;
    let now = Clock::System.now();
    information.client_id = ClientId::generate(now, &Entropy::System).to_string();
    information.client_id_issued_at = now.as_seconds();
    serde_json::to_vec(&information).ok().map(Bytes::from)
}

/// Those of Doorward, byte for byte but for the identifier's digits.
fn headers_of_every_answer(headers: &mut HeaderMap, count: u64) {
    let request_id = HeaderValue::try_from(format!("{count:016x}")).expect("hexadecimal digits");
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(REQUEST_ID, request_id);
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
