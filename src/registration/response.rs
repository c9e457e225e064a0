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

/// What is answered with a 201. It is known before the store is asked: nothing can fail after that.
pub(crate) enum ClientInformation {
    /// The body.
    Documented(Vec<u8>),
    /// The document as it is kept, with what the server adds in front of it. Copied when it is sent, so that
    /// whoever waits for the disk holds one document, not two.
    AsKept,
}

impl ClientInformation {
    /// In the shape of `profile`.
    pub(crate) fn of(profile: &Profile, record: &ClientRecord, metadata: &ClientMetadata) -> Self {
        match profile.answers {
            Answers::OAuth => Self::AsKept,
            Answers::Datadog => Self::Documented(
                serde_json::to_vec(&Documented {
                    client_id: record.client_id.encode(&mut [0; 36]),
                    client_name: &metadata.client_name,
                    grant_types: &metadata.grant_types,
                    redirect_uris: &metadata.redirect_uris,
                    response_types: &metadata.response_types,
                    token_endpoint_auth_method: metadata.token_endpoint_auth_method,
                })
                .expect("metadata is strings under string keys"),
            ),
        }
    }

    /// The body of the 201; `record` is the one that it is about.
    pub(crate) fn into_body(self, record: &ClientRecord) -> Vec<u8> {
        match self {
            Self::Documented(body) => body,
            Self::AsKept => {
                let mut body = Vec::with_capacity(record.metadata.len() + 96);
                body.extend_from_slice(b"{\"client_id\":\"");
                body.extend_from_slice(record.client_id.encode(&mut [0; 36]).as_bytes());
                body.extend_from_slice(b"\",\"client_id_issued_at\":");
                body.extend_from_slice(record.issued_at.as_seconds().to_string().as_bytes());
                body.push(b',');
                body.extend_from_slice(record.metadata.as_bytes().split_at(1).1);
                body
            }
        }
    }
}
