//! Audit: who did what. An event is stored in the transaction of the change that it records.
//!
//! Pure: an [`Author`] carries the time and the entropy that events need.

use std::{
    fmt,
    net::IpAddr,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use crate::{
    appearance::moves_text, client::ClientIdentifier, clock::Timestamp, entropy::Entropy, id::Id,
};

/// An event identifier. Identifiers of clients and of events sort together by time.
pub type EventId = Id<EventKind>;

/// What an [`EventId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {}

/// Enums that are stored and shown as text.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident { $($(#[$meaning:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$meaning])* $variant,)+ }

        impl $name {
            /// Every one, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its text in the store, in lists, and in logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or(())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What happened.
    pub enum Action {
        /// A person asked for a client with a metadata document that an admission rule holds.
        ClientHeld = "client.held",
        /// A client registered. Its record is the event: none is stored beside it.
        ClientRegistered = "client.registered",
        /// An operator approved a pending client.
        ClientApproved = "client.approved",
        /// An operator rejected a pending client, which removes it.
        ClientRejected = "client.rejected",
        /// A client was suspended.
        ClientSuspended = "client.suspended",
        /// A suspended client was resumed.
        ClientResumed = "client.resumed",
        /// A client without a live grant was not used for a long time.
        ClientDormant = "client.dormant",
        /// A dormant client was authorized again.
        ClientReactivated = "client.reactivated",
        /// A client changed its registration (RFC 7592), or an operator the note about it.
        ClientUpdated = "client.updated",
        /// The scopes that a client may hold were changed.
        ClientRestricted = "client.restricted",
        /// A client was removed.
        ClientRemoved = "client.removed",
        /// An operator suspended a family.
        FamilySuspended = "family.suspended",
        /// An operator resumed a suspended family.
        FamilyResumed = "family.resumed",
        /// An operator set the scopes that clients of a family may hold, or lifted the bound.
        FamilyRestricted = "family.restricted",
        /// An operator removes the clients of a family.
        FamilyRemoved = "family.removed",
        /// An operator added an admission rule.
        RuleCreated = "rule.created",
        /// An operator edited or moved an admission rule.
        RuleChanged = "rule.changed",
        /// An operator removed an admission rule.
        RuleDeleted = "rule.deleted",
        /// A person allowed a client.
        ConsentAllowed = "consent.allowed",
        /// A person denied a client.
        ConsentDenied = "consent.denied",
        /// A grant was issued.
        GrantIssued = "grant.issued",
        /// The code of a grant was redeemed.
        GrantRedeemed = "grant.redeemed",
        /// A code or an old refresh token was presented again, which ended the grant.
        GrantReused = "grant.reused",
        /// A grant was revoked.
        GrantRevoked = "grant.revoked",
        /// A grant expired.
        GrantExpired = "grant.expired",
        /// A client revoked a token, which ended its grant (RFC 7009).
        TokenRevoked = "token.revoked",
        /// Requests of a client to a guarded resource were allowed.
        GuardAllowed = "guard.allowed",
        /// Requests of a client with a valid token to a guarded resource were refused.
        GuardRefused = "guard.refused",
        /// A person signed in.
        SigninSucceeded = "signin.succeeded",
        /// A session ended.
        SessionEnded = "session.ended",
        /// An operator ended all access of a person.
        PersonEnded = "person.ended",
        /// An operator had what the store has of a person deleted.
        PersonForgotten = "person.forgotten",
        /// An operator created an initial access token.
        InitialAccessTokenCreated = "initial_access_token.created",
        /// A client registered with an initial access token.
        InitialAccessTokenUsed = "initial_access_token.used",
        /// An operator revoked an initial access token.
        InitialAccessTokenRevoked = "initial_access_token.revoked",
        /// A signing key was made.
        KeyMade = "key.made",
        /// A signing key was discarded.
        KeyDiscarded = "key.discarded",
        /// An operator token was created.
        OperatorTokenCreated = "operator_token.created",
        /// An operator token was revoked.
        OperatorTokenRevoked = "operator_token.revoked",
    }
}

/// Which actions are meant: one, or all with the same beginning, such as `client.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionPattern(String);

impl ActionPattern {
    /// Whether it means this action.
    pub fn admits(&self, action: Action) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => action.as_str().starts_with(beginning),
            None => action.as_str() == self.0,
        }
    }
}

impl FromStr for ActionPattern {
    type Err = ();

