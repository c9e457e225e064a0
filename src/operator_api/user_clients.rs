//! The documented family for a person: what they have authorized themselves.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::{Identity, Needs},
    authorized::{
        AT_ONCE, INCLUDE, Included, NUMBER, Numbered, SIZE, counts, document_schema, resource,
        resource_schema,
    },
    clients::Known,
    document::Answer,
    error::ApiError,
    operation::{Operation, Request, handler},
    org_clients::end,
    query::Parameter,
};
use crate::store::Authorization;

/// `GET /api/v2/user_authorized_clients`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Person,
    id: "listUserAuthorizedClients",
    summary: "List the clients that the person has authorized.",
    parameters: &[
        SIZE,
        NUMBER,
        Parameter { name: "filter", about: "Part of the client name, in upper or lower case." },
        Parameter { name: DISABLED, about: "`true` or `false`; no authorization is disabled." },
        INCLUDE,
    ],
    body: None,
    schema: Some(|| document_schema(&json!({ "type": "array", "items": resource_schema() }))),
    refusals: &[],
    handler: handler!(list),
};

/// `GET /api/v2/user_authorized_clients/{user_authorized_client_id}`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Person,
    id: "getUserAuthorizedClient",
    summary: "Read what the person has authorized one client.",
    parameters: &[],
    body: None,
    schema: Some(|| document_schema(&resource_schema())),
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(read),
};

/// `DELETE /api/v2/user_authorized_clients/{user_authorized_client_id}`
pub(crate) const REVOKE: Operation = Operation {
    needs: Needs::Person,
    id: "deleteUserAuthorizedClient",
    summary: "Revoke what the person has authorized one client.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(revoke),
};

/// `DELETE /api/v2/user_authorized_clients/client/{client_id}`
pub(crate) const REVOKE_CLIENT: Operation = Operation {
    needs: Needs::Person,
    id: "deleteUserAuthorizedClientsByClient",
    summary: "Revoke everything that the person has authorized the client.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(revoke_client),
};

const DISABLED: &str = "filter[disabled]";

/// The person who calls.
fn subject<'request>(request: &'request Request<'_>) -> Result<&'request str, ApiError> {
    match &request.caller {
        Identity::Person(person) => Ok(&person.subject),
        Identity::Token { .. } | Identity::Public => Err(ApiError::NO_CREDENTIAL),
    }
}

/// Everything that the person has authorized, with the clients that exist.
async fn all(request: &Request<'_>) -> Result<Vec<(Authorization, Known)>, ApiError> {
    let (store, subject) = (&request.app.store, subject(request)?);
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = store.authorizations_of_person(subject, request.now, &after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.client.to_string();
        for authorization in page {
            if let Some(client) = Known::named(request.app, &authorization.client).await? {
                all.push((authorization, client));
            }
        }
    }
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Numbered::of(&request)?;
    let name = request.query.text("filter")?.unwrap_or_default().to_lowercase();
    let disabled = request.query.boolean(DISABLED)?;
    let mut included = Included::of(&request, &["oauth2_client", "oauth2_client.app"])?;
    let mut all = all(&request).await?;
    let total = all.len();
    all.retain(|(_, client)| {
        disabled != Some(true) && client.name().unwrap_or_default().to_lowercase().contains(&name)
    });
    let filtered = all.len();
    let mut data: Vec<Value> = Vec::new();
    for (authorization, client) in page.of_all(all) {
        included.client(request.app, &client);
        data.push(resource(request.app, &authorization, &client));
    }
    Ok(included.add_to(json!({ "data": data, "meta": counts(total, filtered) })))
}

/// The authorization that the path names, and its client.
async fn named(request: &Request<'_>) -> Result<(Authorization, Known), ApiError> {
    let id = request.path("user_authorized_client_id")?;
    let found = all(request).await?.into_iter().find(|(one, _)| one.id().to_string() == id);
    found.ok_or(ApiError::NotFound("authorization"))
}

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    let (authorization, client) = named(&request).await?;
    Ok(Answer::one(&resource(request.app, &authorization, &client)))
}

async fn revoke(request: Request<'_>) -> Result<Answer, ApiError> {
    let (authorization, _) = named(&request).await?;
    end(&request, subject(&request)?, &authorization.client).await
}

async fn revoke_client(request: Request<'_>) -> Result<Answer, ApiError> {
    let client = Known::find(request.app, &request.path("client_id")?, "client_id").await;
    let client = client.map_err(|error| match error {
        ApiError::Parameter { .. } => ApiError::NotFound("client"),
        error => error,
    })?;
    end(&request, subject(&request)?, &client.identifier()?).await
}
