//! Families: list, read, change.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    authentication::Needs,
    client_list::destination,
    clients::{ceiling, ceiling_schema, remark},
    document::{self, Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page::{self, CURSOR, LIMIT, Page},
    query::Parameter,
};
use crate::{
    audit::{self, Author, EventId},
    family::{FamilyId, FamilyKey},
    operator::OperatorScope,
    store::{
        FamilyAccess, FamilyEdit, FamilyEdited, FamilyFilter, FamilyOrder, FamilyPlace,
        FamilyRecord, FamilyRemoval, RemovalBeginning, Standing,
    },
};

/// The type of a family in documents.
const TYPE: &str = "oauth2_families";

const DESTINATION: &str = "filter[destination]";
const SORT: &str = "sort";

/// `GET /api/v2/oauth2/families`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "listOAuth2Families",
    summary: "List families: all registrations of one app. The family with the most clients comes first.",
    parameters: &[
        Parameter {
            name: "filter[name]",
            about: "Part of the key or of a name, in upper or lower case.",
        },
        Parameter {
            name: DESTINATION,
            about: "With a redirect URI that leads to this host, `*.host`, `loopback`, or `scheme:NAME`.",
        },
        Parameter { name: "filter[standing]", about: "`active` or `suspended`." },
        Parameter {
            name: SORT,
            about: "`-clients` (the default), or `-last_seen_at` for the latest registration first.",
        },
        CURSOR,
        LIMIT,
    ],
    body: None,
    schema: Some(|| page::schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

/// `GET /api/v2/oauth2/families/{family_id}`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "getOAuth2Family",
    summary: "Read a family, with its connections as of now. `ETag` is its version, for `If-Match`.",
    parameters: &[],
    body: None,
    schema: Some(|| page::one_schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(read),
};

/// `PATCH /api/v2/oauth2/families/{family_id}`
pub(crate) const CHANGE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "updateOAuth2Family",
    summary: "Change the standing or the scope ceiling of a family, only in the version that `If-Match` names, if it is sent.",
    parameters: &[Parameter {
        name: DRY_RUN,
        about: "`true` changes nothing: `meta` says how many connections of how many people would end.",
    }],
    body: Some(change_schema),
    schema: Some(changed_schema),
    refusals: &[
        StatusCode::BAD_REQUEST,
        StatusCode::NOT_FOUND,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::UNPROCESSABLE_ENTITY,
    ],
    handler: handler!(change),
};

/// `DELETE /api/v2/oauth2/families/{family_id}`
pub(crate) const REMOVE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "deleteOAuth2Family",
    summary: "Remove the registered clients of a family and end every grant that people gave them; later ones can \
        register. A family with many clients takes several calls: `meta` says how many are left.",
    parameters: &[
        Parameter { name: REASON, about: "Why, for the audit events." },
        Parameter {
            name: CONTINUES,
            about: "The `removal` of the call before: the trail then has one `family.removed` for both.",
        },
    ],
    body: None,
    schema: Some(removed_schema),
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::PRECONDITION_FAILED],
    handler: handler!(remove),
};

const DRY_RUN: &str = "dry_run";
const REASON: &str = "reason";
const CONTINUES: &str = "continues";

/// How long one call removes clients.
const REMOVAL_MAX: Duration = Duration::from_secs(20);

fn resource(family: &FamilyRecord) -> Value {
    let key = family.key.parse::<FamilyKey>().ok();
    let places = key.iter().flat_map(FamilyKey::destinations).map(ToString::to_string);
    json!({
        "id": family.family_id.to_string(),
        "type": TYPE,
        "attributes": {
            "key": family.key,
            "names": family.names.iter().collect::<Vec<_>>(),
            "destinations": places.collect::<Vec<_>>(),
            "registrations": family.registrations(),
            "clients": family.clients,
            "people": family.people,
            "first_seen_at": moment(Some(family.first_seen_at)),
            "last_seen_at": moment(Some(family.last_seen_at)),
            "used_at": moment(family.used_at),
            "flags": family.flags.names(),
            "standing": family.standing.as_str(),
            "standing_at": moment(family.standing_at),
            "ceiling": family.ceiling,
        },
    })
}

fn resource_schema() -> Value {
    let text = json!({ "type": "string" });
    let optional = json!({ "type": ["string", "null"] });
    let texts = json!({ "type": "array", "items": text });
    let number = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    let properties = json!({
        "key": { "type": "string", "description": "Its name without versions, and where it redirects to." },
        "names": texts,
        "destinations": texts,
        "registrations": number("All registrations, those of removed clients among them."),
        "registrations_7_days": number("Those of the last 7 days; not in lists."),
        "clients": number("Clients that exist."),
        "people": number("People with a live connection, as of half a minute ago in lists."),
        "connections": number("Live connections; not in lists."),
        "first_seen_at": text,
        "last_seen_at": text,
        "used_at": optional,
        "flags": texts,
        "standing": { "enum": ["active", "suspended"] },
        "standing_at": optional,
        "ceiling": ceiling_schema("It holds beside those of clients and rules."),
    });
    let mut schema = document::resource_schema(
        TYPE,
        &["key", "names", "destinations", "registrations", "clients", "people", "standing"],
        &properties,
    );
    schema["examples"] = json!([example()]);
    schema
}

