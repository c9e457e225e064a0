//! Pages of a list by a cursor, and the members of a document that a caller sends.

use std::str::FromStr;

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{document::Answer, error::ApiError, operation::Request, query::Parameter};

pub(super) const CURSOR: Parameter =
    Parameter { name: "page[cursor]", about: "`meta.page.after` of the page before." };
pub(super) const LIMIT: Parameter =
    Parameter { name: "page[limit]", about: "How many at most: 1 to 100; 50 if omitted." };

/// The part of a list that a call asks for.
pub(super) struct Page<'request> {
    pub(super) cursor: Option<&'request str>,
    pub(super) limit: usize,
}

impl<'request> Page<'request> {
    pub(super) fn of(request: &'request Request<'_>) -> Result<Self, ApiError> {
        Self::with_limit(request, 50, 100)
    }

    pub(super) fn with_limit(
        request: &'request Request<'_>,
        default: usize,
        max: usize,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            cursor: request.query.text(CURSOR.name)?,
            limit: request.query.number(LIMIT.name, default, 1..=max)?,
        })
    }

    /// Behind what the page begins.
    pub(super) fn after<T: FromStr>(&self) -> Result<Option<T>, ApiError> {
        self.cursor.map(str::parse).transpose().map_err(|_| bad_cursor())
    }

    /// The answer with a page of what was found: one more than the limit says that there is more.
    pub(super) fn answer<T>(
        &self,
        request: &Request<'_>,
        found: Vec<T>,
        cursor: impl Fn(&T) -> String,
        resource: impl Fn(&T) -> Value,
    ) -> Answer {
        self.answer_behind(request, (found, None), cursor, resource)
    }

    /// The same of a list that looks through so many records a page: if no more than the limit were found, it goes on
    /// behind `next_cursor`.
    pub(super) fn answer_behind<T>(
        &self,
        request: &Request<'_>,
        (mut found, next_cursor): (Vec<T>, Option<String>),
        cursor: impl Fn(&T) -> String,
        resource: impl Fn(&T) -> Value,
    ) -> Answer {
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        let data: Vec<Value> = found.iter().map(resource).collect();
        let mut document = json!({ "data": data, "meta": { "page": {} } });
        let after = if has_more { found.last().map(cursor) } else { next_cursor };
        if let Some(after) = after {
            document["links"] = json!({ "next": next(request, &after) });
            document["meta"]["page"]["after"] = after.into();
        }
        Answer::ok(document)
    }
}

/// A page of a list that grows at its end: `after` is always there, and the address of the next page while there may be
/// more already.
pub(super) fn answer_until(
    request: &Request<'_>,
    data: &[Value],
    after: &str,
    has_more: bool,
) -> Answer {
    let mut document = json!({ "data": data, "meta": { "page": { "after": after } } });
    if has_more {
        document["links"] = json!({ "next": next(request, after) });
    }
    Answer::ok(document)
}

/// The address of the next page: the same query with another cursor.
fn next(request: &Request<'_>, after: &str) -> String {
    let query = request.query_text();
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != CURSOR.name);
    let mut next = form_urlencoded::Serializer::new(String::new());
    next.extend_pairs(kept).append_pair(CURSOR.name, after);
    format!("{}?{}", request.address(), next.finish())
}

pub(super) fn bad_cursor() -> ApiError {
    ApiError::parameter(CURSOR.name, "The value must be meta.page.after of the page before.")
}

/// The schema of a document with one resource.
pub(super) fn one_schema(resource: &Value) -> Value {
    json!({ "type": "object", "required": ["data"], "properties": { "data": resource } })
}

/// The schema of a page of these resources.
pub(super) fn schema(resource: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["data", "meta"],
        "properties": {
            "data": { "type": "array", "items": resource },
            "links": { "type": "object", "properties": {
                "next": { "type": "string", "format": "uri" },
            } },
            "meta": { "type": "object", "properties": { "page": { "type": "object", "properties": {
                "after": { "type": "string", "description": "The `page[cursor]` of the next page; absent on the last, except where `sort` says otherwise. A page can have fewer resources than `page[limit]`, or none, and not be the last." },
            } } } },
        },
    })
}

/// The attributes of the resource in the body of a change, if there are any: `data.type` and `data.id` name the resource
/// of the path.
pub(super) fn attributes<'body>(
    body: &'body Value,
    kind: &str,
    id: &str,
) -> Result<Attributes<'body>, ApiError> {
    let (named, attributes) = new_resource(body, kind)?;
    let named =
        named.ok_or_else(|| ApiError::member("/data/id", "The member must be a string."))?;
    if !named.eq_ignore_ascii_case(id) {
        return Err(ApiError::Unprocessable {
            pointer: "/data/id",
            detail: "The value must name the resource of the path.".to_owned(),
        });
    }
    Ok(attributes)
}

/// The attributes in a body, if there are any.
type Attributes<'body> = Option<&'body Map<String, Value>>;

/// The identifier and the attributes of the resource in the body of a request that creates it, if there are any.
pub(super) fn new_resource<'body>(
    body: &'body Value,
    kind: &str,
) -> Result<(Option<&'body str>, Attributes<'body>), ApiError> {
    let Some(data) = body.get("data").and_then(Value::as_object) else {
        return Err(ApiError::member("/data", "The member must be an object."));
    };
    if data.get("type").and_then(Value::as_str) != Some(kind) {
        return Err(ApiError::member("/data/type", format!("The value must be {kind}.")));
    }
    let id = match data.get("id") {
        None => None,
        Some(Value::String(id)) => Some(id.as_str()),
        Some(_) => return Err(ApiError::member("/data/id", "The member must be a string.")),
    };
    match data.get("attributes") {
        None => Ok((id, None)),
        Some(Value::Object(attributes)) => Ok((id, Some(attributes))),
        Some(_) => Err(ApiError::member("/data/attributes", "The member must be an object.")),
    }
}
