//! Clients: list, read, change, remove.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    document::{Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page::{self, CURSOR, LIMIT, Page},
    query::Parameter,
};
use crate::{
    admission::{DestinationPattern, Word as _},
    app::App,
    audit::Action,
    client::{ClientId, ClientIdentifier},
    operator::OperatorScope,
    store::{
        ClientEdit, ClientEdited, ClientFilter, ClientFlags, ClientRecord, ClientState,
        DocumentClientId, DocumentClientRecord, Standing,
    },
};

/// The type of a client in documents.
pub(super) const TYPE: &str = "oauth2_clients";

/// `GET /api/v2/oauth2/clients`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "listOAuth2Clients",
    summary: "List clients in the order of their registration, then clients with a metadata document.",
    parameters: &[
        Parameter { name: "filter[name]", about: "Part of the name, in upper or lower case." },
        Parameter {
            name: "filter[standing]",
            about: "`active`, `pending`, `suspended`, or `dormant`.",
        },
        Parameter {
            name: "filter[profile]",
            about: "`datadog` or `rfc7591` for the endpoint at which the client registered, or `document`.",
        },
        Parameter { name: "filter[flag]", about: "`look_alike`." },
        Parameter {
            name: "filter[registered][from]",
            about: "Registered, or first allowed, at this time or later (RFC 3339).",
        },
        Parameter {
            name: "filter[registered][until]",
            about: "Registered, or first allowed, before this time.",
        },
        Parameter {
            name: DESTINATION,
            about: "With a redirect URI that leads to this host, `*.host`, `loopback`, or `scheme:NAME`.",
        },
        Parameter { name: "filter[family]", about: "Of this family: a UUID." },
        Parameter {
            name: "filter[source]",
            about: "Registered from this network, such as `192.0.2.0/24`.",
        },
        Parameter {
            name: "filter[used][from]",
            about: "Last used at this time or later (RFC 3339).",
        },
        Parameter { name: "filter[used][until]", about: "Last used before this time." },
        Parameter { name: "filter[unused]", about: "`true` for clients that were never used." },
        CURSOR,
        LIMIT,
    ],
    body: None,
    schema: Some(|| page::schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

/// `GET /api/v2/oauth2/clients/{client_id}`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "getOAuth2Client",
    summary: "Read a client. `ETag` is its version, for `If-Match`.",
    parameters: &[],
    body: None,
    schema: Some(
        || json!({ "type": "object", "required": ["data"], "properties": { "data": resource_schema() } }),
    ),
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(read),
};

/// `PATCH /api/v2/oauth2/clients/{client_id}`
pub(crate) const CHANGE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "updateOAuth2Client",
    summary: "Change the standing or the note of a client, only in the version that `If-Match` names, if it is sent.",
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

/// `DELETE /api/v2/oauth2/clients/{client_id}`
pub(crate) const REMOVE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "deleteOAuth2Client",
    summary: "Remove a client and end every grant that people gave it.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[
        StatusCode::BAD_REQUEST,
        StatusCode::NOT_FOUND,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::UNPROCESSABLE_ENTITY,
    ],
    handler: handler!(remove),
};

/// A client that the store knows, of either kind.
pub(super) enum Known {
    Registered(ClientRecord),
    Document(DocumentClientRecord),
}

impl Known {
    /// The client that a path names by its UUID.
    pub(super) async fn find(app: &App, id: &str, name: &str) -> Result<Self, ApiError> {
        let client_id: ClientId =
            id.parse().map_err(|_| ApiError::parameter(name, "The value must be a UUID."))?;
        if let Some(client) = app.store.client(client_id).await? {
            return Ok(Self::Registered(client));
        }
        let id = DocumentClientId::from_bytes(*client_id.as_bytes());
        let found = app.store.document_client_by_id(id).await?;
        found.map(Self::Document).ok_or(ApiError::NotFound("client"))
    }

