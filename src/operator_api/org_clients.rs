//! The documented family for the organization: the clients that people have authorized, and those people.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    authorized::{
        self, INCLUDE, Included, NUMBER, Numbered, SIZE, counts, document_schema, find_of_client,
        of_client,
    },
    authorized_list::{Entry, LOOKED_MAX, entries},
    clients::{self, Known},
    document::{Answer, link, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page,
    query::Parameter,
};
use crate::{
    client::ClientIdentifier,
    operator::OperatorScope,
    store::{Authorization, ClientEdit, ClientEdited, Standing},
};

const TYPE: &str = "org_authorized_clients";
const READ_SCOPE: Needs = Needs::Scope(OperatorScope::AuthorizedAppsRead);
const WRITE_SCOPE: Needs = Needs::Scope(OperatorScope::AuthorizedAppsWrite);

/// `GET /api/v2/org_authorized_clients`
pub(crate) const LIST: Operation = Operation {
    needs: READ_SCOPE,
    id: "listOrgAuthorizedClients",
    summary: "List the clients that people have authorized, and suspended clients. Of each kind, at most 100,000 are \
        looked through and about 10,000 listed: `meta.page.is_complete` is then `false`, and a filter finds the others, as \
        `/api/v2/oauth2/clients` does.",
    parameters: &[
        SIZE,
        NUMBER,
        Parameter {
            name: SORT,
            about: "`oauth2_client.name`, or with `-` before it; by identifier if omitted.",
        },
        Parameter { name: "filter", about: "Part of the client name, in upper or lower case." },
        Parameter { name: "filter[oauth2_client][name]", about: "The same." },
        Parameter { name: DISABLED, about: "`true` or `false`." },
        INCLUDE,
    ],
    body: None,
    schema: Some(|| document_schema(&json!({ "type": "array", "items": resource_schema() }))),
    refusals: &[],
    handler: handler!(list),
};

/// `GET /api/v2/org_authorized_clients/{org_authorized_client_id}`
pub(crate) const READ: Operation = Operation {
    needs: READ_SCOPE,
    id: "getOrgAuthorizedClient",
    summary: "Read a client that people have authorized.",
    parameters: &[
        INCLUDE,
        Parameter {
            name: USERS_DISABLED,
            about: "`true` or `false`; no authorization is disabled.",
        },
        Parameter { name: USERS_USER_DISABLED, about: "`true` or `false`; no person is disabled." },
    ],
    body: None,
    schema: Some(|| document_schema(&resource_schema())),
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(read),
};

/// `PATCH /api/v2/org_authorized_clients/{org_authorized_client_id}`
pub(crate) const CHANGE: Operation = Operation {
    needs: WRITE_SCOPE,
    id: "updateOrgAuthorizedClient",
    summary: "Disable a client, which ends every authorization, or enable it again.",
    parameters: &[],
    body: Some(change_schema),
    schema: READ.schema,
    refusals: &[
        StatusCode::NOT_FOUND,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::UNPROCESSABLE_ENTITY,
    ],
    handler: handler!(change),
};

/// `DELETE /api/v2/org_authorized_clients/{org_authorized_client_id}`
pub(crate) const DISABLE: Operation = Operation {
    needs: WRITE_SCOPE,
    id: "deleteOrgAuthorizedClient",
    summary: "Disable a client and revoke access for all people.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::NOT_FOUND, StatusCode::PRECONDITION_FAILED],
    handler: handler!(disable),
};

/// `GET …/{org_authorized_client_id}/user_authorized_clients`
pub(crate) const LIST_USERS: Operation = Operation {
    needs: READ_SCOPE,
    id: "listOrgAuthorizedClientUserAuthorizations",
    summary: "List who has authorized a client.",
    parameters: &[
        SIZE,
        NUMBER,
        Parameter {
            name: SORT,
            about: "`user.name`, `user.email`, or `oauth2_client.name`, or with `-` before it.",
        },
        Parameter { name: DISABLED, about: "`true` or `false`; no authorization is disabled." },
        Parameter { name: USER_NAME, about: "Part of the name, in upper or lower case." },
        Parameter { name: USER_EMAIL, about: "Part of the email address." },
        Parameter { name: USER_DISABLED, about: "`true` or `false`; no person is disabled." },
    ],
    body: None,
    schema: Some(|| {
        document_schema(&json!({ "type": "array", "items": authorized::resource_schema() }))
    }),
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(list_users),
};

