//! What clients do with their own registration (RFC 7592).

use super::{
    ClientFlags, ClientRegistration, ClientTerms, Standing, Store, StoreError, change, changes,
};
use crate::{audit::Author, client::ClientId};

impl Store {
    /// Replaces what a client registered, if `update.generation` is still the current one, and begins the next generation.
    /// Of several updates of one generation, one succeeds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn update_registration(
        &self,
        update: ClientUpdate,
        by: Author,
    ) -> Result<Updated<ClientRegistration>, StoreError> {
        change!(self, whole, |change| changes::update_registration(change, &update, &by))
    }

    /// Removes a client and its grants on its own request, if `generation` is the current one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_registration(
        &self,
        id: ClientId,
        generation: Generation,
        by: Author,
    ) -> Result<Updated<()>, StoreError> {
        change!(self, whole deleting, |change| {
            changes::remove_registration(change, id, generation, &by)
        })
    }
}

impl ClientRegistration {
    const TOKEN: &str = "token:";
    const OPERATOR: &str = "operator:";

    /// That of a client that this operator makes.
    pub fn by_operator(id: &str) -> Self {
        Self { registered_by: Some(format!("{}{id}", Self::OPERATOR)), ..Self::default() }
    }

    /// The operator who made it.
    pub fn operator(&self) -> Option<&str> {
        self.registered_by.as_deref()?.strip_prefix(Self::OPERATOR)
    }

    /// That of a client that registers with an initial access token of this policy.
    pub fn by_token(policy: &str) -> Self {
        Self { registered_by: Some(format!("{}{policy}", Self::TOKEN)), ..Self::default() }
    }

    /// The policy of the initial access token with which it registered.
    pub fn policy(&self) -> Option<&str> {
        self.registered_by.as_deref()?.strip_prefix(Self::TOKEN)
    }
}

/// Counts the registration access tokens of a client. The token of the current generation is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation(u64);

impl Generation {
    /// The generation of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// What a client registers instead.
#[derive(Clone, Debug)]
pub struct ClientUpdate {
    /// The client.
    pub client_id: ClientId,
    /// The generation that its token has.
    pub generation: Generation,
    /// Its metadata from now on.
    pub metadata: String,
    /// What an operator should look at from now on.
    pub flags: ClientFlags,
    /// Whether an operator has to approve the change first, if it is one. Until then the client is pending.
    pub is_held: bool,
    /// What the rule that lets it in says of it from now on.
    pub terms: ClientTerms,
    /// The label that the rules give what it replaces. Another one was set by an operator, and stays unless `terms` has one.
    pub label_before: Option<String>,
}

/// What became of a change that a client makes to its own registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated<T> {
    /// It is made.
    Now(T),
    /// The client has this standing, in which it cannot make the change.
    Is(Standing),
    /// There is no such client, or its token is of another generation.
    NotThere,
}
