//! What the commands about operator tokens and initial access tokens share: tokens have names, expire, and are revoked.

use serde_json::Value;

use super::{
    author::author,
    backend::{Backend, BackendArguments},
    exit::{Failure, Outcome},
    output::{Messages, insist, is_confirmed, needs_a_terminal, number},
    records::{Listed, Pages},
    remote::{Read, Reply, Server},
    time::to_rfc3339,
};
use crate::{
    audit::Author,
    clock::Timestamp,
    store::{Access, Deleted, Store, StoreError},
};

/// A kind of token that has a name beside its identifier.
pub(super) trait Named: Listed<Filter = ()> + Clone {
    fn name(&self) -> &str;

    /// As the method of the store that revokes one.
    async fn revoke(store: &Store, id: Self::Id, by: Author) -> Result<Deleted, StoreError>;
}

/// When a token expires, as it follows "It".
pub(super) fn expiry(at: Option<Timestamp>) -> String {
    at.map_or("never expires".to_owned(), |at| format!("expires at {}", to_rfc3339(at)))
}

/// A time in a table.
pub(super) fn time_or_never(at: Option<Timestamp>) -> String {
    at.map_or("never".to_owned(), to_rfc3339)
}

/// Revokes the tokens of these names or identifiers.
pub(super) fn revoke<T: Named>(
    backend: BackendArguments,
    named: Vec<String>,
    is_sure: bool,
    messages: Messages,
) -> Result<Outcome, Failure> {
    needs_a_terminal(is_sure, "revoke")?;
    let backend = backend.open(Access::Command)?;
    let wanted = named.len();
    let found = find::<T>(&backend, named)?;
    let mut is_complete = found.len() == wanted;
    let tokens = number(found.len() as u64, T::NAME, &format!("{}s", T::NAME));
    let question = format!("Revoke {tokens}?");
    if is_sure || found.is_empty() || is_confirmed(&question) {
        for token in found {
            let name = token.name();
            let revoked = match &backend {
                Backend::Store(store) => {
                    store.wait(T::revoke(&store.handle, token.id(), author()))?
                }
                Backend::Server(server) => server.delete::<T>(&token.id())?,
            };
            match revoked {
                Deleted::Forgotten => messages.say(format_args!("Revoked {name}.")),
                Deleted::NotThere => insist(format_args!("{name} was revoked in the meantime.")),
            }
        }
    } else {
        insist("Nothing was revoked.");
        is_complete = false;
    }
    backend.close()?;
    Ok(Outcome::from_verdict(is_complete))
}

/// The tokens of these names or identifiers; says which ones do not exist.
fn find<T: Named>(backend: &Backend, named: Vec<String>) -> Result<Vec<T>, Failure> {
    let all: Vec<T> = Pages::<T>::new(backend, (), None, None).collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for name in named {
        match all.iter().find(|token| token.name() == name || token.id().to_string() == name) {
            Some(token) => found.push(token.clone()),
            None => insist(format_args!("There is no {} {name}.", T::NAME)),
        }
    }
    Ok(found)
}

/// The new token of an answer, and what is shown of it; `None` when another token has its name.
pub(super) fn created<T>(
    server: &Server,
    reply: Reply,
    read: impl FnOnce(&Value) -> Read<T>,
) -> Result<Option<(T, String)>, Failure> {
    if reply.is_conflict() {
        return Ok(None);
    }
    let resource = &reply.done()?["data"];
    let shown = read(resource).map_err(|reason| server.unreadable(&reason))?;
    let token = resource["attributes"]["token"].as_str();
    let token = token.ok_or_else(|| server.unreadable("token is missing"))?;
    Ok(Some((shown, token.to_owned())))
}
