//! Which module may name which, without circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    none,
    source::{sources, split_paths},
};

/// Which module may name which. A new edge is a design decision: add it here, in the same commit, and say
/// why in the message. An edge that nothing uses is refused as well, so that this stays the picture.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("admission", &["appearance", "client", "family", "json", "metrics"]),
    ("appearance", &[]),
    ("attempt", &["audit", "family", "metrics"]),
    ("attempts", &["attempt", "clock", "metrics", "store"]),
    ("audit", &["appearance", "client", "clock", "entropy", "id"]),
    (
        "app",
        &[
            "attempt",
            "attempts",
            "audit",
            "client",
            "client_document",
            "clock",
            "config",
            "entropy",
            "families",
            "http",
            "internet",
            "keys",
            "last_use",
            "live_rules",
            "local_password",
            "look_alike",
            "metrics",
            "provider",
            "server_metadata",
            "store",
            "webhook",
        ],
    ),
    (
        "authorization",
        &[
            "attempt",
            "family",
            "app",
            "audit",
            "client",
            "client_document",
            "clock",
            "config",
            "error_code",
            "grant",
            "http",
            "identified_client",
            "operator",
            // What is asked for the operator API is cut down to the person's role.
            "operators",
            "pages",
            "paths",
            "stored_identity",
            "refusal",
            "secret",
            "sign_in",
            "store",
            "messages",
        ],
    ),
    ("credential", &["clock", "entropy", "id", "secret"]),
    // The door of the benches.
    (
        "bench",
        &["app", "clock", "config", "entropy", "keys", "metadata_policy", "registration", "store"],
    ),
    (
        "cli",
        &[
            "attempt",
            "admission",
            "app",
            "audit",
            "ceiling",
            "client",
            "clock",
            "config",
            "doctor",
            "entropy",
            "event_json",
            "family",
            "grant",
            "guard",
            "internet",
            "json",
            "keys",
            "live_rules",
            "log",
            "metadata_policy",
            "operator",
            "paths",
            "private_file",
            "registration",
            "server",
            "store",
            "timeline",
        ],
    ),
    ("ceiling", &["client"]),
    ("client", &["id", "json", "special_use"]),
    (
        "client_document",
        &["client", "clock", "config", "entropy", "http", "internet", "metadata_policy", "metrics"],
    ),
    ("clock", &[]),
    // What a setting names as requests do is read by the same rule; admission rules of every origin are one type.
    // Settings give roles to people.
    ("config", &["admission", "appearance", "audit", "grant", "operator", "paths"]),
    ("discovery", &["app", "http", "pages", "paths"]),
    // It looks at what the others use, with their own means.
    (
        "doctor",
        &[
            "client",
            "clock",
            "config",
            "entropy",
            "guard",
            "http",
            "internet",
            "keys",
            "live_rules",
            "paths",
            "private_file",
            "provider",
            "server",
            "store",
            "webhook",
        ],
    ),
    ("entropy", &[]),
    ("error_code", &[]),
    ("event_json", &["clock", "store"]),
    ("families", &["ceiling", "client", "clock", "family", "metrics", "store"]),
    ("family", &["appearance", "client", "id"]),
    // The doors of the fuzz targets, which no build but theirs has.
    (
        "fuzz",
        &[
            "authorization",
            "client",
            "config",
            "grant",
            "guard",
            "http",
            "keys",
            "metadata_policy",
            "provider",
            "registration",
            "sign_in",
            "token",
        ],
    ),
    ("grant", &["entropy", "id", "secret"]),
    // The handlers take `app`, and `Guards` from the server.
    (
        "guard",
        &[
            "app",
            "audit",
            "client",
            "clock",
            "config",
            "grant",
            "http",
            "internet",
            "json",
            "keys",
            "metrics",
            "paths",
            "secret",
            "store",
            "stored_identity",
            "token",
            "traces",
        ],
    ),
    // A fetch is a step of the request that waits for it; so are changes to the store and calls of a provider.
    ("http", &["clock", "config", "entropy", "internet", "metrics", "special_use", "traces"]),
    ("id", &["clock", "entropy"]),
    (
        "identified_client",
        &["admission", "app", "ceiling", "client", "client_document", "clock", "http", "store"],
    ),
    ("internet", &[]),
    ("json", &[]),
    ("keys", &["audit", "clock", "config", "entropy", "private_file", "store"]),
    ("last_use", &["client", "clock", "operator", "store"]),
    ("live_rules", &["admission", "clock", "http", "metrics", "store"]),
    ("local_password", &["entropy", "secret", "store"]),
    ("log", &["clock", "config", "json"]),
    ("look_alike", &["appearance", "client", "config"]),
    ("messages", &[]),
    ("metadata_policy", &["client", "config", "error_code", "json"]),
    ("metrics", &[]),
    // It describes what the others answer, by their own tables.
    (
        "openapi",
        &[
            "authorization",
            "client",
            "config",
            "error_code",
            "guard",
            "http",
            "keys",
            "metadata_policy",
            "operator_api",
            "paths",
            "refusal",
            "registration",
            "server_metadata",
            "sign_in",
            "token",
        ],
    ),
    // `words!` of `audit` declares roles and scopes.
    ("operator", &["audit", "credential", "id"]),
    // The handlers take `app`.
    (
        "operator_api",
        &[
            "attempt",
            "admission",
            "app",
            "audit",
            "ceiling",
            "client",
            "clock",
            "config",
            "error_code",
            "event_json",
            "family",
            "grant",
            "http",
            "id",
            "json",
            "keys",
            "live_rules",
            "operator",
            "operators",
            "refusal",
            "registration",
            "store",
            "timeline",
            "token",
        ],
    ),
    // The role of a person at this moment takes their session.
    (
        "operators",
        &[
            "app",
            "client",
            "clock",
            "config",
            "local_password",
            "operator",
            "sign_in",
            "store",
            "stored_identity",
        ],
    ),
    ("pages", &["config", "http", "paths", "messages"]),
    ("paths", &[]),
    ("private_file", &[]),
    ("stored_identity", &[]),
    ("provider", &["clock", "config", "http", "internet", "traces"]),
    ("refusal", &["error_code", "http", "pages", "store"]),
    (
        "registration",
        &[
            "attempt",
            "admission",
            "app",
            "audit",
            "client",
            "clock",
            "config",
            "credential",
            "entropy",
            "error_code",
            "http",
            "json",
            "look_alike",
            "metadata_policy",
            "metrics",
            "paths",
            "refusal",
            "secret",
            "store",
        ],
    ),
    ("secret", &["entropy"]),
    ("server_metadata", &["config", "paths", "messages"]),
    (
        "server",
        &[
            "attempt",
            "attempts",
            "admission",
            "app",
            "audit",
            "authorization",
            "client",
            "clock",
            "config",
            "discovery",
            "families",
            "guard",
            "http",
            "keys",
            "live_rules",
            "log",
            "metadata_policy",
            "metrics",
            "openapi",
            "operator",
            "operator_api",
            "pages",
            "paths",
            "registration",
            "sign_in",
            "store",
            "token",
            "webhook",
            "entropy",
            "internet",
            "traces",
        ],
    ),
    (
        "sign_in",
        &[
            "appearance",
            "app",
            "audit",
            "clock",
            "config",
            "entropy",
            "error_code",
            "grant",
            "http",
            "local_password",
            "metrics",
            "pages",
            "paths",
            "stored_identity",
            "provider",
            "refusal",
            "secret",
            "store",
            "messages",
        ],
    ),
    ("special_use", &[]),
    (
        "store",
        // The filters of lists match destinations as admission rules do.
        &[
            "attempt",
            "admission",
            "audit",
            "ceiling",
            "client",
            "clock",
            "config",
            "credential",
            "family",
            "grant",
            "id",
            "metrics",
            "operator",
            "private_file",
            "secret",
            "traces",
        ],
    ),
    // The story of a grant, for the command line and the operator API.
    ("timeline", &["audit", "clock", "store"]),
    ("traces", &[]),
    (
        "token",
        &[
            "attempt",
            "family",
            "app",
            "audit",
            "client",
            "clock",
            "config",
            "error_code",
            "grant",
            "http",
            "identified_client",
            "keys",
            "metrics",
            // A refresh for the operator API takes a role.
            "operators",
            "refusal",
            "secret",
            "store",
        ],
    ),
    (
        "webhook",
        &["clock", "config", "entropy", "event_json", "http", "internet", "metrics", "store"],
    ),
];

