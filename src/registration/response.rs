//! The client information response (RFC 7591 §3.2.1): what was registered, never what was merely asked.

use crate::{
    client::ClientMetadata,
    metadata_policy::{Answers, Profile},
    store::ClientRecord,
};

/// The documented members beside `client_id`.
const DOCUMENTED: [&str; 5] =
    ["client_name", "grant_types", "redirect_uris", "response_types", "token_endpoint_auth_method"];

/// The body of a 201, in the shape of `profile`.
pub(crate) fn client_information(
    profile: &Profile,
    record: &ClientRecord,
    metadata: &ClientMetadata,
) -> Vec<u8> {
    let mut buffer = [0; 36];
    let client_id = record.client_id.encode(&mut buffer);
    let documented;
    let (document, issued_at) = match profile.answers {
        Answers::Datadog => {
            documented = metadata.document_of(|name| DOCUMENTED.contains(&name));
            (&documented, None)
        }
        // The stored document is the answer but for what the server adds in front of it.
        Answers::OAuth => (&record.metadata, Some(record.issued_at)),
    };
    let mut body = Vec::with_capacity(document.len() + 96);
    body.extend_from_slice(b"{\"client_id\":\"");
    body.extend_from_slice(client_id.as_bytes());
    body.push(b'"');
    if let Some(issued_at) = issued_at {
        body.extend_from_slice(b",\"client_id_issued_at\":");
        body.extend_from_slice(issued_at.as_seconds().to_string().as_bytes());
    }
    body.push(b',');
    body.extend_from_slice(document.as_bytes().split_at(1).1);
    body
}
