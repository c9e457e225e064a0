//! Clients that operators make, for apps that cannot register.

use serde_json::{Value, json};

use super::{
    authentication::Needs,
    clients::{Known, READ, TYPE},
    document::Answer,
    error::ApiError,
    operation::{Operation, Request, handler},
    page,
};
use crate::{operator::OperatorScope, registration};

/// `POST /api/v2/oauth2/clients`
pub(crate) const CREATE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "createOAuth2Client",
    summary: "Create a client for an app that cannot register. It is public and has no secret; admission rules do not apply, \
              and it does not expire.",
    parameters: &[],
    body: Some(body_schema),
    schema: READ.schema,
    refusals: &[],
    handler: handler!(create),
};

fn body_schema() -> Value {
    json!({
        "type": "object",
        "required": ["data"],
        "properties": { "data": {
            "type": "object",
            "required": ["type", "attributes"],
            "properties": {
                "type": { "const": TYPE },
                "attributes": {
                    "type": "object",
                    "required": ["metadata"],
                    "properties": { "metadata": {
                        "type": "object",
                        "required": ["redirect_uris"],
                        "description": "RFC 7591 members, which a registration would accept.",
                    } },
                    "additionalProperties": false,
                },
            },
        } },
        "examples": [{ "data": { "type": TYPE, "attributes": { "metadata": {
            "client_name": "Acme CRM",
            "redirect_uris": ["https://crm.acme.example/oauth/callback"],
            "scope": "projects:read",
        } } } }],
    })
}

async fn create(request: Request<'_>) -> Result<Answer, ApiError> {
    let (id, attributes) = page::new_resource(&request.body, TYPE)?;
    if id.is_some() {
        return Err(ApiError::member("/data/id", "The server chooses the identifier."));
    }
    let attributes = attributes.into_iter().flatten();
    let mut metadata = None;
    for (name, value) in attributes {
        let pointer = format!("/data/attributes/{}", crate::json::pointer_step(name));
        match (name.as_str(), value) {
            ("metadata", Value::Object(_)) => metadata = Some(value.to_string()),
            ("metadata", _) => {
                return Err(ApiError::member(&pointer, "The member must be an object."));
            }
            _ => return Err(ApiError::member(&pointer, "A new client has no such member.")),
        }
    }
    let metadata =
        metadata.ok_or_else(|| ApiError::member(METADATA, "The member must be an object."))?;
    let (app, by) = (request.app, request.author());
    let made = registration::make(metadata.as_bytes(), &app.config.registration, &by, &app.entropy);
    let client = made.map_err(|violations| {
        let members = violations.into_iter();
        ApiError::Members(
            members.map(|it| (format!("{METADATA}{}", it.pointer), it.reason)).collect(),
        )
    })?;
    app.store.add_client(client.clone()).await?;
    let client = Known::Registered(client);
    Ok(Answer::one(&client.resource(request.app)).tagged(&client.state().version()).created())
}

const METADATA: &str = "/data/attributes/metadata";
