//! The interface describes itself, and truly: whatever the server answers in any of these tests is looked up in its
//! own `/openapi.json`.

use doorward::{
    config::{CatalogueScope, Config, Resource},
    grant::ResourceIndicator,
    server,
};
use serde_json::{Value, json};

use crate::{
    flow, guard,
    harness::{self, Answer, TestServer},
    sign_in::provider_at,
};

/// Settings with everything that adds something to the interface.
pub(crate) fn everything() -> Config {
    let mut config = flow::config();
    config.registration.scopes = vec![CatalogueScope {
        scope: "read".into(),
        description: Some("Read".into()),
        sensitive: false,
    }];
    config.authorization.resources = vec![Resource {
        uri: ResourceIndicator::parse("https://mcp.example/mcp").unwrap(),
        name: None,
        id: Some("mcp".into()),
        secret_sha256: Some([0; 32]),
        guard: Some(guard::guard("mcp", "")),
    }];
    config.sign_in.providers = vec![provider_at("acme", "https://login.acme.example")];
    config.client_documents.enabled = true;
    config
}

fn described(config: &Config) -> Value {
    serde_json::from_str(&server::description(config)).unwrap()
}

fn paths(document: &Value) -> Vec<&str> {
    document["paths"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_interface_describes_itself() {
    let server = TestServer::with(everything()).await;
    let answer = server.exchange("GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let snapshot = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&snapshot, &answer.body).unwrap();
    }
    let committed = std::fs::read_to_string(&snapshot).unwrap_or_default();
    assert!(
        answer.body == committed,
        "docs/openapi.json is not what is served: see what changed, then run UPDATE_DOCS=1 cargo test"
    );
}

#[test]
fn what_is_not_there_is_not_described() {
    let bare = described(&harness::config());
    assert_eq!(
        paths(&bare),
        [
            "/",
            "/api/v2/audit/events",
            "/api/v2/oauth2/.well-known/sites",
            "/api/v2/oauth2/admission_rules",
            "/api/v2/oauth2/admission_rules/try",
            "/api/v2/oauth2/admission_rules/{rule_id}",
            "/api/v2/oauth2/attempts",
            "/api/v2/oauth2/clients",
            "/api/v2/oauth2/clients/{client_id}",
            "/api/v2/oauth2/clients/{client_id}/scopes_restriction",
            "/api/v2/oauth2/families",
            "/api/v2/oauth2/families/{family_id}",
            "/api/v2/oauth2/initial_access_tokens",
            "/api/v2/oauth2/initial_access_tokens/{initial_access_token_id}",
            "/api/v2/oauth2/operator_tokens",
            "/api/v2/oauth2/operator_tokens/{operator_token_id}",
            "/api/v2/oauth2/overview",
            "/api/v2/oauth2/register",
            "/oauth2/register",
            "/oauth2/register/{client_id}",
            "/openapi.json",
            "/register",
            "/register/{client_id}",
        ]
    );
    assert!(bare["components"]["schemas"].get("TokenResponse").is_none());

    let without = described(&flow::config());
    assert!(!paths(&without).contains(&"/oauth2/introspect"));
    assert!(without["components"]["schemas"].get("IntrospectionResponse").is_none());

    let all = described(&everything());
    assert!(paths(&all).contains(&"/oauth2/introspect"));
}

#[test]
fn pages_are_not_described() {
    let document = described(&everything());
    let mut described = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let is_page = |operation: &Value| operation["tags"][0] == "pages";
        assert!(!operations.as_object().unwrap().values().any(is_page), "{path}");
        described.push(path.as_str());
    }
    let is_described = |template: &str| described.contains(&&*template.replace("{*", "{"));
    // What proxies ask about is between servers.
    let is_for_proxies =
        |template: &str| ["/guard/", "/envoy."].iter().any(|it| template.starts_with(it));
    for route in server::public_routes()
        .filter(|route| !is_described(route.template) && !is_for_proxies(route.template))
    {
        let is_for_people =
            ["/consent", "/grants", "/sign-in", "/sign-in/{provider}", "/sign-out", "/style.css"]
                .iter()
                .any(|page| route.template.strip_prefix("/oauth2") == Some(page));
        assert!(is_for_people, "{} is not described", route.template);
    }
    assert!(!described.iter().any(|path| path.contains("/sign-") || path.contains("style")));
}

#[test]
fn no_two_operations_have_one_name_and_no_reference_leads_nowhere() {
    let document = described(&everything());
    let mut names = Vec::new();
    for operation in document["paths"].as_object().unwrap().values() {
        for (method, operation) in operation.as_object().unwrap() {
            names.push(operation["operationId"].as_str().unwrap());
            assert!(operation["summary"].is_string(), "{method} {operation}");
        }
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), names.contains(&"exchangeAtAlias")), (all, true));
    for document in [&document, &described(&harness::config()), &described(&flow::config())] {
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split_once('"').unwrap().0;
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}

