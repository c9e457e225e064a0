//! Clients as the operator API lists and shows them.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    effective,
    known::{Known, Record},
    line::parse_flag,
    list::ByUse,
    listing::Listing,
};
use crate::{
    admission::Word,
    ceiling::Ceiling,
    cli::{
        exit::Failure,
        remote::{Collection, Query, Read, Server, attributes, moment, moment_or_none},
    },
    client::{ClientIdentifier, ClientMetadata},
    clock::Timestamp,
    json, paths,
    store::{
        ClientEdited, ClientFilter, ClientFlags, ClientRecord, ClientRegistration, ClientState,
        ClientTerms, DocumentClientRecord, Generation, Standing,
    },
};

/// How many clients the API lists at once.
const PAGE_MAX: usize = 100;

pub(super) const REGISTERED: Collection<ClientRecord> = Collection {
    path: paths::CLIENTS,
    query,
    // Clients with a document follow the registered ones.
    read: |resource| (!is_document(resource)).then(|| registered(resource)),
    page_max: PAGE_MAX,
};

pub(super) const BY_USE: Collection<ByUse> = Collection {
    path: paths::CLIENTS,
    query: |filter| [query(filter), vec![("sort", "-used_at".to_owned())]].concat(),
    read: |resource| Some(registered(resource).map(ByUse)),
    page_max: PAGE_MAX,
};

pub(super) const DOCUMENTS: Collection<DocumentClientRecord> = Collection {
    path: paths::CLIENTS,
    query: |filter| [query(filter), vec![("filter[profile]", DOCUMENT.to_owned())]].concat(),
    read: |resource| Some(document(resource)),
    page_max: PAGE_MAX,
};

pub(super) const BOTH: Collection<Listing> = Collection {
    path: paths::CLIENTS,
    query,
    read: |resource| {
        Some(if is_document(resource) {
            document(resource).and_then(|client| {
                let url = client.url.parse().map_err(|_| "client_id is no URL".to_owned())?;
                Ok(Listing::Document(url, client))
            })
        } else {
            registered(resource).map(Listing::Registered)
        })
    },
    page_max: PAGE_MAX,
};

/// The profile of clients with a document.
const DOCUMENT: &str = "document";