/// `DELETE …/{org_authorized_client_id}/user_authorized_clients/{user_authorized_client_id}`
pub(crate) const REVOKE: Operation = Operation {
    needs: WRITE_SCOPE,
    id: "deleteOrgAuthorizedClientUserAuthorization",
    summary: "Revoke what one person has authorized; the person may authorize the client again.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(revoke),
};

/// `DELETE …/{org_authorized_client_id}/user/{user_id}`
pub(crate) const REVOKE_USER: Operation = Operation {
    needs: WRITE_SCOPE,
    id: "deleteOrgAuthorizedClientAllUserAuthorizations",
    summary: "Revoke everything that a person has authorized the client.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(revoke_user),
};

const SORT: &str = "sort";
const DISABLED: &str = "filter[disabled]";
const USERS_DISABLED: &str = "filter[user_authorized_clients][disabled]";
const USERS_USER_DISABLED: &str = "filter[user_authorized_clients][user][disabled]";
const USER_NAME: &str = "filter[user][name]";
const USER_EMAIL: &str = "filter[user][email]";
const USER_DISABLED: &str = "filter[user][disabled]";
const ID: &str = "org_authorized_client_id";

/// How many authorizations a document links to; the rest is at `links.related`.
const LINKED_MAX: usize = 100;

fn resource_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["id", "type", "attributes", "relationships"],
        "properties": {
            "id": text,
            "type": { "const": TYPE },
            "attributes": {
                "type": "object",
                "required": ["disabled", "last_exercised", "user_count"],
                "properties": {
                    "disabled": { "type": "boolean" },
                    "last_exercised": { "type": ["string", "null"] },
                    "user_count": { "type": "integer" },
                },
            },
            "relationships": { "type": "object", "required": ["oauth2_client", "user_authorized_clients"] },
        },
        "examples": [{
            "id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
            "type": TYPE,
            "attributes": {
                "disabled": false, "last_exercised": "2027-01-15T14:05:00Z", "user_count": 1,
            },
            "relationships": {
                "oauth2_client": link(clients::TYPE, "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e"),
                "user_authorized_clients": {
                    "data": [{ "type": authorized::TYPE, "id": "6c84fb90-12c4-81d9-b5a1-0a0c3cbd1c05" }],
                },
            },
        }],
    })
}

fn change_schema() -> Value {
    json!({ "type": "object", "required": ["data"], "properties": { "data": {
        "type": "object",
        "required": ["id", "type"],
        "properties": {
            "id": { "type": "string" },
            "type": { "const": TYPE },
            "attributes": { "type": "object", "properties": { "disabled": { "type": "boolean" } } },
        },
    } }, "examples": [{ "data": {
        "id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
        "type": TYPE,
        "attributes": { "disabled": true },
    } }] })
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Numbered::of(&request)?;
    let query = &request.query;
    let sort = sorted_by(&request, &["oauth2_client.name"])?;
    let names = [query.text("filter")?, query.text("filter[oauth2_client][name]")?];
    let names: Vec<String> = names.into_iter().flatten().map(str::to_lowercase).collect();
    let disabled = query.boolean(DISABLED)?;
    let mut included = Included::of(&request, &INCLUDED[..3])?;

    let passes = |entry: &Entry| {
        names.iter().all(|part| entry.name.contains(part))
            && disabled.is_none_or(|disabled| disabled == entry.is_disabled)
    };
    let found = entries(&request, &passes).await?;
    let (mut entries, total, is_cut) = (found.passed, found.looked, found.is_cut);
    let filtered = entries.len();
    if let Some((_, is_descending)) = sort {
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        if is_descending {
            entries.reverse();
        }
    }
    let mut data = Vec::new();
    for entry in page.of_all(entries) {
        // It may be gone since.
        if let Some(client) = Known::named(request.app, &entry.identifier).await? {
            data.push(resource(&request, &client, &mut included, true).await?);
        }
    }
    let mut meta = counts(total, filtered);
    if is_cut {
        meta["page"]["is_complete"] = false.into();
    }
    Ok(included.add_to(json!({ "data": data, "meta": meta })))
}

