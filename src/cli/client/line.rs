//! A client as one JSON object: what `list` and `get` show, what `export` writes and `import` reads.
//! The form is a promise to whoever keeps an export; it loses nothing that the record holds.

use std::{borrow::Cow, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use crate::{
    ceiling::Ceiling,
    cli::{exit::Failure, time},
    client::{ClientId, ClientMetadata, ProfileName},
    clock::Timestamp,
    json,
    store::{
        ClientFlags, ClientRecord, ClientRegistration, ClientState, ClientTerms,
        DocumentClientRecord, Generation, Standing,
    },
};

/// 9999-12-31T23:59:59.999Z, the last moment that RFC 3339 can write.
const ISSUED_AT_MAX: Timestamp = Timestamp::from_millis(253_402_300_799_999);

/// The members of a line. Names of RFC 7591 where it has one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'text> {
    #[serde(borrow)]
    client_id: Cow<'text, str>,
    /// Seconds since the epoch, with three decimals when there are milliseconds.
    #[serde(borrow)]
    client_id_issued_at: &'text RawValue,
    #[serde(borrow)]
    profile: Cow<'text, str>,
    #[serde(default)]
    source: Option<IpAddr>,
    #[serde(default)]
    flags: Vec<Cow<'text, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    standing: Option<Cow<'text, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    standing_at: Option<&'text RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    used_at: Option<&'text RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The generation of the registration access token; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    changed_at: Option<&'text RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ceiling: Option<Ceiling>,
    /// What an admission rule says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule_ceiling: Option<Ceiling>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    expires_at: Option<&'text RawValue>,
    /// Who vouches for it; absent for a stranger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registered_by: Option<String>,
    /// In the lines of a list only, and read by no one: it follows from the family.
    #[serde(default, rename = "effective_standing", skip_serializing)]
    _effective_standing: Option<serde::de::IgnoredAny>,
    #[serde(borrow)]
    metadata: &'text RawValue,
}

