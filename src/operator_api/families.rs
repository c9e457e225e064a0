//! Families: list, read, change.

use http::StatusCode;
use serde_json::{Value, json};

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
    family::{FamilyId, FamilyKey},
    operator::OperatorScope,
    store::{
        FamilyEdit, FamilyEdited, FamilyFilter, FamilyOrder, FamilyPlace, FamilyRecord, Standing,
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
    parameters: &[],
    body: Some(change_schema),
    schema: READ.schema,
    refusals: &[
        StatusCode::BAD_REQUEST,
        StatusCode::NOT_FOUND,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::UNPROCESSABLE_ENTITY,
    ],
    handler: handler!(change),
};

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
    json!({
        "type": "object",
        "required": ["data"],
        "properties": { "data": {
            "type": "object",
            "required": ["id", "type"],
            "properties": {
                "id": { "type": "string", "format": "uuid" },
                "type": { "const": TYPE },
                "attributes": { "type": "object", "properties": {
                    "standing": {
                        "enum": ["active", "suspended"],
                        "description": "`suspended` ends every grant of its clients, and no one can allow one of them, \
                            whenever it registers; `active` resumes a suspended family.",
                    },
                    "ceiling": ceiling_schema("Ends every grant with another scope; null lifts it."),
                    "reason": { "type": "string", "description": "Why, for the audit event." },
                } },
            },
        } },
        "examples": [{ "data": {
            "id": "3c1f5d43-6a2e-8b1d-9c55-0d7a5be2f0aa",
            "type": TYPE,
            "attributes": { "standing": "suspended", "reason": "Ticket 4711" },
        } }],
    })
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
    let store = &request.app.store;
    match store.edit_family(id, edit, request.author(), &|_, _| {}).await? {
        FamilyEdited::Now { .. } => {}
        FamilyEdited::Superseded => return Err(ApiError::Superseded),
        FamilyEdited::NotThere => return Err(ApiError::NotFound("family")),
    }
    request.app.families.refresh(&request.app.store).await?;
    document(&request, id).await
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