    /// The client that a grant names; `None` after its removal.
    pub(super) async fn named(
        app: &App,
        client: &ClientIdentifier,
    ) -> Result<Option<Self>, ApiError> {
        Ok(match client {
            ClientIdentifier::Registered(id) => app.store.client(*id).await?.map(Self::Registered),
            ClientIdentifier::Document(url) => {
                app.store.document_client(url).await?.map(Self::Document)
            }
        })
    }

    /// Its identifier in documents: a UUID.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Registered(client) => client.client_id.to_string(),
            Self::Document(client) => client.document_client_id.to_string(),
        }
    }

    pub(super) fn identifier(&self) -> Result<ClientIdentifier, ApiError> {
        match self {
            Self::Registered(client) => Ok(client.client_id.into()),
            Self::Document(client) => client.url.parse().map_err(|_| ApiError::NotFound("client")),
        }
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.state().standing == Standing::Suspended
    }

    pub(super) const fn state(&self) -> &ClientState {
        match self {
            Self::Registered(client) => &client.state,
            Self::Document(client) => &client.state,
        }
    }

    fn metadata(&self) -> Value {
        let text = match self {
            Self::Registered(client) => &client.metadata,
            Self::Document(client) => &client.metadata,
        };
        serde_json::from_str(text).unwrap_or_default()
    }

    /// What it calls itself.
    pub(super) fn name(&self) -> Option<String> {
        self.metadata()["client_name"].as_str().map(str::to_owned)
    }

    /// As documents show it.
    pub(super) fn resource(&self) -> Value {
        let metadata = self.metadata();
        let mut attributes = match self {
            Self::Registered(client) => json!({
                "client_id": client.client_id.to_string(),
                "profile": client.profile.as_str(),
                "registered_at": moment(Some(client.issued_at)),
                "source": client.source.map(|source| source.to_string()),
                "flags": client.flags.names(),
            }),
            Self::Document(client) => json!({
                "client_id": client.url,
                "profile": DOCUMENT,
                "registered_at": moment(Some(client.first_allowed_at)),
                "source": null,
                "flags": [],
            }),
        };
        let ClientState { standing, standing_at, used_at, note, ceiling } = self.state();
        attributes["name"] = metadata["client_name"].clone();
        attributes["standing"] = standing.as_str().into();
        attributes["standing_at"] = moment(*standing_at);
        attributes["used_at"] = moment(*used_at);
        attributes["note"] = note.clone().into();
        attributes["ceiling"] = json!(ceiling);
        attributes["metadata"] = metadata;
        json!({ "id": self.id(), "type": TYPE, "attributes": attributes })
    }
}

/// The profile of clients that did not register.
const DOCUMENT: &str = "document";

fn resource_schema() -> Value {
    let text = json!({ "type": "string" });
    let optional = json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "type": { "const": TYPE },
            "attributes": {
                "type": "object",
                "required": ["client_id", "name", "profile", "registered_at", "standing", "metadata"],
                "properties": {
                    "client_id": text,
                    "name": optional,
                    "profile": { "enum": ["datadog", "rfc7591", DOCUMENT] },
                    "registered_at": text,
                    "source": optional,
                    "flags": { "type": "array", "items": text },
                    "standing": { "enum": Standing::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>() },
                    "standing_at": optional,
                    "used_at": optional,
                    "note": optional,
                    "ceiling": {
                        "type": ["object", "null"],
                        "description": "`only` or `except` with the scopes that the client may, or may not, hold.",
                    },
                    "metadata": { "type": "object", "description": "RFC 7591 members." },
                },
            },
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
                        "description": "`active` approves a pending client or resumes a suspended one; \
                            `suspended` ends every grant.",
                    },
                    "note": { "type": ["string", "null"], "description": "One line; null removes it." },
                    "reason": { "type": "string", "description": "Why, for the audit event." },
                } },
            },
        } },
    })
}