#[test]
fn no_module_names_one_that_it_may_not() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let names = edges.entry(source.module()).or_default();
        names.extend(split_paths(&source.code_with_crate_paths()).0);
    }
    edges.remove("lib");
    edges.remove("main");
    let mut faults = Vec::new();
    for (module, names) in &edges {
        let Some((_, allowed)) = MAY_NAME.iter().find(|(row, _)| row == module) else {
            faults.push(format!("{module} has no row"));
            continue;
        };
        let other = names.iter().filter(|name| *name != module);
        faults.extend(
            other
                .filter(|name| !allowed.contains(&name.as_str()))
                .map(|name| format!("{module} may not name {name}")),
        );
        faults.extend(
            allowed
                .iter()
                .filter(|name| !names.contains(**name))
                .map(|name| format!("{module} names {name} no longer: take the edge away")),
        );
    }
    let gone = MAY_NAME.iter().filter(|(row, _)| !edges.contains_key(*row));
    faults.extend(gone.map(|(row, _)| format!("there is no module {row}")));
    none(&faults);
}

#[test]
fn modules_form_no_circle() {
    let mut open = MAY_NAME.to_vec();
    // A module that names no open one is in no circle.
    loop {
        let left: Vec<&str> = open.iter().map(|(module, _)| *module).collect();
        open.retain(|(_, names)| names.iter().any(|name| left.contains(name)));
        if open.len() == left.len() {
            break;
        }
    }
    none(&open.iter().map(|(module, names)| format!("{module} → {names:?}")).collect::<Vec<_>>());
}
