//! Protected resource metadata (RFC 9728): which authorization server a client needs, at the path form and at the root
//! form. Everything comes from the settings; of the request, `Host` only chooses among them.

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, HOST},
    request::Parts,
};
use serde_json::{Map, Value, json};

use super::{Guarded, Guards};
use crate::{
    config::Config,
    http::answer::{self, Response},
    paths,
};

/// How long caches may keep a copy.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The metadata of one resource (RFC 9728 §2).
pub(super) fn document(guarded: &Guarded, config: &Config) -> Bytes {
    let mut document = json!({
        "resource": guarded.uri,
        "authorization_servers": [config.server.issuer],
        "bearer_methods_supported": ["header"],
    });
    let required = &guarded.settings.required_scopes;
    if !required.is_empty() {
        document["scopes_supported"] = json!(required);
    }
    if let Some(name) = &guarded.name {
        document["resource_name"] = json!(name);
    }
    document.to_string().into()
}

/// Every member, as JSON Schema.
pub(crate) fn schema() -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "array", "items": text });
    let members = [
        ("resource", &text),
        ("authorization_servers", &texts),
        ("bearer_methods_supported", &texts),
        ("scopes_supported", &texts),
        ("resource_name", &text),
    ];
    let properties: Map<String, Value> =
        members.into_iter().map(|(name, schema)| (name.to_owned(), schema.clone())).collect();
    json!({
        "type": "object",
        "required": ["resource", "authorization_servers", "bearer_methods_supported"],
        "additionalProperties": false,
        "properties": properties,
    })
}

/// `GET /.well-known/oauth-protected-resource`, and below it; `None` where no resource is meant.
pub(crate) fn metadata(guards: &Guards, head: &Parts) -> Option<Response> {
    let (_, path) = head.uri.path().split_once(paths::PROTECTED_RESOURCE)?;
    let guarded = chosen(guards, host(head), path)?;
    let mut response = answer::json(StatusCode::OK, guarded.metadata.clone());
    response.headers_mut().insert(CACHE_CONTROL, CACHED);
    Some(response)
}

/// The host that a request names, with its port.
pub(crate) fn host(head: &Parts) -> &[u8] {
    let host = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    host.or_else(|| head.headers.get(HOST).map(HeaderValue::as_bytes)).unwrap_or_default()
}

/// The resource that a host and the path behind the well-known name mean.
fn chosen<'g>(guards: &'g Guards, host: &[u8], path: &str) -> Option<&'g Guarded> {
    let is_at_host = |guarded: &&Guarded| guarded.authority().as_bytes().eq_ignore_ascii_case(host);
    // A proxy that does not pass the client's `Host` on leaves the choice among all.
    let knows_host = guards.iter().any(|guarded| is_at_host(&guarded));
    let there = || guards.iter().filter(|guarded| !knows_host || is_at_host(guarded));
    let path = path.trim_end_matches('/');
    if let Some(only) = only(there().filter(|guarded| guarded.path == path)) {
        return Some(only);
    }
    if !path.is_empty() {
        return None;
    }
    only(there()).or_else(|| only(there().filter(|guarded| guarded.settings.default)))
}

fn only<'g>(mut guards: impl Iterator<Item = &'g Guarded>) -> Option<&'g Guarded> {
    let first = guards.next();
    first.filter(|_| guards.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{self, Sources},
        internet::Internet,
    };

    fn guards(resources: &[(&str, &str)]) -> Guards {
        let resources: Vec<String> = resources
            .iter()
            .enumerate()
            .map(|(nth, (uri, members))| {
                format!(r#"{{ uri = "{uri}", guard = {{ id = "r{nth}" {members} }} }}"#)
            })
            .collect();
        let flags = vec![("authorization.resources", format!("[{}]", resources.join(", ")))];
        let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
        Guards::new(&config, &Internet::System)
    }

    #[test]
    fn the_root_form_answers_for_the_only_resource_of_a_host_or_the_default_one() {
        let chosen = |guards: &Guards, host: &str, path: &str| {
            chosen(guards, host.as_bytes(), path).map(|guarded| guarded.settings.id.clone())
        };
        let one = guards(&[("https://a.example/mcp", "")]);
        for (host, path, expected) in [
            ("a.example", "", Some("r0")),
            ("A.example", "/mcp", Some("r0")),
            ("a.example", "/mcp/", Some("r0")),
            ("a.example", "/other", None),
            // The proxy does not pass `Host` on.
            ("127.0.0.1:8080", "", Some("r0")),
            ("127.0.0.1:8080", "/mcp", Some("r0")),
        ] {
            assert_eq!(chosen(&one, host, path).as_deref(), expected, "{host} {path}");
        }
        let several = guards(&[
            ("https://a.example/mcp", ""),
            ("https://a.example/api", ", default = true"),
            ("https://b.example/mcp", ""),
            ("https://b.example/api", ""),
            ("https://c.example", ""),
            ("https://c.example/mcp", ""),
        ]);
        for (host, path, expected) in [
            ("a.example", "", Some("r1")),
            ("a.example", "/mcp", Some("r0")),
            ("b.example", "", None),
            ("b.example", "/mcp", Some("r2")),
            ("b.example", "/api", Some("r3")),
            ("c.example", "", Some("r4")),
            ("c.example", "/", Some("r4")),
            ("c.example", "/mcp", Some("r5")),
            ("unknown.example", "/mcp", None),
        ] {
            assert_eq!(chosen(&several, host, path).as_deref(), expected, "{host} {path}");
        }
    }
}