/// Which clients a list shows.
struct Filter {
    registered: ClientFilter,
    /// Whether clients of each kind can pass.
    shows_registered: bool,
    shows_documents: bool,
}

impl Filter {
    fn of(request: &Request<'_>) -> Result<Self, ApiError> {
        let query = &request.query;
        let profile = query.text("filter[profile]")?;
        let is_document = profile == Some(DOCUMENT);
        let profile = if is_document {
            None
        } else {
            query.parsed("filter[profile]", "datadog, rfc7591, or document")?
        };
        let flags = match query.text("filter[flag]")? {
            None => ClientFlags::default(),
            Some("look_alike") => ClientFlags::LOOK_ALIKE,
            Some(_) => {
                return Err(ApiError::parameter("filter[flag]", "The value must be look_alike."));
            }
        };
        let registered = ClientFilter {
            profile,
            flags,
            issued_from: query.moment("filter[registered][from]")?,
            issued_until: query.moment("filter[registered][until]")?,
            standing: query.parsed("filter[standing]", "active, pending, suspended, or dormant")?,
            name_contains: query.text("filter[name]")?.map(str::to_owned),
            destination: destination(DESTINATION, query.text(DESTINATION)?)?,
            family: query.parsed("filter[family]", "a UUID")?,
            source: query.parsed("filter[source]", "a network, such as 192.0.2.0/24")?,
            used_from: query.moment("filter[used][from]")?,
            used_until: query.moment("filter[used][until]")?,
            is_unused: query.boolean("filter[unused]")?.unwrap_or(false),
        };
        let shows_documents = registered.profile.is_none();
        Ok(Self { registered, shows_registered: !is_document, shows_documents })
    }
}

const DESTINATION: &str = "filter[destination]";

/// The destination that the parameter `name` selects by.
pub(super) fn destination(
    name: &str,
    text: Option<&str>,
) -> Result<Option<DestinationPattern>, ApiError> {
    let refused = |_| {
        let expected = DestinationPattern::EXPECTED;
        ApiError::parameter(name, format!("The value must be {expected}."))
    };
    text.map(DestinationPattern::parse).transpose().map_err(refused)
}

/// Where a page of clients begins: after a registered client, or after one with a document.
enum Place {
    Registered(Option<ClientId>),
    Document(Option<String>),
}

impl Place {
    fn of(cursor: Option<&str>) -> Result<Self, ApiError> {
        let Some(cursor) = cursor else { return Ok(Self::Registered(None)) };
        if let Ok(id) = cursor.parse() {
            return Ok(Self::Registered(Some(id)));
        }
        if cursor.starts_with("https://") {
            return Ok(Self::Document(Some(cursor.to_owned())));
        }
        Err(page::bad_cursor())
    }
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&request)?;
    let filter = Filter::of(&request)?;
    let mut place = Place::of(page.cursor)?;
    let mut found = Vec::new();
    while found.len() <= page.limit {
        let wanted = page.limit + 1 - found.len();
        place = match place {
            Place::Registered(after) if filter.shows_registered => {
                let clients = request.app.store.clients(&filter.registered, after, wanted).await?;
                let last = clients.last().map(|client| client.client_id);
                found.extend(clients.into_iter().map(Known::Registered));
                last.map_or(Place::Document(None), |last| Place::Registered(Some(last)))
            }
            Place::Registered(_) => Place::Document(None),
            Place::Document(_) if !filter.shows_documents => break,
            Place::Document(after) => {
                let store = &request.app.store;
                let filter = &filter.registered;
                let clients =
                    store.document_clients_behind(filter, after.as_deref(), wanted).await?;
                let Some(last) = clients.last().map(|client| client.url.clone()) else { break };
                found.extend(clients.into_iter().map(Known::Document));
                Place::Document(Some(last))
            }
        };
    }
    let cursor = |client: &Known| match client {
        Known::Registered(client) => client.client_id.to_string(),
        Known::Document(client) => client.url.clone(),
    };
    Ok(page.answer(&request, found, cursor, Known::resource))
}

