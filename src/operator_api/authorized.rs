//! What the two halves of the documented family share: the resource of an authorization, its included resources, and
//! pages by number.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    clients::{self, Known},
    document::{Answer, link, moment},
    error::ApiError,
    operation::Request,
    query::Parameter,
};
use crate::{app::App, client::ClientIdentifier, store::Authorization};

pub(super) const TYPE: &str = "user_authorized_clients";

pub(super) const SIZE: Parameter =
    Parameter { name: "page[size]", about: "How many at most: 1 to 100; 10 if omitted." };
pub(super) const NUMBER: Parameter =
    Parameter { name: "page[number]", about: "Which page, from 0." };
pub(super) const INCLUDE: Parameter =
    Parameter { name: "include", about: "Related resources to include, separated by commas." };

/// How many authorizations are read at once.
pub(super) const AT_ONCE: usize = 500;

/// A page by its number.
pub(super) struct Numbered {
    size: usize,
    first: usize,
}

impl Numbered {
    pub(super) fn of(request: &Request<'_>) -> Result<Self, ApiError> {
        let size = request.query.number(SIZE.name, 10, 1..=100)?;
        let number = request.query.number(NUMBER.name, 0, 0..=1_000_000_000)?;
        Ok(Self { size, first: size * number })
    }

    /// The part of a list that is the page.
    pub(super) fn of_all<T>(&self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.first).take(self.size).collect()
    }
}

/// The counts of a list.
pub(super) fn counts(all: usize, filtered: usize) -> Value {
    json!({ "page": { "total_count": all, "total_filtered_count": filtered } })
}

/// Included resources, each once.
#[derive(Default)]
pub(super) struct Included {
    wanted: Vec<String>,
    resources: BTreeMap<(&'static str, String), Value>,
}

impl Included {
    /// Reads `include`: only these relationships can be included.
    pub(super) fn of(request: &Request<'_>, known: &[&str]) -> Result<Self, ApiError> {
        let text = request.query.text(INCLUDE.name)?.unwrap_or_default();
        let wanted: Vec<String> =
            text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if let Some(other) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
            let detail = format!("{other} cannot be included; these can: {}.", known.join(", "));
            return Err(ApiError::parameter(INCLUDE.name, detail));
        }
        Ok(Self { wanted, ..Self::default() })
    }

    fn wants(&self, name: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted == name)
    }

    pub(super) fn client(&mut self, app: &App, client: &Known) {
        if self.wants("oauth2_client") {
            self.resources.insert((clients::TYPE, client.id()), client.resource(app));
        }
    }

    pub(super) fn people(&mut self, authorization: &Authorization) {
        if self.wants("user_authorized_clients.user") {
            let Authorization { subject, name, email, .. } = authorization;
            let attributes = json!({
                "name": name,
                "email": email,
                "handle": email.as_ref().unwrap_or(subject),
                "disabled": false,
            });
            let user = json!({ "id": subject, "type": "users", "attributes": attributes });
            self.resources.insert(("users", subject.clone()), user);
        }
    }

    pub(super) fn scopes(&mut self, authorization: &Authorization) {
        if self.wants("oauth2_client.scopes") {
            for scope in authorization.scopes() {
                let resource =
                    json!({ "id": scope, "type": "scopes", "attributes": { "name": scope } });
                self.resources.insert(("scopes", scope.to_owned()), resource);
            }
        }
    }

    /// Adds what is included to a document.
    pub(super) fn add_to(self, mut document: Value) -> Answer {
        if !self.wanted.is_empty() {
            document["included"] = self.resources.into_values().collect();
        }
        Answer::ok(document)
    }
}

/// An authorization as documents show it.
pub(super) fn resource(app: &App, authorization: &Authorization, client: &Known) -> Value {
    let scopes = authorization.scopes();
    let scopes: Vec<Value> =
        scopes.iter().map(|scope| json!({ "type": "scopes", "id": scope })).collect();
    json!({
        "id": authorization.id().to_string(),
        "type": TYPE,
        "attributes": {
            "created_at": moment(Some(authorization.created_at)),
            "modified_at": moment(Some(authorization.modified_at)),
            "last_exercised": moment(authorization.used_at),
            "disabled": false,
            "org_disabled": client.is_suspended(app),
        },
        "relationships": {
            "oauth2_client": link(clients::TYPE, &client.id()),
            "scopes": { "data": scopes },
            "user": link("users", &authorization.subject),
        },
    })
}

/// The schema of [`resource`].
pub(super) fn resource_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["id", "type", "attributes", "relationships"],
        "properties": {
            "id": text,
            "type": { "const": TYPE },
            "attributes": {
                "type": "object",
                "required": ["created_at", "modified_at", "last_exercised", "disabled", "org_disabled"],
                "properties": {
                    "created_at": text,
                    "modified_at": text,
                    "last_exercised": { "type": ["string", "null"] },
                    "disabled": { "type": "boolean" },
                    "org_disabled": { "type": "boolean" },
                },
            },
            "relationships": { "type": "object", "required": ["oauth2_client", "scopes", "user"] },
        },
        "examples": [{
            "id": "6c84fb90-12c4-81d9-b5a1-0a0c3cbd1c05",
            "type": TYPE,
            "attributes": {
                "created_at": "2027-01-15T14:05:00Z",
                "modified_at": "2027-01-15T14:05:00Z",
                "last_exercised": null,
                "disabled": false,
                "org_disabled": false,
            },
            "relationships": {
                "oauth2_client": link(clients::TYPE, "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e"),
                "scopes": { "data": [{ "type": "scopes", "id": "read" }] },
                "user": link("users", "acme:248289761001"),
            },
        }],
    })
}

/// The schema of a page of these resources, or of one.
pub(super) fn document_schema(data: &Value) -> Value {
    let included = json!({ "type": "array", "items": { "type": "object" } });
    json!({ "type": "object", "required": ["data"], "properties": {
        "data": data, "meta": { "type": "object" }, "included": included,
    } })
}

/// The authorizations of a client, by person, as many as `most`, and whether there may be more.
pub(super) async fn of_client(
    request: &Request<'_>,
    client: &ClientIdentifier,
    most: usize,
) -> Result<(Vec<Authorization>, bool), ApiError> {
    let (store, mut all) = (&request.app.store, Vec::new());
    while all.len() < most {
        let after = all.last().map_or("", |last: &Authorization| &last.subject).to_owned();
        let page = store.authorizations_of_client(client, request.now, &after, AT_ONCE).await?;
        if page.is_empty() {
            return Ok((all, false));
        }
        all.extend(page);
    }
    Ok((all, true))
}

/// The authorization of a client with this identifier.
pub(super) async fn find_of_client(
    request: &Request<'_>,
    client: &ClientIdentifier,
    id: &str,
) -> Result<Authorization, ApiError> {
    let (store, mut after) = (&request.app.store, String::new());
    loop {
        let page = store.authorizations_of_client(client, request.now, &after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Err(ApiError::NotFound("authorization")) };
        after.clone_from(&last.subject);
        if let Some(found) = page.into_iter().find(|one| one.id().to_string() == id) {
            return Ok(found);
        }
    }
}