/// Looks an answer up in the description of the server that gave it. What is at no path of it is passed over, and
/// what was answered before there was a request.
pub(crate) fn check(document: &Value, request: &str, answer: &Answer) {
    let mut words = request.split(' ');
    let method = words.next().unwrap_or_default().to_lowercase();
    let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default();
    let is_head = method == "head";
    let operation = &at_path(document, path)[if is_head { "get" } else { &method }];
    let is_no_method = is_head && answer.status == 405;
    if operation.is_null() || is_no_method || answer.headers("x-request-id").is_empty() {
        return;
    }
    let place = format!("{method} {path} {}", answer.status);
    let described = &operation["responses"][answer.status.to_string()];
    assert!(described.is_object(), "{place} is not described: {answer:?}");
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        let header = resolved(document, header);
        let is_there = !answer.headers(name).is_empty();
        assert!(is_there || header["required"] != true, "{place} has no {name}");
    }
    let media_type = answer.header("content-type").and_then(|value| value.split(';').next());
    let content = &described["content"];
    assert_eq!(
        media_type.is_none_or(|it| content.get(it).is_none()),
        content.is_null(),
        "{place} is {media_type:?}"
    );
    if media_type == Some("application/json") && !is_head {
        let fault = conforms(document, &content["application/json"]["schema"], &answer.json());
        assert_eq!(fault, Ok(()), "{place}: {answer:?}");
    }
}

/// The examples in a schema and in what it refers to, each with the schema that it is an example of.
fn examples<'document>(
    document: &'document Value,
    schema: &'document Value,
    found: &mut Vec<(&'document Value, &'document Value)>,
) {
    let schema = resolved(document, schema);
    for example in schema["examples"].as_array().into_iter().flatten() {
        found.push((schema, example));
    }
    match schema {
        Value::Object(members) => {
            let parts = members.iter().filter(|(name, _)| *name != "examples");
            parts.for_each(|(_, part)| examples(document, part, found));
        }
        Value::Array(parts) => parts.iter().for_each(|part| examples(document, part, found)),
        _ => {}
    }
}

/// The examples of a whole body: beside its schema, in it, or in each of its alternatives.
fn examples_of_body<'document>(
    document: &'document Value,
    body: &'document Value,
) -> Vec<(&'document Value, &'document Value)> {
    let schema = resolved(document, &body["schema"]);
    let beside = body.get("example").map(|example| (schema, example));
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    let mut schemas: Vec<_> = alternatives.map(|one| resolved(document, one)).collect();
    if schemas.is_empty() || schema.get("examples").is_some() {
        schemas = vec![schema];
    }
    let mut found: Vec<_> = beside.into_iter().collect();
    for schema in schemas {
        let examples = schema["examples"].as_array();
        found.extend(examples.into_iter().flatten().map(|example| (schema, example)));
    }
    found
}

#[test]
fn every_operation_has_examples_that_its_schemas_allow() {
    let document = described(&everything());
    let (mut bodies_of_operators, mut bodies_of_clients) = (0, 0);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let bodies = [&operation["requestBody"], &operation["responses"]["200"]];
            let bodies = bodies.into_iter().chain([&operation["responses"]["201"]]);
            let contents = bodies.filter_map(|body| body["content"].as_object()).flatten();
            for (media_type, body) in contents.filter(|(media_type, _)| *media_type != "text/html")
            {
                let mut found = Vec::new();
                if operation["tags"] == json!(["operators"]) {
                    bodies_of_operators += 1;
                    examples(&document, &body["schema"], &mut found);
                } else {
                    bodies_of_clients += 1;
                    found = examples_of_body(&document, body);
                }
                assert!(!found.is_empty(), "{method} {path} {media_type}: {body}");
                for (schema, example) in found {
                    let conforms = conforms(&document, schema, example);
                    assert_eq!(conforms, Ok(()), "{method} {path}");
                }
            }
        }
    }
    assert!(bodies_of_operators >= 45, "{bodies_of_operators}");
    assert!(bodies_of_clients >= 25, "{bodies_of_clients}");
}

/// What is described at a path: by itself, else by the template of its last segment.
fn at_path<'document>(document: &'document Value, path: &str) -> &'document Value {
    let paths = &document["paths"];
    if let Some(described) = paths.get(path) {
        return described;
    }
    let (parent, _) = path.rsplit_once('/').unwrap_or_default();
    &paths[format!("{parent}/{{client_id}}")]
}

fn resolved<'document>(document: &'document Value, value: &'document Value) -> &'document Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// As much of JSON Schema as tells whether members are described.
fn conforms(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if schema.get("$ref").is_some() {
        conforms(document, resolved(document, schema), value)?;
    }
    let fault = |what: &str| Err(format!("{value} is not {what} of {schema}"));
    if schema.get("const").is_some_and(|only| only != value) {
        return fault("the const");
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return fault("in the enum");
    }
    if let Some(all) = schema["oneOf"].as_array() {
        let fitting = all.iter().filter(|one| conforms(document, one, value).is_ok());
        if fitting.count() != 1 {
            return fault("one");
        }
    }
    let has_type = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !has_type {
        return fault("of the type");
    }
    for item in value.as_array().into_iter().flatten() {
        conforms(document, &schema["items"], item)?;
    }
    let required = schema["required"].as_array().into_iter().flatten();
    if required.filter_map(Value::as_str).any(|name| value.get(name).is_none()) {
        return fault("whole, by what is required");
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(described) => conforms(document, described, member)?,
            None if schema["additionalProperties"] == false => return fault("all there may be"),
            None => {}
        }
    }
    Ok(())
}