/// The parameter of the path.
pub(super) const CLIENT_ID: &str = "client_id";

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    let client = Known::find(request.app, &request.path(CLIENT_ID)?, CLIENT_ID).await?;
    Ok(Answer::one(&client.resource()).tagged(&client.state().version()))
}

async fn change(request: Request<'_>) -> Result<Answer, ApiError> {
    let id = request.path(CLIENT_ID)?;
    let client = Known::find(request.app, &id, CLIENT_ID).await?;
    let edit = edit(&request.body, &client.id())?;
    let edited = request
        .app
        .store
        .edit_client(&client.identifier()?, edit, request.versions(), request.author())
        .await?;
    match edited {
        ClientEdited::Now => {
            let client = Known::find(request.app, &id, CLIENT_ID).await?;
            Ok(Answer::one(&client.resource()).tagged(&client.state().version()))
        }
        ClientEdited::Superseded => Err(ApiError::Superseded),
        ClientEdited::Is(standing) => Err(ApiError::Unprocessable {
            pointer: "/data/attributes/standing",
            detail: format!("A client that is {standing} cannot get this standing."),
        }),
        ClientEdited::NotThere => Err(ApiError::NotFound("client")),
    }
}

/// The longest note or reason, in characters.
const REMARK_CHARS_MAX: usize = 500;

/// Reads what the body of a change asks for.
fn edit(body: &Value, id: &str) -> Result<ClientEdit, ApiError> {
    let attributes = page::attributes(body, TYPE, id)?;
    let mut edit = ClientEdit::default();
    for (name, value) in attributes.into_iter().flatten() {
        let pointer = format!("/data/attributes/{}", crate::json::pointer_step(name));
        match name.as_str() {
            "standing" => {
                let standing = value.as_str().and_then(|text| text.parse().ok());
                let standing = standing
                    .filter(|standing| matches!(standing, Standing::Active | Standing::Suspended));
                let refused =
                    || ApiError::member(&pointer, "The value must be active or suspended.");
                edit.standing = Some(standing.ok_or_else(refused)?);
            }
            "note" if value.is_null() => edit.note = Some(None),
            "note" => edit.note = Some(Some(remark(value, &pointer)?)),
            "reason" => edit.reason = Some(remark(value, &pointer)?),
            _ => return Err(ApiError::member(&pointer, "This member cannot be changed.")),
        }
    }
    Ok(edit)
}

/// One line that an operator wrote.
pub(super) fn remark(value: &Value, pointer: &str) -> Result<String, ApiError> {
    let text = value.as_str().unwrap_or_default().trim();
    if text.is_empty()
        || text.chars().count() > REMARK_CHARS_MAX
        || text.chars().any(char::is_control)
    {
        let detail =
            format!("The value must be one line of at most {REMARK_CHARS_MAX} characters.");
        return Err(ApiError::member(pointer, detail));
    }
    Ok(text.to_owned())
}

async fn remove(request: Request<'_>) -> Result<Answer, ApiError> {
    let client = Known::find(request.app, &request.path(CLIENT_ID)?, CLIENT_ID).await?;
    let Known::Registered(client) = client else {
        let detail = "A client with a metadata document cannot be removed: suspend it.".to_owned();
        return Err(ApiError::Unprocessable { pointer: "", detail });
    };
    let removed = request
        .app
        .store
        .remove_unchanged_client(
            client.client_id,
            request.versions(),
            (Action::ClientRemoved, "by_operator"),
            request.author(),
        )
        .await?;
    match removed {
        ClientEdited::Now => Ok(Answer::nothing()),
        ClientEdited::Superseded => Err(ApiError::Superseded),
        ClientEdited::Is(_) | ClientEdited::NotThere => Err(ApiError::NotFound("client")),
    }
}
