//! The client information response (RFC 7591 §3.2.1): what was registered, never what was merely asked.

use serde::Serialize;

use super::profile::{Answers, Profile};
use crate::{
    client::{
        ClientMetadata, ClientName, GrantTypes, RedirectUris, ResponseTypes,
        TokenEndpointAuthMethod,
    },
    store::ClientRecord,
};

/// The six documented members, and no other.
#[derive(Serialize)]
struct Documented<'a> {
    client_id: &'a str,
    client_name: &'a Option<ClientName>,
    grant_types: &'a GrantTypes,
    redirect_uris: &'a RedirectUris,
    response_types: &'a ResponseTypes,
    token_endpoint_auth_method: TokenEndpointAuthMethod,
}

/// The body of a 201, in the shape of `profile`.
pub(crate) fn client_information(
    profile: &Profile,
    record: &ClientRecord,
    metadata: &ClientMetadata,
) -> Vec<u8> {
    let mut buffer = [0; 36];
    let client_id = record.client_id.encode(&mut buffer);
    match profile.answers {
        Answers::Datadog => serde_json::to_vec(&Documented {
            client_id,
            client_name: &metadata.client_name,
            grant_types: &metadata.grant_types,
            redirect_uris: &metadata.redirect_uris,
            response_types: &metadata.response_types,
            token_endpoint_auth_method: metadata.token_endpoint_auth_method,
        })
        .expect("metadata is strings under string keys"),
        // The stored document is the answer but for what the server adds in front of it.
        Answers::OAuth => {
            let mut body = Vec::with_capacity(record.metadata.len() + 96);
            body.extend_from_slice(b"{\"client_id\":\"");
            body.extend_from_slice(client_id.as_bytes());
            body.extend_from_slice(b"\",\"client_id_issued_at\":");
            body.extend_from_slice(record.issued_at.as_seconds().to_string().as_bytes());
            body.push(b',');
            body.extend_from_slice(record.metadata.as_bytes().split_at(1).1);
            body
        }
    }
}
