//! Clients: read, change, remove.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    document::{self, Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page,
};
use crate::{
    admission::{Label, Word as _},
    app::App,
    audit::{self, Action},
    ceiling::Ceiling,
    client::{ClientId, ClientIdentifier, Scope},
    operator::OperatorScope,
    store::{
        ClientEdit, ClientEdited, ClientRecord, ClientState, DocumentClientId,
        DocumentClientRecord, Standing,
    },
};

/// The type of a client in documents.
pub(super) const TYPE: &str = "oauth2_clients";

/// `GET /api/v2/oauth2/clients/{client_id}`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "getOAuth2Client",
    summary: "Read a client. `ETag` is its version, for `If-Match`.",
    parameters: &[],
    body: None,
    schema: Some(|| page::one_schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(read),
};

/// `PATCH /api/v2/oauth2/clients/{client_id}`
pub(crate) const CHANGE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "updateOAuth2Client",
    summary: "Change the standing, note, label, or ceiling of a client, only in the version that `If-Match` names, if it is sent.",
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

    /// Whether people are kept from it, by its own standing or that of its family.
    pub(super) fn is_suspended(&self, app: &App) -> bool {
        self.effective_standing(app) == Standing::Suspended
    }

    pub(super) const fn state(&self) -> &ClientState {
        match self {
            Self::Registered(client) => &client.state,
            Self::Document(client) => &client.state,
        }
    }

    fn metadata_text(&self) -> &str {
        match self {
            Self::Registered(client) => &client.metadata,
            Self::Document(client) => &client.metadata,
        }
    }

    fn metadata(&self) -> Value {
        serde_json::from_str(self.metadata_text()).unwrap_or_default()
    }

    /// The standing that holds, as this node knows it: that of a suspended family goes before its own.
    fn effective_standing(&self, app: &App) -> Standing {
        app.families.state_of_stored(self.metadata_text(), self.state().clone()).standing
    }

    /// What it calls itself.
    pub(super) fn name(&self) -> Option<String> {
        self.metadata()["client_name"].as_str().map(str::to_owned)
    }

    /// As documents show it.
    pub(super) fn resource(&self, app: &App) -> Value {
        let metadata = self.metadata();
        let mut attributes = match self {
            Self::Registered(client) => json!({
                "client_id": client.client_id.to_string(),
                "profile": client.profile.as_str(),
                "registered_at": moment(Some(client.issued_at)),
                "source": client.source.map(|source| source.to_string()),
                "flags": client.flags.names(),
                "registered_by": client.registration.registered_by,
                "changed_at": moment(client.registration.changed_at),
                "generation": client.registration.generation.number(),
            }),
            Self::Document(client) => json!({
                "client_id": client.url,
                "profile": DOCUMENT,
                "registered_at": moment(Some(client.first_allowed_at)),
                "source": null,
                "flags": [],
                "allowed_at": moment(Some(client.allowed_at)),
            }),
        };
        let ClientState { standing, standing_at, used_at, note, ceiling, terms } = self.state();
        attributes["name"] = metadata["client_name"].clone();
        attributes["standing"] = standing.as_str().into();
        attributes["effective_standing"] = self.effective_standing(app).as_str().into();
        attributes["standing_at"] = moment(*standing_at);
        attributes["used_at"] = moment(*used_at);
        attributes["note"] = note.clone().into();
        attributes["ceiling"] = json!(ceiling);
        attributes["label"] = json!(terms.label);
        attributes["rule_ceiling"] = json!(terms.ceiling);
        attributes["expires_at"] = moment(terms.expires_at);
        attributes["metadata"] = metadata;
        json!({ "id": self.id(), "type": TYPE, "attributes": attributes })
    }
}

/// The profile of clients that did not register.
pub(super) const DOCUMENT: &str = "document";

