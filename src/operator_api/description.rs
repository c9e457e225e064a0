//! Describes the operations for `/openapi.json`, from what they are made of.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    authentication::Needs,
    operation::{BODY_BYTES_MAX, Operation},
};

/// The names of the schemas of refusals.
const ERRORS: &str = "OperatorApiErrors";
const TEXTS: &str = "OperatorApiErrorTexts";
/// The names of the ways to authenticate.
const BEARER: &str = "operatorToken";
const APPLICATION_KEY: &str = "applicationKey";
const API_KEY: &str = "apiKey";

/// Adds what the operations refer to.
pub(crate) fn add_components(
    schemas: &mut Map<String, Value>,
    security_schemes: &mut Map<String, Value>,
) {
    let text = json!({ "type": "string" });
    schemas.insert(
        TEXTS.to_owned(),
        json!({
            "type": "object",
            "required": ["errors"],
            "properties": { "errors": { "type": "array", "items": text } },
        }),
    );
    schemas.insert(
        ERRORS.to_owned(),
        json!({
            "type": "object",
            "required": ["errors"],
            "properties": { "errors": { "type": "array", "items": {
                "type": "object",
                "required": ["status", "title", "detail"],
                "properties": {
                    "status": text,
                    "title": text,
                    "detail": text,
                    "source": { "type": "object", "properties": {
                        "pointer": text, "parameter": text, "header": text,
                    } },
                },
            } } },
        }),
    );
    let key = |name: &str, description: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": description });
    security_schemes.insert(
        BEARER.to_owned(),
        json!({
            "type": "http",
            "scheme": "bearer",
            "description": "An operator token (`doorward operator token create`). For what a person has allowed: an \
                access token of that person whose audience is this server.",
        }),
    );
    security_schemes
        .insert(API_KEY.to_owned(), key("DD-API-KEY", "Any value: the application key decides."));
    let said = "An operator token, for SDKs that send keys.";
    security_schemes.insert(APPLICATION_KEY.to_owned(), key("DD-APPLICATION-KEY", said));
}

/// Describes one operation at a path.
pub(crate) fn describe(operation: &Operation, template: &str) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": ["operators"],
        "parameters": parameters(operation, template),
        "responses": responses(operation),
    });
    if let Needs::Scope(scope) = operation.needs {
        described["description"] = format!("Needs the scope `{scope}`.").into();
    }
    if operation.needs != Needs::Nothing {
        described["security"] = json!([{ (BEARER): [] }, { (API_KEY): [], (APPLICATION_KEY): [] }]);
    }
    if let Some(schema) = operation.body {
        described["requestBody"] = json!({
            "required": true,
            "description": format!("At most {BODY_BYTES_MAX} bytes."),
            "content": { "application/json": { "schema": schema() } },
        });
    }
    described
}

fn parameters(operation: &Operation, template: &str) -> Vec<Value> {
    let text = json!({ "type": "string" });
    let of_path = template.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({ "name": name, "in": "path", "required": true, "schema": text }))
    });
    let of_query = operation.parameters.iter().map(|parameter| {
        let (name, about) = (parameter.name, parameter.about);
        json!({ "name": name, "in": "query", "description": about, "schema": text })
    });
    let takes_versions = operation.refusals.contains(&StatusCode::PRECONDITION_FAILED);
    let if_match = takes_versions.then(|| {
        let about = "The `ETag` of the version that is meant; otherwise any version is.";
        json!({ "name": "If-Match", "in": "header", "description": about, "schema": text })
    });
    of_path.chain(of_query).chain(if_match).collect()
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    match operation.schema {
        Some(schema) => {
            let status = operation.success().as_str().to_owned();
            responses.insert(status, answer("The document.", &schema()));
        }
        None => drop(responses.insert("204".to_owned(), json!({ "description": "Done." }))),
    }
    let mut refuse = |status: StatusCode, schema: &str, description: &str| {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        responses.insert(status.as_str().to_owned(), answer(description, &schema));
    };
    if operation.needs != Needs::Nothing {
        refuse(
            StatusCode::UNAUTHORIZED,
            TEXTS,
            "The credential is missing, unknown, expired, or revoked.",
        );
        refuse(
            StatusCode::TOO_MANY_REQUESTS,
            TEXTS,
            "Too many calls of this caller, or too many failures from this address.",
        );
    }
    if matches!(operation.needs, Needs::Scope(_) | Needs::Person) {
        refuse(StatusCode::FORBIDDEN, ERRORS, "The caller may not do this.");
    }
    refuse(
        StatusCode::BAD_REQUEST,
        ERRORS,
        "`source` names the parameter or member, and `detail` the rule.",
    );
    for status in operation.refusals {
        refuse(*status, ERRORS, about(*status));
    }
    if operation.body.is_some() {
        refuse(StatusCode::PAYLOAD_TOO_LARGE, TEXTS, "The body is too large.");
        refuse(StatusCode::REQUEST_TIMEOUT, TEXTS, "The body did not arrive in time.");
    }
    refuse(StatusCode::INTERNAL_SERVER_ERROR, TEXTS, "The server failed.");
    refuse(StatusCode::SERVICE_UNAVAILABLE, TEXTS, "Try again in a moment.");
    responses.into()
}

fn about(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is no such resource.",
        StatusCode::CONFLICT => "There is such a resource already.",
        StatusCode::PRECONDITION_FAILED => "The resource was changed since it was read.",
        StatusCode::UNPROCESSABLE_ENTITY => "The state of the resource forbids this.",
        _ => "`source` names the parameter or member, and `detail` the rule.",
    }
}

fn answer(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}