/// The filter as the list takes it.
fn query(filter: &ClientFilter) -> Query {
    let ClientFilter {
        profile,
        flags,
        issued_from,
        issued_until,
        standing,
        name_contains,
        destination,
        family,
        label,
        source,
        used_from,
        used_until,
        is_unused,
    } = filter;
    let time = |at: &Option<Timestamp>| at.map(Timestamp::to_rfc3339);
    let has_flag = flags.contains(ClientFlags::LOOK_ALIKE).then(|| "look_alike".to_owned());
    let parameters = [
        ("filter[profile]", profile.map(|profile| profile.as_str().to_owned())),
        ("filter[flag]", has_flag.filter(|_| *flags != ClientFlags::default())),
        ("filter[registered][from]", time(issued_from)),
        ("filter[registered][until]", time(issued_until)),
        ("filter[standing]", standing.map(|standing| standing.to_string())),
        ("filter[name]", name_contains.clone()),
        ("filter[destination]", destination.as_ref().map(Word::text)),
        ("filter[family]", family.map(|family| family.to_string())),
        ("filter[label]", label.clone()),
        ("filter[source]", source.map(|source| source.to_string())),
        ("filter[used][from]", time(used_from)),
        ("filter[used][until]", time(used_until)),
        ("filter[unused]", is_unused.then(|| "true".to_owned())),
    ];
    parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[derive(Deserialize)]
struct Attributes {
    client_id: String,
    profile: String,
    #[serde(deserialize_with = "moment")]
    registered_at: Timestamp,
    source: Option<IpAddr>,
    flags: Vec<String>,
    standing: String,
    #[serde(default, deserialize_with = "moment_or_none")]
    standing_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment_or_none")]
    used_at: Option<Timestamp>,
    note: Option<String>,
    ceiling: Option<Ceiling>,
    label: Option<String>,
    rule_ceiling: Option<Ceiling>,
    #[serde(default, deserialize_with = "moment_or_none")]
    expires_at: Option<Timestamp>,
    registered_by: Option<String>,
    #[serde(default, deserialize_with = "moment_or_none")]
    changed_at: Option<Timestamp>,
    #[serde(default)]
    generation: u64,
    #[serde(default, deserialize_with = "moment_or_none")]
    allowed_at: Option<Timestamp>,
    metadata: Value,
}

impl Attributes {
    fn state(&self) -> Read<ClientState> {
        Ok(ClientState {
            standing: self.standing.parse().map_err(|()| unknown("standing"))?,
            standing_at: self.standing_at,
            used_at: self.used_at,
            note: self.note.clone(),
            ceiling: self.ceiling.clone(),
            terms: ClientTerms {
                label: self.label.clone(),
                ceiling: self.rule_ceiling.clone(),
                expires_at: self.expires_at,
            },
        })
    }
}

fn unknown(member: &str) -> String {
    format!("{member} is unknown")
}

fn is_document(resource: &Value) -> bool {
    resource["attributes"]["profile"] == DOCUMENT
}

fn registered(resource: &Value) -> Read<ClientRecord> {
    let client: Attributes = attributes(resource)?;
    let mut flags = ClientFlags::default();
    for name in &client.flags {
        flags.insert(parse_flag(name).ok_or_else(|| unknown("flag"))?);
    }
    Ok(ClientRecord {
        client_id: client.client_id.parse().map_err(|_| unknown("client_id"))?,
        issued_at: client.registered_at,
        profile: client.profile.parse().map_err(|()| unknown("profile"))?,
        source: client.source,
        flags,
        metadata: stored_form(&client.metadata),
        state: client.state()?,
        registration: ClientRegistration {
            generation: Generation::new(client.generation),
            changed_at: client.changed_at,
            registered_by: client.registered_by,
        },
    })
}

/// Metadata in the order of members in which registrations store it.
fn stored_form(metadata: &Value) -> String {
    let text = metadata.to_string();
    match json::read(text.as_bytes()) {
        Ok(members) => ClientMetadata::read(&members, &mut Vec::new()).document(),
        Err(_) => text,
    }
}

fn document(resource: &Value) -> Read<DocumentClientRecord> {
    let client: Attributes = attributes(resource)?;
    let id = resource["id"].as_str().and_then(|id| id.parse().ok());
    Ok(DocumentClientRecord {
        document_client_id: id.ok_or_else(|| unknown("id"))?,
        first_allowed_at: client.registered_at,
        allowed_at: client.allowed_at.ok_or_else(|| unknown("allowed_at"))?,
        metadata: client.metadata.to_string(),
        state: client.state()?,
        url: client.client_id,
    })
}

impl Known {
    /// The client as the server shows it.
    pub(super) fn find_at(
        server: &Server,
        identifier: &ClientIdentifier,
    ) -> Result<Option<Self>, Failure> {
        let query = [("filter[client_id]", identifier.to_string())];
        let found = server.get(paths::CLIENTS, &query)?.done()?;
        let Some(resource) = found["data"].get(0) else { return Ok(None) };
        let record = if is_document(resource) {
            document(resource).map(Record::Document)
        } else {
            registered(resource).map(Record::Registered)
        };
        let record = record.map_err(|reason| server.unreadable(&reason))?;
        let effective_standing = effective::of_resource(resource, record.state().standing);
        Ok(Some(Self { identifier: identifier.clone(), record, effective_standing }))
    }

    /// Changes attributes of the client if `admits` admits its standing, in the version that has this standing.
    pub(super) fn change_at(
        &self,
        server: &Server,
        attributes: &Value,
        admits: impl FnOnce(Standing) -> bool,
    ) -> Result<ClientEdited, Failure> {
        let id = match &self.record {
            Record::Registered(client) => client.client_id.to_string(),
            Record::Document(client) => client.document_client_id.to_string(),
        };
        let path = format!("{}/{id}", paths::CLIENTS);
        let seen = server.get(&path, &[])?;
        if seen.is_missing() {
            return Ok(ClientEdited::NotThere);
        }
        let etag = seen.etag.clone();
        let standing = seen.done()?["data"]["attributes"]["standing"].as_str().map(str::parse);
        let Some(Ok(standing)) = standing else {
            return Err(server.unreadable(&unknown("standing")));
        };
        if !admits(standing) {
            return Ok(ClientEdited::Is(standing));
        }
        let body =
            json!({ "data": { "id": id, "type": "oauth2_clients", "attributes": attributes } });
        let reply = server.patch(&path, etag, &body)?;
        if reply.is_missing() {
            return Ok(ClientEdited::NotThere);
        }
        reply.done().map(|_| ClientEdited::Now)
    }
}