/// What can be included; the last only with one client.
const INCLUDED: [&str; 4] =
    ["oauth2_client", "oauth2_client.app", "user_authorized_clients.user", "oauth2_client.scopes"];

/// The member to sort by, and whether in descending order.
fn sorted_by<'known>(
    request: &Request<'_>,
    known: &[&'known str],
) -> Result<Option<(&'known str, bool)>, ApiError> {
    let Some(text) = request.query.text(SORT)? else { return Ok(None) };
    let (name, is_descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let found = known.iter().find(|known| **known == name);
    let refused =
        || ApiError::parameter(SORT, format!("The value must be one of {}.", known.join(", ")));
    Ok(Some((found.ok_or_else(refused)?, is_descending)))
}

async fn resource(
    request: &Request<'_>,
    client: &Known,
    included: &mut Included,
    shows_users: bool,
) -> Result<Value, ApiError> {
    let (store, identifier, now) = (&request.app.store, client.identifier()?, request.now);
    let user_count = store.people_of_client(&identifier, now).await?;
    let linked = if shows_users {
        store.authorizations_of_client(&identifier, now, "", LINKED_MAX).await?
    } else {
        Vec::new()
    };
    included.client(request.app, client);
    for authorization in &linked {
        included.people(authorization);
        included.scopes(authorization);
    }
    let exercised = linked.iter().filter_map(|authorization| authorization.used_at).max();
    let id = client.id();
    let users: Vec<Value> = linked
        .iter()
        .map(|one| json!({ "type": authorized::TYPE, "id": one.id().to_string() }))
        .collect();
    let related = format!("/api/v2/{TYPE}/{id}/{}", authorized::TYPE);
    Ok(json!({
        "id": id,
        "type": TYPE,
        "attributes": {
            "disabled": client.is_suspended(request.app),
            "last_exercised": moment(client.state().used_at.max(exercised)),
            "user_count": user_count,
        },
        "relationships": {
            "oauth2_client": link(clients::TYPE, &id),
            "user_authorized_clients": { "data": users, "links": { "related": related } },
        },
    }))
}

/// The client of the path, if a person has authorized it or it is suspended.
async fn named(request: &Request<'_>) -> Result<Known, ApiError> {
    // Identifiers of this resource are plain texts: one that is no UUID is unknown.
    let found = Known::find(request.app, &request.path(ID)?, ID).await;
    let client = found.map_err(|error| match error {
        ApiError::Parameter { .. } => ApiError::NotFound("authorized client"),
        error => error,
    })?;
    let people = request.app.store.people_of_client(&client.identifier()?, request.now).await?;
    if people == 0 && !client.is_suspended(request.app) {
        return Err(ApiError::NotFound("authorized client"));
    }
    Ok(client)
}

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    let mut included = Included::of(&request, &INCLUDED)?;
    let disabled = [USERS_DISABLED, USERS_USER_DISABLED].map(|name| request.query.boolean(name));
    let [one, other] = disabled;
    let shows_users = one? != Some(true) && other? != Some(true);
    let client = named(&request).await?;
    let data = resource(&request, &client, &mut included, shows_users).await?;
    let answer = included.add_to(json!({ "data": data }));
    Ok(answer.tagged(&client.state().version()))
}

async fn change(request: Request<'_>) -> Result<Answer, ApiError> {
    let client = named(&request).await?;
    let attributes = page::attributes(&request.body, TYPE, &client.id())?;
    let standing = match attributes.and_then(|attributes| attributes.get("disabled")) {
        None => None,
        Some(Value::Bool(true)) => Some(Standing::Suspended),
        Some(Value::Bool(false)) => Some(Standing::Active),
        Some(_) => {
            let detail = "The value must be true or false.";
            return Err(ApiError::member("/data/attributes/disabled", detail));
        }
    };
    edit(&request, &client, standing).await?;
    let client = Known::find(request.app, &client.id(), ID).await?;
    let mut included = Included::default();
    let data = resource(&request, &client, &mut included, true).await?;
    Ok(Answer::one(&data).tagged(&client.state().version()))
}