fn example() -> Value {
    json!({
        "id": "3c1f5d43-6a2e-8b1d-9c55-0d7a5be2f0aa",
        "type": TYPE,
        "attributes": {
            "key": "claude code@loopback",
            "names": ["Claude Code (acme-tools)", "Claude Code 2.1"],
            "destinations": ["loopback"],
            "registrations": 42,
            "registrations_7_days": 5,
            "clients": 40,
            "people": 17,
            "connections": 21,
            "first_seen_at": "2027-01-04T08:12:00Z",
            "last_seen_at": "2027-01-15T14:05:00Z",
            "used_at": "2027-01-15T14:05:00Z",
            "flags": [],
            "standing": "active",
            "standing_at": null,
            "ceiling": { "except": ["admin"] },
        },
    })
}

fn change_schema() -> Value {
    let id = json!({ "type": "string", "format": "uuid" });
    let attributes = json!({ "type": "object", "properties": {
        "standing": {
            "enum": ["active", "suspended"],
            "description": "`suspended` ends every grant of its clients, and no one can allow one of them, \
                whenever it registers; `active` resumes a suspended family.",
        },
        "ceiling": ceiling_schema("Ends every grant with another scope; null lifts it."),
        "reason": { "type": "string", "description": "Why, for the audit event." },
    } });
    let example = json!({
        "id": "3c1f5d43-6a2e-8b1d-9c55-0d7a5be2f0aa",
        "type": TYPE,
        "attributes": { "standing": "suspended", "reason": "Ticket 4711" },
    });
    document::body_schema(TYPE, &id, &attributes, &example)
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let (page, query) = (Page::of(&request)?, &request.query);
    let order = match query.text(SORT)? {
        None | Some("-clients") => FamilyOrder::Clients,
        Some("-last_seen_at") => FamilyOrder::LastSeen,
        Some(_) => {
            return Err(ApiError::parameter(SORT, "The value must be -clients or -last_seen_at."));
        }
    };
    let filter = FamilyFilter {
        order,
        name_contains: query.text("filter[name]")?.map(str::to_owned),
        destination: destination(DESTINATION, query.text(DESTINATION)?)?,
        standing: query.parsed("filter[standing]", "active or suspended")?,
    };
    let after: Option<FamilyPlace> = page.after()?;
    let found = request.app.store.families(&filter, after, page.limit + 1).await?;
    Ok(page.answer(&request, found, |family| order.place(family).to_string(), resource))
}

/// The parameter of the path.
const FAMILY_ID: &str = "family_id";

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    document(&request, request.id(FAMILY_ID)?).await
}

async fn document(request: &Request<'_>, id: FamilyId) -> Result<Answer, ApiError> {
    let store = &request.app.store;
    let family = store.family(id).await?.ok_or(ApiError::NotFound("family"))?;
    let access = store.family_access(id, request.now).await?;
    let of_week = store.family_registrations(id, request.now.before_days(7)).await?;
    let mut resource = resource(&family);
    let attributes = &mut resource["attributes"];
    attributes["people"] = access.people.into();
    attributes["connections"] = access.grants.into();
    attributes["registrations_7_days"] = of_week.into();
    Ok(Answer::one(&resource).tagged(&family.version()))
}

async fn change(request: Request<'_>) -> Result<Answer, ApiError> {
    let id = request.id(FAMILY_ID)?;
    let edit = FamilyEdit { versions: request.versions(), ..edit(&request.body, &id.to_string())? };
    if request.query.boolean(DRY_RUN)? == Some(true) {
        let family = request.app.store.family(id).await?.ok_or(ApiError::NotFound("family"))?;
        if !family.is_in(edit.versions.as_deref()) {
            return Err(ApiError::Superseded);
        }
        let (connections, people) = lost(&request, id, &edit).await?;
        let meta = json!({ "is_changed": false, "connections": connections, "people": people });
        return Ok(document(&request, id).await?.with_meta(&meta));
    }
    let store = &request.app.store;
    let (is_changed, ended) =
        match store.edit_family(id, edit, request.author(), &|_, _| {}).await? {
            FamilyEdited::Now { is_changed, ended } => (is_changed, ended),
            FamilyEdited::Superseded => return Err(ApiError::Superseded),
            FamilyEdited::NotThere => return Err(ApiError::NotFound("family")),
        };
    request.app.families.refresh(&request.app.store).await?;
    let meta = json!({ "is_changed": is_changed, "connections": ended });
    Ok(document(&request, id).await?.with_meta(&meta))
}