pub(super) fn resource_schema() -> Value {
    let text = json!({ "type": "string" });
    let optional = json!({ "type": ["string", "null"] });
    let properties = json!({
        "client_id": text,
        "name": optional,
        "profile": { "enum": ["datadog", "rfc7591", DOCUMENT] },
        "registered_at": text,
        "source": optional,
        "flags": { "type": "array", "items": text },
        "registered_by": {
            "type": ["string", "null"],
            "description": "The operator or the initial access token that vouches for it.",
        },
        "changed_at": { "type": ["string", "null"], "description": "When the client last changed its metadata." },
        "generation": {
            "type": "integer",
            "description": "Of the registration access token; absent for a client with a document.",
        },
        "allowed_at": {
            "type": "string",
            "description": "When a person last allowed a client with a document; absent for others.",
        },
        "standing": {
            "enum": Standing::ALL.iter().map(|it| it.as_str()).chain([REJECTED]).collect::<Vec<_>>(),
            "description": "`rejected` only in the answer to the change that removes the client.",
        },
        "effective_standing": {
            "enum": Standing::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>(),
            "description": "The standing that holds: `suspended` if the family of the client is, else its own.",
        },
        "standing_at": optional,
        "used_at": optional,
        "note": optional,
        "ceiling": ceiling_schema("Set by an operator."),
        "label": optional,
        "rule_ceiling": ceiling_schema("Set by the admission rule that let it in."),
        "expires_at": { "type": ["string", "null"], "description": "When a rule has it removed." },
        "metadata": { "type": "object", "description": "RFC 7591 members." },
    });
    let mut schema = document::resource_schema(
        TYPE,
        &[
            "client_id",
            "name",
            "profile",
            "registered_at",
            "standing",
            "effective_standing",
            "metadata",
        ],
        &properties,
    );
    schema["examples"] = json!([example()]);
    schema
}

fn example() -> Value {
    json!({
        "id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
        "type": TYPE,
        "attributes": {
            "client_id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
            "name": "Claude Code",
            "profile": "rfc7591",
            "registered_at": "2027-01-15T14:05:00Z",
            "source": "192.0.2.7",
            "flags": [],
            "standing": "active",
            "effective_standing": "active",
            "used_at": "2027-01-16T08:00:00Z",
            "note": "Ask the vendor",
            "ceiling": { "except": ["admin"] },
            "metadata": {
                "client_name": "Claude Code",
                "redirect_uris": ["http://localhost/callback"],
            },
        },
    })
}

/// The schema of a ceiling.
pub(super) fn ceiling_schema(about: &str) -> Value {
    let scopes = json!({ "type": "array", "items": { "type": "string" } });
    json!({
        "type": ["object", "null"],
        "description": format!(
            "`only` with the scopes that may be held, scopes that the catalogue gains later not among them, or `except` \
             with those that may not. {about}"
        ),
        "properties": { "only": scopes, "except": scopes },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
    })
}

fn change_schema() -> Value {
    let id = json!({ "type": "string", "format": "uuid" });
    let attributes = json!({ "type": "object", "properties": {
        "standing": {
            "enum": ["active", "suspended", REJECTED],
            "description": "`active` approves a pending client or resumes a suspended one; \
                `suspended` ends every grant; `rejected` removes a pending client.",
        },
        "note": { "type": ["string", "null"], "description": "One line; null removes it." },
        "label": {
            "type": ["string", "null"],
            "description": "To find the client by, in place of the label that an admission rule gave it; null removes it.",
        },
        "ceiling": ceiling_schema("A grant with another scope ends; null lifts the bound."),
        "reason": { "type": "string", "description": "Why, for the audit event." },
    } });
    let example = json!({
        "id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
        "type": TYPE,
        "attributes": { "standing": "suspended", "reason": "Ticket 4711" },
    });
    document::body_schema(TYPE, &id, &attributes, &example)
}

/// The parameter of the path.
pub(super) const CLIENT_ID: &str = "client_id";

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    let client = Known::find(request.app, &request.path(CLIENT_ID)?, CLIENT_ID).await?;
    Ok(Answer::one(&client.resource(request.app)).tagged(&client.state().version()))
}