    /// Only a pattern that means an action is one.
    fn from_str(text: &str) -> Result<Self, ()> {
        let pattern = Self(text.to_owned());
        let is_form = !text.contains('*') || text.ends_with(".*");
        let means_any = Action::ALL.iter().any(|action| pattern.admits(*action));
        if is_form && means_any { Ok(pattern) } else { Err(()) }
    }
}

impl fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person, by subject.
    Person(String),
    /// An operator, by name: an account of the machine, a person's subject, or the name of a token.
    Operator(String),
    /// A client.
    Client(ClientIdentifier),
    /// This server, on its own schedule.
    System,
}

words! {
    /// The kind of an [`Actor`].
    pub enum ActorKind {
        /// See [`Actor::Person`].
        Person = "person",
        /// See [`Actor::Operator`].
        Operator = "operator",
        /// See [`Actor::Client`].
        Client = "client",
        /// See [`Actor::System`].
        System = "system",
    }
}

impl Actor {
    /// Its kind.
    pub const fn kind(&self) -> ActorKind {
        match self {
            Self::Person(_) => ActorKind::Person,
            Self::Operator(_) => ActorKind::Operator,
            Self::Client(_) => ActorKind::Client,
            Self::System => ActorKind::System,
        }
    }

    /// Its identifier; `None` for this server.
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Person(id) | Self::Operator(id) => Some(id.clone()),
            Self::Client(id) => Some(id.to_string()),
            Self::System => None,
        }
    }
}

/// The longest note or reason, in characters.
const REMARK_CHARS_MAX: usize = 500;

/// What an operator writes about a client or a decision: one line, which a table can show.
///
/// # Errors
/// What to write instead.
pub(crate) fn remark(text: &str) -> Result<String, String> {
    line(text, REMARK_CHARS_MAX)
}

/// One line that leaves the text around it alone, on a page and in a terminal.
///
/// # Errors
/// What to write instead.
pub(crate) fn line(text: &str, chars_max: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > chars_max || text.chars().any(moves_text) {
        return Err(format!(
            "one line of at most {chars_max} characters, without control characters and characters that change the \
             direction of text"
        ));
    }
    Ok(text.to_owned())
}

/// Who makes a change, when, and by which request. A change makes its events from it.
#[derive(Clone, Debug)]
pub struct Author {
    /// Who acts.
    pub actor: Actor,
    /// The role of an operator at the operator API.
    pub role: Option<&'static str>,
    /// The client that acts for a person there.
    pub via: Option<ClientIdentifier>,
    /// When.
    pub at: Timestamp,
    /// Where the identifiers of events come from.
    pub entropy: Entropy,
    /// The address of the caller, if addresses are kept.
    pub source: Option<IpAddr>,
    /// The identifier of the request.
    pub request_id: Option<String>,
    /// The last event: the next one sorts behind it.
    pub last: LastEvent,
}

/// The last event of an author, if there is one. A clone goes on from it by itself.
#[derive(Debug, Default)]
pub struct LastEvent(Mutex<Option<EventId>>);

impl Clone for LastEvent {
    fn clone(&self) -> Self {
        Self(Mutex::new(*self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Author {
    /// An author without a request: a command, or this server itself.
    pub const fn new(actor: Actor, at: Timestamp, entropy: Entropy) -> Self {
        let last = LastEvent(Mutex::new(None));
        let (role, via) = (None, None);
        Self { actor, role, via, at, entropy, source: None, request_id: None, last }
    }

    /// The identifier of the next event. Those of one moment sort in the order in which they are made.
    pub(crate) fn next_event(&self) -> EventId {
        let mut last = self.last.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = EventId::generate_after(*last, self.at, &self.entropy);
        *last.insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_back_from_its_text() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
        assert_eq!("client.invented".parse::<Action>(), Err(()));
    }

    #[test]
    fn a_pattern_means_one_action_or_all_of_a_group_and_always_some() {
        let admits =
            |pattern: &str, action| pattern.parse::<ActionPattern>().unwrap().admits(action);
        assert!(admits("client.*", Action::ClientRegistered));
        assert!(!admits("client.*", Action::GrantIssued));
        assert!(admits("client.removed", Action::ClientRemoved));
        assert!(!admits("client.removed", Action::ClientRegistered));
        for wrong in [
            "",
            "*",
            "client*",
            "client.",
            "clients.*",
            "c*.removed",
            "client.removed ",
            "client.*.*",
        ] {
            assert!(wrong.parse::<ActionPattern>().is_err(), "{wrong:?}");
        }
    }
}
