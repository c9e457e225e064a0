//! A client registration request (RFC 7591 §3.1): bytes → client metadata, and all that is wrong with it.

use std::{borrow::Cow, collections::HashSet};

use super::error::MetadataError;
use crate::{
    client::{
        ClientMetadata, RedirectUriError, UriError,
        fault::{Fault, Problem},
    },
    json::{self, JsonError, JsonProblem, Object, Value},
};

/// A request whose body is one JSON object. What it says may still be refused.
#[derive(Debug)]
pub(crate) struct RegistrationRequest<'body> {
    /// The object as it was sent.
    pub(crate) document: Object<'body>,
    /// What could be read of it, defaults filled in.
    pub(crate) metadata: ClientMetadata,
    /// What could not.
    pub(crate) faults: Vec<Fault>,
}

impl<'body> RegistrationRequest<'body> {
    /// Reads the body.
    pub(crate) fn parse(body: &'body [u8]) -> Result<Self, MetadataError> {
        let document = match json::read(body) {
            Ok(document) => document,
            Err(error) if error.problem == JsonProblem::LoneSurrogate => {
                return Self::around_surrogates(body, error);
            }
            Err(error) => return Err(error.into()),
        };
        let mut faults = Vec::new();
        let metadata = ClientMetadata::read(&document, &mut faults);
        Ok(Self { document, metadata, faults })
    }

    /// A lone surrogate is well-formed JSON that no string can hold: the fault of the member that it stands in, which
    /// hides no other one.
    fn around_surrogates(body: &[u8], error: JsonError) -> Result<Self, MetadataError> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let Some(read) = json::read_around_surrogates(text) else { return Err(error.into()) };
        let (document, mark) = read?;
        let mut faults = Vec::new();
        for (member, value) in document.iter() {
            match value {
                _ if member.contains(mark) => return Err(error.into()),
                _ if !value.contains(mark) => {}
                Value::Array(entries) => {
                    let marked = entries.iter().enumerate().filter(|(_, it)| it.contains(mark));
                    faults.extend(marked.map(|(entry, _)| surrogate(member, Some(entry))));
                }
                _ => faults.push(surrogate(member, None)),
            }
        }
        let mut others = Vec::new();
        let metadata = ClientMetadata::read(&document, &mut others);
        let marked: HashSet<(&str, Option<usize>)> =
            faults.iter().map(|fault| (fault.member.as_str(), fault.entry)).collect();
        others.retain(|other| !marked.contains(&(other.member.as_str(), other.entry)));
        faults.extend(others);
        Ok(Self { document, metadata, faults })
    }

    /// The first redirect URI, whatever is to be said of it.
    pub(crate) fn first_redirect_uri(&self) -> Option<Cow<'body, str>> {
        match self.document.get("redirect_uris")? {
            Value::Array(uris) => match uris.first()? {
                Value::String(uri) => Some(uri.clone()),
                _ => None,
            },
            _ => None,
        }
    }
}

fn surrogate(member: &str, entry: Option<usize>) -> Fault {
    let problem = match member {
        "redirect_uris" => Problem::RedirectUri(RedirectUriError::Uri(UriError::Hidden)),
        _ => Problem::LoneSurrogate,
    };
    Fault { member: member.to_owned(), entry, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fault;

    /// The places of the faults, in document order.
    fn pointers(body: &str) -> Result<Vec<String>, String> {
        let request = RegistrationRequest::parse(body.as_bytes());
        let RegistrationRequest { document, mut faults, .. } =
            request.map_err(|error| format!("{error:?}"))?;
        fault::sort(&mut faults, &document);
        Ok(faults.iter().map(Fault::pointer).collect())
    }

    #[test]
    fn a_lone_surrogate_hides_no_other_violation() {
        let body = r#"{
            "client_name": "\ud800",
            "redirect_uris": ["https://a.example/\udc00", "https://a.example/#x", "https://a.example/"],
            "contacts": ["a@a.example", "\ud800\u0041"],
            "client_uri": "ftp://a.example",
            "jwks": {"keys": [{"kty": "\ufdd0\ud83d"}]},
            "software_id": "\ud83d\ude80",
            "unknown": "\udfff"
        }"#;
        let expected = [
            "/client_name",
            "/redirect_uris/0",
            "/redirect_uris/1",
            "/contacts/1",
            "/client_uri",
            "/jwks",
            "/unknown",
        ];
        assert_eq!(pointers(body).unwrap(), expected);
    }

    #[test]
    fn lone_surrogates_are_read_around_in_one_pass() {
        let many = format!(r#"{{"scope":7,"x":"{}"}}"#, r"\ud800".repeat(9_000));
        assert_eq!(pointers(&many).unwrap(), ["/scope", "/x"]);
        let all: String = ('\u{fdd0}'..='\u{fdef}').collect();
        let full = format!(r#"{{"scope":7,"x":"{all}\ud800"}}"#);
        let error = pointers(&full).unwrap_err();
        assert!(error.contains("LoneSurrogate"), "no character is left to replace it: {error}");
        let error = pointers(r#"{"client_name":"\ud800",}"#).unwrap_err();
        assert!(error.contains("NotJson"), "{error}");
    }
}