async fn change(request: Request<'_>) -> Result<Answer, ApiError> {
    let id = request.path(CLIENT_ID)?;
    let client = Known::find(request.app, &id, CLIENT_ID).await?;
    let Edit { edit, is_rejection } = edit(&request.body, &client.id())?;
    let (store, identifier) = (&request.app.store, client.identifier()?);
    let (versions, author) = (request.versions(), request.author());
    let edited = if is_rejection {
        let reason = edit.reason.as_deref().unwrap_or("by_operator");
        store.reject_unchanged_client(&identifier, versions, reason, author).await?
    } else {
        store.edit_client(&identifier, edit, versions, author).await?
    };
    match edited {
        ClientEdited::Now if is_rejection => {
            let mut resource = client.resource(request.app);
            resource["attributes"]["standing"] = REJECTED.into();
            Ok(Answer::one(&resource))
        }
        ClientEdited::Now => {
            let client = Known::find(request.app, &id, CLIENT_ID).await?;
            Ok(Answer::one(&client.resource(request.app)).tagged(&client.state().version()))
        }
        ClientEdited::Superseded => Err(ApiError::Superseded),
        ClientEdited::Is(standing) => Err(ApiError::Unprocessable {
            pointer: "/data/attributes/standing",
            detail: format!("A client that is {standing} cannot get this standing."),
        }),
        ClientEdited::NotThere => Err(ApiError::NotFound("client")),
    }
}

/// The standing of a client that was pending and is removed.
const REJECTED: &str = "rejected";

/// What the body of a change asks for.
struct Edit {
    edit: ClientEdit,
    /// Whether the client is rejected; nothing else is changed then.
    is_rejection: bool,
}

/// Reads what the body of a change asks for.
fn edit(body: &Value, id: &str) -> Result<Edit, ApiError> {
    let attributes = page::attributes(body, TYPE, id)?;
    let mut edit = ClientEdit::default();
    let mut is_rejection = false;
    for (name, value) in attributes.into_iter().flatten() {
        let pointer = format!("/data/attributes/{}", crate::json::pointer_step(name));
        match name.as_str() {
            "standing" if value == REJECTED => is_rejection = true,
            "standing" => {
                let standing = value.as_str().and_then(|text| text.parse().ok());
                let standing = standing
                    .filter(|standing| matches!(standing, Standing::Active | Standing::Suspended));
                let refused = || {
                    ApiError::member(&pointer, "The value must be active, suspended, or rejected.")
                };
                edit.standing = Some(standing.ok_or_else(refused)?);
            }
            "note" if value.is_null() => edit.note = Some(None),
            "note" => edit.note = Some(Some(remark(value, &pointer)?)),
            "label" if value.is_null() => edit.label = Some(None),
            "label" => edit.label = Some(Some(label(value, &pointer)?)),
            "ceiling" if value.is_null() => edit.ceiling = Some(None),
            "ceiling" => edit.ceiling = Some(Some(ceiling(value, &pointer)?)),
            "reason" => edit.reason = Some(remark(value, &pointer)?),
            _ => return Err(ApiError::member(&pointer, "This member cannot be changed.")),
        }
    }
    let changes_more = edit.note.is_some() || edit.label.is_some() || edit.ceiling.is_some();
    if is_rejection && changes_more {
        let detail = "A client that is rejected is removed: nothing else of it can be changed.";
        return Err(ApiError::member("/data/attributes", detail));
    }
    Ok(Edit { edit, is_rejection })
}

/// Reads a ceiling: one member, `only` or `except`, with scopes.
pub(super) fn ceiling(value: &Value, pointer: &str) -> Result<Ceiling, ApiError> {
    let is_scope = |token: &String| {
        let scope = Scope::parse(token).ok().flatten();
        scope.is_some_and(|scope| scope.tokens().eq([token.as_str()]))
    };
    let ceiling = serde_json::from_value(value.clone()).ok().filter(|ceiling| match ceiling {
        Ceiling::Only(tokens) | Ceiling::Except(tokens) => tokens.iter().all(is_scope),
    });
    ceiling.ok_or_else(|| {
        let detail = "The value must be an object with only or except, a list of scopes.";
        ApiError::member(pointer, detail)
    })
}

/// One line that an operator wrote.
pub(super) fn remark(value: &Value, pointer: &str) -> Result<String, ApiError> {
    let read = audit::remark(value.as_str().unwrap_or_default());
    read.map_err(|expected| ApiError::member(pointer, format!("The value must be {expected}.")))
}

/// A label, as admission rules give it.
fn label(value: &Value, pointer: &str) -> Result<String, ApiError> {
    let label = value.as_str().and_then(|text| Label::parse(text).ok());
    let expected = Label::EXPECTED;
    let label =
        label.ok_or_else(|| ApiError::member(pointer, format!("The value must be {expected}.")));
    label.map(|label| label.text())
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