/// The connections that an edit would end, and how many people gave them.
async fn lost(
    request: &Request<'_>,
    id: FamilyId,
    edit: &FamilyEdit,
) -> Result<(u64, u64), ApiError> {
    let store = &request.app.store;
    let lost = match &edit.ceiling {
        _ if edit.is_suspended == Some(true) => store.family_access(id, request.now).await?,
        Some(Some(ceiling)) => store.family_access_above(id, ceiling, request.now).await?,
        _ => FamilyAccess::default(),
    };
    Ok((lost.grants, lost.people))
}

async fn remove(request: Request<'_>) -> Result<Answer, ApiError> {
    let (id, store) = (request.id(FAMILY_ID)?, &request.app.store);
    store.family(id).await?.ok_or(ApiError::NotFound("family"))?;
    let reason = request.query.text(REASON)?.map(|text| {
        let refused =
            |expected| ApiError::parameter(REASON, format!("The value must be {expected}."));
        audit::remark(text).map_err(refused)
    });
    let reason = reason.transpose()?.unwrap_or_else(|| "family_removed".to_owned());
    let removed = AtomicU64::new(0);
    let watch = |clients: usize| {
        removed.fetch_add(clients as u64, Ordering::Relaxed);
    };
    let author = request.author();
    let (event, beginning) = beginning(&request, id, &author).await?;
    let removal = FamilyRemoval { reason, versions: request.versions(), beginning };
    let removing = store.remove_family(id, removal, author, &watch);
    let left = match timeout(REMOVAL_MAX, removing).await {
        Ok(done) => done?.map(|_| 0).ok_or(ApiError::Superseded)?,
        // A removal that is cut short goes on when it is made again.
        Err(_) => store.family(id).await?.map_or(0, |family| family.clients.max(1)),
    };
    let removed = removed.into_inner();
    let mut meta = json!({ "clients_removed": removed, "clients_left": left });
    if left > 0 && store.is_removal_of_family(id, event).await? {
        meta["removal"] = json!(event.to_string());
    }
    Ok(Answer::counted(&meta))
}

/// The event with which a removal began, and whether an earlier call left it.
async fn beginning(
    request: &Request<'_>,
    id: FamilyId,
    author: &Author,
) -> Result<(EventId, RemovalBeginning), ApiError> {
    let Some(event) = request.query.parsed(CONTINUES, "a UUID")? else {
        let event = author.next_event();
        return Ok((event, RemovalBeginning::Named(event)));
    };
    if request.app.store.is_removal_of_family(id, event).await? {
        return Ok((event, RemovalBeginning::Earlier));
    }
    let detail = "The value must be the id of a family.removed of this family.";
    Err(ApiError::parameter(CONTINUES, detail))
}

fn removed_schema() -> Value {
    let mut schema = document::counted_schema(&json!({
        "clients_removed": "Clients that this call removed.",
        "clients_left": "Clients that another call removes.",
    }));
    schema["properties"]["meta"]["properties"]["removal"] = json!({
        "type": "string",
        "format": "uuid",
        "description": "The `family.removed` of this removal, for `continues`; only if clients are left.",
    });
    schema
}

fn changed_schema() -> Value {
    let mut schema = page::one_schema(&resource_schema());
    let number = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    schema["properties"]["meta"] = json!({
        "type": "object",
        "properties": {
            "is_changed": { "type": "boolean", "description": "Whether the family was not so before." },
            "connections": number("Connections that ended, or would end."),
            "people": number("People who would lose access; only with `dry_run`."),
        },
    });
    schema
}

/// Reads what the body of a change asks for.
fn edit(body: &Value, id: &str) -> Result<FamilyEdit, ApiError> {
    let attributes = page::attributes(body, TYPE, id)?;
    let mut edit = FamilyEdit::default();
    for (name, value) in attributes.into_iter().flatten() {
        let pointer = format!("/data/attributes/{}", crate::json::pointer_step(name));
        match name.as_str() {
            "standing" => {
                let standing = value.as_str().and_then(|text| text.parse().ok());
                let standing = standing
                    .filter(|standing| matches!(standing, Standing::Active | Standing::Suspended));
                let refused =
                    || ApiError::member(&pointer, "The value must be active or suspended.");
                edit.is_suspended = Some(standing.ok_or_else(refused)? == Standing::Suspended);
            }
            "ceiling" if value.is_null() => edit.ceiling = Some(None),
            "ceiling" => edit.ceiling = Some(Some(ceiling(value, &pointer)?)),
            "reason" => edit.reason = Some(remark(value, &pointer)?),
            _ => return Err(ApiError::member(&pointer, "This member cannot be changed.")),
        }
    }
    Ok(edit)
}
