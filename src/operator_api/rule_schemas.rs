//! How admission rules look in documents.

use serde_json::{Map, Value, json};

use super::{document, page, rules::TYPE};
use crate::admission::{Conditions, EXPIRES_DAYS_MAX, RuleId, Word as _};

/// The schema of the members of a rule.
pub(super) fn members_schema() -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let optional = json!({ "type": ["string", "null"] });
    let conditions = Conditions::LISTS.iter().map(|name| {
        ((*name).to_owned(), json!({ "type": ["array", "string", "null"], "items": text }))
    });
    let others = [
        ("imitation", json!({ "type": ["boolean", "null"] })),
        ("effect", json!({ "enum": ["allow", "hold", "reject"] })),
        (
            "reason",
            json!({ "type": ["string", "null"], "description": "For the developer of a rejected client." }),
        ),
        (
            "ceiling",
            json!({
                "type": ["array", "string", "null"],
                "items": text,
                "description": "The scopes that a client may hold which the rule lets in.",
            }),
        ),
        (
            "label",
            json!({ "type": ["string", "null"], "description": "To find the clients by that the rule lets in." }),
        ),
        (
            "expires_days",
            json!({
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": EXPIRES_DAYS_MAX,
                "description": "After how many days they are removed, whatever their use.",
            }),
        ),
        ("mode", json!({ "enum": ["enforce", "observe", null] })),
        ("note", optional),
    ];
    conditions.chain(others.map(|(name, schema)| (name.to_owned(), schema))).collect()
}

pub(super) fn list_schema() -> Value {
    let mut schema = page::schema(&resource_schema());
    schema["properties"]["meta"]["properties"]["default"] = json!({
        "enum": ["allow", "hold", "reject"],
        "description": "What happens to a client that no rule decides about.",
    });
    schema
}

pub(super) fn resource_schema() -> Value {
    let optional = json!({ "type": ["string", "null"] });
    let mut properties = members_schema();
    for (name, schema) in [
        (
            "matches",
            json!({ "type": "integer", "minimum": 0, "description": "Clients that it matched on this node since its start." }),
        ),
        ("origin", json!({ "enum": ["settings", "store", "built-in"] })),
        (
            "position",
            json!({ "type": ["integer", "null"], "description": "Among the rules in the store, from 1." }),
        ),
        ("changed_at", optional.clone()),
        ("changed_by", optional),
    ] {
        properties.insert(name.to_owned(), schema);
    }
    let mut example = example();
    for (name, value) in [
        ("matches", json!(12)),
        ("origin", json!("store")),
        ("position", json!(1)),
        ("changed_at", json!("2027-01-15T14:05:00Z")),
        ("changed_by", json!("oncall")),
    ] {
        example["attributes"][name] = value;
    }
    json!({
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "type": "string" },
            "type": { "const": TYPE },
            "attributes": {
                "type": "object",
                "required": ["origin", "position", "matches"],
                "properties": properties,
            },
        },
        "examples": [example],
    })
}

pub(super) fn body_schema(example: &Value) -> Value {
    let mut properties = members_schema();
    properties.insert("position".to_owned(), json!({ "type": "integer", "minimum": 1 }));
    let id = json!({ "type": "string", "description": RuleId::EXPECTED });
    let attributes = json!({
        "type": "object",
        "description": "A client has to meet every condition that is given. `null` removes a member.",
        "properties": properties,
    });
    document::body_schema(TYPE, &id, &attributes, example)
}

pub(super) fn example() -> Value {
    json!({
        "id": "no-tunnels",
        "type": TYPE,
        "attributes": {
            "any_destination": ["*.tunnel.example"],
            "effect": "reject",
            "reason": "no tunnels",
            "mode": "observe",
        },
    })
}