/// Why a line is no client.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("not a client in JSON")]
    NotALine(#[source] serde_json::Error),
    #[error("client_id is not a UUID in lower case with hyphens")]
    ClientId,
    #[error("client_id_issued_at is not a number of seconds with at most three decimals")]
    IssuedAt,
    #[error("standing is none of active, pending, suspended, dormant")]
    Standing,
    #[error("{0} is not a number of seconds with at most three decimals")]
    Moment(&'static str),
    #[error("profile is neither datadog nor rfc7591")]
    Profile,
    #[error("flags holds one that is not known: {0:?}")]
    Flag(String),
    #[error("metadata: {0}")]
    Json(String),
    #[error("metadata: {0}")]
    Member(String),
}

/// The client as one line of JSON, without its line break.
pub(super) fn print(client: &ClientRecord) -> Result<String, Failure> {
    let seconds = |at| RawValue::from_string(time::to_seconds(at));
    let issued_at = seconds(client.issued_at);
    let state = &client.state;
    let standing_at = state.standing_at.map(seconds).transpose();
    let used_at = state.used_at.map(seconds).transpose();
    let ClientRegistration { generation, changed_at, registered_by } = &client.registration;
    let changed_at = changed_at.map(seconds).transpose();
    let ClientTerms { label, ceiling: rule_ceiling, expires_at } = state.terms.clone();
    let expires_at = expires_at.map(seconds).transpose();
    let standing = (state.standing != Standing::Active).then(|| state.standing.as_str().into());
    let metadata: Result<&RawValue, _> = serde_json::from_str(&client.metadata);
    metadata
        .and_then(|metadata| {
            serde_json::to_string(&Line {
                client_id: client.client_id.to_string().into(),
                client_id_issued_at: &issued_at?,
                profile: client.profile.as_str().into(),
                source: client.source,
                flags: flag_names(client.flags),
                standing,
                standing_at: standing_at?.as_deref(),
                used_at: used_at?.as_deref(),
                note: state.note.clone(),
                generation: Some(generation.number()).filter(|number| *number > 0),
                changed_at: changed_at?.as_deref(),
                ceiling: state.ceiling.clone(),
                label,
                rule_ceiling,
                expires_at: expires_at?.as_deref(),
                registered_by: registered_by.clone(),
                _effective_standing: None,
                metadata,
            })
        })
        .map_err(Failure::of(format!("the record of client {} is damaged", client.client_id)))
}

/// The client of a line.
pub(super) fn parse(text: &[u8]) -> Result<ClientRecord, LineError> {
    let line: Line<'_> = serde_json::from_slice(text).map_err(LineError::NotALine)?;
    let client_id: ClientId = line.client_id.parse().map_err(|_| LineError::ClientId)?;
    if client_id.to_string() != line.client_id {
        return Err(LineError::ClientId);
    }
    let mut flags = ClientFlags::default();
    for name in &line.flags {
        flags.insert(parse_flag(name).ok_or_else(|| LineError::Flag(name.as_ref().to_owned()))?);
    }
    check_metadata(line.metadata.get())?;
    Ok(ClientRecord {
        client_id,
        issued_at: time::from_seconds(line.client_id_issued_at.get())
            .filter(|time| *time <= ISSUED_AT_MAX)
            .ok_or(LineError::IssuedAt)?,
        profile: line.profile.parse::<ProfileName>().map_err(|()| LineError::Profile)?,
        source: line.source,
        flags,
        metadata: line.metadata.get().to_owned(),
        state: ClientState {
            standing: match line.standing {
                Some(text) => text.parse().map_err(|()| LineError::Standing)?,
                None => Standing::Active,
            },
            standing_at: moment("standing_at", line.standing_at)?,
            used_at: moment("used_at", line.used_at)?,
            note: line.note,
            ceiling: line.ceiling,
            terms: ClientTerms {
                label: line.label,
                ceiling: line.rule_ceiling,
                expires_at: moment("expires_at", line.expires_at)?,
            },
        },
        registration: ClientRegistration {
            generation: Generation::new(line.generation.unwrap_or_default()),
            changed_at: moment("changed_at", line.changed_at)?,
            registered_by: line.registered_by,
        },
    })
}

/// A client with a document; the members that it shares with a registered one have the same names.
pub(super) fn document(client: &DocumentClientRecord) -> Value {
    let state = &client.state;
    let mut value = json!({
        "client_id": client.url,
        "document_client_id": client.document_client_id.to_string(),
        "first_allowed_at": time::to_rfc3339(client.first_allowed_at),
        "allowed_at": time::to_rfc3339(client.allowed_at),
        "standing": state.standing.as_str(),
        "metadata": serde_json::from_str::<Value>(&client.metadata).unwrap_or_default(),
    });
    // As in the line of a registered client: numbers of seconds.
    let seconds = |at| serde_json::from_str::<Value>(&time::to_seconds(at)).unwrap_or_default();
    if let Some(at) = state.standing_at {
        value["standing_at"] = seconds(at);
    }
    if let Some(at) = state.used_at {
        value["used_at"] = seconds(at);
    }
    if let Some(note) = &state.note {
        value["note"] = note.as_str().into();
    }
    if let Some(label) = &state.terms.label {
        value["label"] = label.as_str().into();
    }
    if let Some(at) = state.terms.expires_at {
        value["expires_at"] = seconds(at);
    }
    value
}

fn moment(member: &'static str, text: Option<&RawValue>) -> Result<Option<Timestamp>, LineError> {
    let read = |text: &RawValue| {
        let at = time::from_seconds(text.get()).filter(|time| *time <= ISSUED_AT_MAX);
        at.ok_or(LineError::Moment(member))
    };
    text.map(read).transpose()
}

/// The names of what is set; a bit that this release has no name for is `bit_<number>`.
pub(in crate::cli) fn flag_names(flags: ClientFlags) -> Vec<Cow<'static, str>> {
    let unnamed = (0..u32::BITS).filter(|bit| {
        let flag = ClientFlags::from_bits(1 << bit);
        flags.contains(flag) && flag.names().is_empty()
    });
    flags
        .names()
        .into_iter()
        .map(Cow::Borrowed)
        .chain(unnamed.map(|bit| Cow::Owned(format!("bit_{bit}"))))
        .collect()
}

/// The inverse of [`flag_names`] for one flag.
pub(in crate::cli) fn parse_flag(name: &str) -> Option<ClientFlags> {
    (0..u32::BITS)
        .map(|bit| ClientFlags::from_bits(1 << bit))
        .find(|flag| flag_names(*flag).first().is_some_and(|known| known == name))
}

/// Refuses what no registration can have stored: the strict reader of requests must take every member as
/// it is. Members with a default may be missing, since another release may have fewer of them.
fn check_metadata(text: &str) -> Result<(), LineError> {
    let document =
        json::read(text.as_bytes()).map_err(|error| LineError::Json(error.problem.to_string()))?;
    let mut faults = Vec::new();
    let metadata = ClientMetadata::read(&document, &mut faults);
    if let Some(fault) = faults.first() {
        return Err(LineError::Member(format!("{} {}", fault.place(), fault.problem)));
    }
    if metadata.redirect_uris.as_slice().is_empty() {
        return Err(LineError::Member("redirect_uris is missing".to_owned()));
    }
    let sent: Value = serde_json::from_str(text).map_err(LineError::NotALine)?;
    let read: Value = serde_json::from_str(&metadata.document()).map_err(LineError::NotALine)?;
    let differs = |(name, value): &(&String, &Value)| read.get(name) != Some(value);
    match sent.as_object().into_iter().flatten().find(differs) {
        None => Ok(()),
        Some((name, _)) => Err(LineError::Member(format!("{name:?} is not as it is stored"))),
    }
}
