//! What the commands about operator tokens and initial access tokens share: tokens have names, expire, and are revoked.

use super::{
    author::author,
    exit::{Failure, Outcome},
    output::{Messages, insist, is_confirmed, needs_a_terminal},
    records::{Listed, Pages},
    settings::{OpenStore, StoreArguments},
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
    store: StoreArguments,
    named: Vec<String>,
    is_sure: bool,
    messages: Messages,
) -> Result<Outcome, Failure> {
    needs_a_terminal(is_sure, "revoke")?;
    let store = store.open(Access::Command)?;
    let wanted = named.len();
    let found = find::<T>(&store, named)?;
    let mut is_complete = found.len() == wanted;
    let plural = if found.len() == 1 { "" } else { "s" };
    let question = format!("Revoke {} {}{plural}?", found.len(), T::NAME);
    if is_sure || found.is_empty() || is_confirmed(&question) {
        for token in found {
            let name = token.name();
            match store.wait(T::revoke(&store.handle, token.id(), author()))? {
                Deleted::Forgotten => messages.say(format_args!("Revoked {name}.")),
                Deleted::NotThere => insist(format_args!("{name} was revoked in the meantime.")),
            }
        }
    } else {
        insist("Nothing was revoked.");
        is_complete = false;
    }
    store.close()?;
    Ok(Outcome::from_verdict(is_complete))
}

/// The tokens of these names or identifiers; says which ones do not exist.
fn find<T: Named>(store: &OpenStore, named: Vec<String>) -> Result<Vec<T>, Failure> {
    let all: Vec<T> = Pages::<T>::new(store, (), None, None).collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for name in named {
        match all.iter().find(|token| token.name() == name || token.id().to_string() == name) {
            Some(token) => found.push(token.clone()),
            None => insist(format_args!("There is no {} {name}.", T::NAME)),
        }
    }
    Ok(found)
}
