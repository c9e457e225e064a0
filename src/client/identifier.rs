//! What a client calls itself by at the endpoints: the identifier that it was given when it registered
//! (RFC 7591 §3.2.1), or the URL of the document that describes it (Client ID Metadata Document §3).

use std::{fmt, str::FromStr};

use super::{ClientId, document_url::DocumentUrl};

/// The value of `client_id`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientIdentifier {
    /// Of a client that registered.
    Registered(ClientId),
    /// Of a client that publishes its metadata.
    Document(DocumentUrl),
}

/// A text that can be no `client_id` of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no identifier that this server gave, and no URL of a client metadata document")]
pub struct ClientIdentifierError;

impl FromStr for ClientIdentifier {
    type Err = ClientIdentifierError;

    /// Only the one spelling that was handed out is an identifier: they are compared as text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(url) = text.parse() {
            return Ok(Self::Document(url));
        }
        let id: ClientId = text.parse().map_err(|_| ClientIdentifierError)?;
        let is_spelled_so = id.encode(&mut [0; 36]) == text;
        is_spelled_so.then_some(Self::Registered(id)).ok_or(ClientIdentifierError)
    }
}

impl fmt::Display for ClientIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(id) => id.fmt(f),
            Self::Document(url) => url.fmt(f),
        }
    }
}

impl From<DocumentUrl> for ClientIdentifier {
    fn from(url: DocumentUrl) -> Self {
        Self::Document(url)
    }
}

impl From<ClientId> for ClientIdentifier {
    fn from(id: ClientId) -> Self {
        Self::Registered(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_one_spelling() {
        let given = "0199f2a4-7c11-7abc-8def-001122334455";
        let read: ClientIdentifier = given.parse().unwrap();
        assert_eq!(read.to_string(), given);
        for other in [
            &given.to_uppercase(),
            &given.replace('-', ""),
            &format!("{{{given}}}"),
            &format!("urn:uuid:{given}"),
            "",
            "client",
        ] {
            assert!(other.parse::<ClientIdentifier>().is_err(), "{other:?}");
        }
    }

    #[test]
    fn the_url_of_a_document_is_an_identifier() {
        let given = "https://app.example.com/client.json";
        let read: ClientIdentifier = given.parse().unwrap();
        assert!(matches!(read, ClientIdentifier::Document(_)));
        assert_eq!(read.to_string(), given);
    }
}
