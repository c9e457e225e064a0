//! The client information response (RFC 7591 §3.2.1, RFC 7592 §3): what was registered, never what was merely asked.

use aws_lc_rs::hmac;

use super::access_token;
use crate::{
    app::App,
    client::ClientMetadata,
    metadata_policy::{Answers, Profile},
    paths,
    store::ClientRecord,
};

/// The documented members beside `client_id`.
const DOCUMENTED: [&str; 5] =
    ["client_name", "grant_types", "redirect_uris", "response_types", "token_endpoint_auth_method"];

/// Room for the members in front of the metadata, and for those of [`Management`] but for the issuer.
const ROOM: usize = 96;
const MANAGEMENT_ROOM: usize = 192;

/// How clients manage their registration (RFC 7592 §3).
pub(crate) struct Management<'app> {
    issuer: &'app str,
    key: &'app hmac::Key,
}

impl<'app> Management<'app> {
    /// With the settings of this server; `None` if clients cannot.
    pub(crate) fn of(app: &'app App) -> Option<Self> {
        let is_on = app.config.registration.management;
        is_on.then(|| Self { issuer: &app.config.server.issuer, key: app.keys.registrations() })
    }
}

/// The body of a 201, in the shape of `profile`.
pub(crate) fn client_information(
    profile: &Profile,
    record: &ClientRecord,
    metadata: &ClientMetadata,
    management: Option<&Management<'_>>,
) -> Vec<u8> {
    match profile.answers {
        Answers::Datadog => {
            let documented = metadata.document_of(|name| DOCUMENTED.contains(&name));
            let mut body = Vec::with_capacity(documented.len() + ROOM);
            write_client_id(&mut body, record);
            write_metadata(&mut body, &documented);
            body
        }
        Answers::OAuth => stored_information(record, management),
    }
}

/// What is stored, in the shape of the `rfc7591` profile: the stored document, but for what the server adds in front of it.
pub(super) fn stored_information(
    record: &ClientRecord,
    management: Option<&Management<'_>>,
) -> Vec<u8> {
    let room = management.map_or(0, |management| MANAGEMENT_ROOM + management.issuer.len());
    let mut body = Vec::with_capacity(record.metadata.len() + ROOM + room);
    write_client_id(&mut body, record);
    body.extend_from_slice(b",\"client_id_issued_at\":");
    body.extend_from_slice(record.issued_at.as_seconds().to_string().as_bytes());
    if let Some(Management { issuer, key }) = management {
        let generation = record.registration.generation;
        body.extend_from_slice(b",\"registration_access_token\":\"");
        body.extend_from_slice(&access_token::issue(key, record.client_id, generation));
        body.extend_from_slice(b"\",\"registration_client_uri\":\"");
        // An issuer has no character that JSON escapes.
        body.extend_from_slice(issuer.as_bytes());
        body.extend_from_slice(paths::REGISTER.as_bytes());
        body.push(b'/');
        body.extend_from_slice(record.client_id.encode(&mut [0; 36]).as_bytes());
        body.push(b'"');
    }
    write_metadata(&mut body, &record.metadata);
    body
}

fn write_client_id(body: &mut Vec<u8>, record: &ClientRecord) {
    body.extend_from_slice(b"{\"client_id\":\"");
    body.extend_from_slice(record.client_id.encode(&mut [0; 36]).as_bytes());
    body.push(b'"');
}

/// `document` is one JSON object with members.
fn write_metadata(body: &mut Vec<u8>, document: &str) {
    body.push(b',');
    body.extend_from_slice(document.as_bytes().split_at(1).1);
}