async fn edit(
    request: &Request<'_>,
    client: &Known,
    standing: Option<Standing>,
) -> Result<(), ApiError> {
    // A dormant client is not disabled: there is nothing to enable.
    let is_suspended = client.state().standing == Standing::Suspended;
    if standing == Some(Standing::Active) && !is_suspended && client.is_suspended(request.app) {
        return Err(ApiError::Unprocessable {
            pointer: "/data/attributes/disabled",
            detail: "The family of the client is suspended.".to_owned(),
        });
    }
    let standing = standing.filter(|to| *to == Standing::Suspended || is_suspended);
    let edit = ClientEdit { standing, ..ClientEdit::default() };
    let (store, identifier) = (&request.app.store, client.identifier()?);
    match store.edit_client(&identifier, edit, request.versions(), request.author()).await? {
        ClientEdited::Now => Ok(()),
        ClientEdited::Superseded => Err(ApiError::Superseded),
        ClientEdited::Is(standing) => Err(ApiError::Unprocessable {
            pointer: "/data/attributes/disabled",
            detail: format!("The client is {standing}."),
        }),
        ClientEdited::NotThere => Err(ApiError::NotFound("authorized client")),
    }
}

async fn disable(request: Request<'_>) -> Result<Answer, ApiError> {
    let client = named(&request).await?;
    edit(&request, &client, Some(Standing::Suspended)).await?;
    Ok(Answer::nothing())
}

async fn list_users(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Numbered::of(&request)?;
    let query = &request.query;
    let sort = sorted_by(&request, &["user.name", "user.email", "oauth2_client.name"])?;
    let [name, email] =
        [query.text(USER_NAME)?, query.text(USER_EMAIL)?].map(|part| part.map(str::to_lowercase));
    let disabled = query.boolean(DISABLED)?.max(query.boolean(USER_DISABLED)?);
    let client = named(&request).await?;

    let (mut all, is_cut) = of_client(&request, &client.identifier()?, LOOKED_MAX).await?;
    let total = all.len();
    let has = |text: &Option<String>, part: &Option<String>| {
        let text = text.as_deref().unwrap_or_default().to_lowercase();
        part.as_ref().is_none_or(|part| text.contains(part))
    };
    all.retain(|one| disabled != Some(true) && has(&one.name, &name) && has(&one.email, &email));
    let filtered = all.len();
    if let Some((member, is_descending)) = sort {
        let key = |one: &Authorization| match member {
            "user.name" => one.name.as_deref().unwrap_or_default().to_lowercase(),
            "user.email" => one.email.as_deref().unwrap_or_default().to_lowercase(),
            // They are all of one client.
            _ => String::new(),
        };
        all.sort_by_cached_key(key);
        if is_descending {
            all.reverse();
        }
    }
    let data: Vec<Value> = page
        .of_all(all)
        .iter()
        .map(|one| authorized::resource(request.app, one, &client))
        .collect();
    let mut meta = counts(total, filtered);
    if is_cut {
        meta["page"]["is_complete"] = false.into();
    }
    Ok(Answer::ok(json!({ "data": data, "meta": meta })))
}

async fn revoke(request: Request<'_>) -> Result<Answer, ApiError> {
    let client = named(&request).await?;
    let id = request.path("user_authorized_client_id")?;
    let found = find_of_client(&request, &client.identifier()?, &id).await?;
    end(&request, &found.subject, &found.client).await
}

async fn revoke_user(request: Request<'_>) -> Result<Answer, ApiError> {
    let client = named(&request).await?;
    end(&request, &request.path("user_id")?, &client.identifier()?).await
}

/// Ends everything between a person and a client.
pub(super) async fn end(
    request: &Request<'_>,
    subject: &str,
    client: &ClientIdentifier,
) -> Result<Answer, ApiError> {
    match request.app.store.disconnect(subject, client, request.author()).await? {
        0 => Err(ApiError::NotFound("authorization")),
        _ => Ok(Answer::nothing()),
    }
}
