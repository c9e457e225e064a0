//! What an operation is, and how a request goes through it.

use std::{net::IpAddr, pin::Pin};

use http::{StatusCode, header::IF_MATCH, request::Parts};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{
    authentication::{self, Identity, Needs},
    document::Answer,
    error::ApiError,
    query::{Parameter, Query},
};
use crate::{
    app::App,
    audit::Author,
    clock::Timestamp,
    http::{answer::Response, body::media_type, caller::Caller, request_id::origin},
    id::Id,
    json,
    operator::Role,
};

/// The longest body, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 16 << 10;

/// One operation of the API.
pub(crate) struct Operation {
    /// What it asks of its caller.
    pub(crate) needs: Needs,
    /// Its name in `/openapi.json`.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// The parameters of its query.
    pub(super) parameters: &'static [Parameter],
    /// The schema of its body, if it has one.
    pub(super) body: Option<fn() -> Value>,
    /// The schema of the answer ([`Operation::success`]); `None` for a 204.
    pub(super) schema: Option<fn() -> Value>,
    /// The statuses of refusals beside those that all operations have.
    pub(super) refusals: &'static [StatusCode],
    pub(super) handler: Handler,
}

impl Operation {
    /// The status of a document: operations that are named for it create what they answer.
    pub(super) fn success(&self) -> StatusCode {
        if self.id.starts_with("create") { StatusCode::CREATED } else { StatusCode::OK }
    }
}

/// Does what an operation is for.
pub(super) type Handler =
    for<'a> fn(Request<'a>) -> Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send + 'a>>;

/// A handler that is an async function.
macro_rules! handler {
    ($function:path) => {
        |request| Box::pin($function(request))
    };
}
pub(super) use handler;

/// A request as it arrives.
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) source: IpAddr,
    pub(crate) head: &'a Parts,
    pub(crate) body: Incoming,
    /// The path of the route, with its parameters in braces.
    pub(crate) template: &'static str,
}

/// A request of a caller who may make it.
pub(super) struct Request<'a> {
    pub(super) app: &'a App,
    pub(super) now: Timestamp,
    pub(super) caller: Identity,
    pub(super) query: Query<'a>,
    /// The body; `null` where the operation has none.
    pub(super) body: Value,
    head: &'a Parts,
    template: &'static str,
}

impl Request<'_> {
    /// The author of what this request changes.
    pub(super) fn author(&self) -> Author {
        let author = self.app.author(self.caller.actor(), origin(self.head));
        let role = self.caller.role().map(Role::as_str);
        Author { role, via: self.caller.via().cloned(), ..author }
    }

    /// The only parameter of the path, or the one of this name.
    pub(super) fn path(&self, name: &str) -> Result<String, ApiError> {
        // A path before the template is that of the issuer.
        let segments = self.template.rsplit('/').zip(self.head.uri.path().rsplit('/'));
        let is_named = |segment: &str| {
            segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name)
        };
        let found = segments.into_iter().find(|(segment, _)| is_named(segment));
        let text = found.map_or("", |(_, value)| value);
        let decoded = percent_decode_str(text).decode_utf8();
        let refused = |_| ApiError::parameter(name, "The parameter is not UTF-8.");
        decoded.map(String::from).map_err(refused)
    }

    /// The identifier that is that parameter of the path.
    pub(super) fn id<Kind>(&self, name: &str) -> Result<Id<Kind>, ApiError> {
        let refused = |_| ApiError::parameter(name, "The value must be a UUID.");
        self.path(name)?.parse().map_err(refused)
    }

    /// The versions in `If-Match`; `None` where every version is good.
    pub(super) fn versions(&self) -> Option<Vec<String>> {
        let sent = self.head.headers.get(IF_MATCH)?.to_str().unwrap_or_default();
        if sent.trim() == "*" {
            return None;
        }
        // A weak tag never matches (RFC 9110 §13.1.1).
        let tags = sent.split(',').map(str::trim);
        let opaque = tags.filter_map(|tag| tag.strip_prefix('"')?.strip_suffix('"'));
        Some(opaque.map(str::to_owned).collect())
    }

    /// The address of the resource, with the parameters of its path.
    pub(super) fn address(&self) -> String {
        // The path of the issuer may stand before it already.
        let depth = self.template.split('/').count();
        let segments: Vec<&str> = self.head.uri.path().rsplitn(depth, '/').collect();
        let below = segments.iter().rev().skip(1).fold(String::new(), |path, it| path + "/" + it);
        format!("{}{below}", self.app.config.server.issuer)
    }

    /// The query as it came.
    pub(super) fn query_text(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }
}

/// Answers a call.
pub(crate) async fn answer(operation: &'static Operation, call: Call<'_>) -> Response {
    let (app, caller) = (call.app, Caller::of_program(call.source, &call.head.headers));
    match done(operation, call, caller).await {
        Ok(answer) => answer.into_response(),
        Err(error) if error.may_be_a_guess() => {
            let counted = app.failure_limits.operator.count(caller, app.clock.now()).await;
            let refused = |retry_after_seconds| ApiError::TooMany { retry_after_seconds };
            counted.map_or_else(refused, |()| error).answer(&app.config)
        }
        Err(error) => error.answer(&app.config),
    }
}

async fn done(
    operation: &'static Operation,
    call: Call<'_>,
    from: Caller,
) -> Result<Answer, ApiError> {
    let Call { app, source, head, body, template } = call;
    // Read before anything is refused: an answer that overtakes the body costs the caller its connection.
    let body = match operation.body {
        Some(_) => Some(app.body_reader(source).read(body, BODY_BYTES_MAX).await?),
        None => None,
    };
    let now = app.clock.now();
    let caller = if operation.needs == Needs::Nothing {
        Identity::Public
    } else {
        let _turn = app.failure_limits.operator.turn(from, now).await;
        authentication::identify(app, &head.headers, operation.needs, now).await?
    };
    if let Some(whose) = caller.counted() {
        let refused = |retry_after_seconds| ApiError::TooMany { retry_after_seconds };
        app.operator_limit.count(whose, now).map_err(refused)?;
    }
    caller.check(operation.needs)?;
    let query = Query::parse(head.uri.query().unwrap_or_default(), operation.parameters)?;
    let body = match &body {
        Some(_) if !is_json(head) => return Err(ApiError::MediaType),
        Some(body) => {
            let object = json::Value::Object(json::read(body)?);
            serde_json::to_value(object).unwrap_or_default()
        }
        None => Value::Null,
    };
    (operation.handler)(Request { app, now, caller, query, body, head, template }).await
}

fn is_json(head: &Parts) -> bool {
    let sent = media_type(&head.headers);
    ["application/json", "application/vnd.api+json"]
        .iter()
        .any(|known| sent.eq_ignore_ascii_case(known.as_bytes()))
}
