//! A client registration request (RFC 7591 §3.1): bytes → client metadata, and all that is wrong with it.

use std::borrow::Cow;

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
        let document = json::read(body).map_err(refused)?;
        let mut faults = Vec::new();
        let metadata = ClientMetadata::read(&document, &mut faults);
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

/// A lone surrogate is well-formed JSON that no string can hold: the fault of the member it stands in.
fn refused(error: JsonError) -> MetadataError {
    let mut steps = error.pointer.split('/').skip(1);
    let (Some(member), entry) = (steps.next(), steps.next()) else { return error.into() };
    let base = member.split_once('#').map_or(member, |(base, _)| base);
    if error.problem != JsonProblem::LoneSurrogate || !ClientMetadata::is_member(base) {
        return error.into();
    }
    let problem = match base {
        "redirect_uris" => Problem::RedirectUri(RedirectUriError::Uri(UriError::Hidden)),
        _ => Problem::LoneSurrogate,
    };
    let entry = entry.and_then(|entry| entry.parse().ok());
    vec![Fault { member: member.to_owned(), entry, problem }].into()
}
