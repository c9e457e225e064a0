//! The records that are kept. Plain data: client metadata is one RFC 7591 document beside the few
//! columns that are looked up or swept, so a new member is no migration.

use std::{fmt, net::IpAddr, str::FromStr};

use super::{
    column::{Columns as _, Record, Row, Value, columns},
    registrations::Generation,
};
use crate::{
    admission::{ScopeToken, Terms, Word},
    audit::{Action, ActorKind, Author, EventId, words},
    ceiling::Ceiling,
    client::{ClientId, ClientIdentifier, ProfileName, Scope},
    clock::Timestamp,
    family::FamilyId,
    grant::{CodeChallenge, GrantId, ResourceIndicator},
    id::Id,
    secret::SecretHash,
};

columns! {
    /// A registered client. It is its own trail: who registered it, when, from where and by which door.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ClientRecord {
        /// Made by the server, never reused.
        pub client_id: ClientId = "client_id",
        /// When it was registered, to the millisecond.
        pub issued_at: Timestamp = "issued_at",
        /// The profile that admitted it.
        pub profile: ProfileName = "profile",
        /// The caller's address, unless the operator does not want it kept.
        pub source: Option<IpAddr> = "source",
        /// What an operator should look at.
        pub flags: ClientFlags = "flags",
        /// The metadata as registered: one JSON object of RFC 7591 members, defaults and substitutions in it.
        pub metadata: String = "metadata",
        /// What became of it since.
        pub state: ClientState = ClientState::COLUMNS,
        /// What became of its registration.
        pub registration: ClientRegistration = ClientRegistration::COLUMNS,
    }
}

columns! {
    /// Who registered a client, and how far it has changed its own registration (RFC 7592).
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ClientRegistration {
        /// The generation of its registration access token.
        pub generation: Generation = "generation",
        /// When its name or its redirect URIs last changed; consents from before do not count.
        pub changed_at: Option<Timestamp> = "changed_at",
        /// Who vouches for it: `token:POLICY`, an initial access token of that policy, or `operator:ID`. `None` for a
        /// stranger, who registered without either. A client that someone vouches for does not expire.
        pub registered_by: Option<String> = "registered_by",
    }
}

columns! {
    /// What operators and time made of a client, registered or with a document.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ClientState {
        /// Its standing.
        pub standing: Standing = "standing",
        /// When its standing last changed; consents from before do not count.
        pub standing_at: Option<Timestamp> = "standing_at",
        /// When it was last used, as far as that is recorded.
        pub used_at: Option<Timestamp> = "used_at",
        /// A note by an operator.
        pub note: Option<String> = "note",
        /// The scopes that an operator leaves it; `None` for all.
        pub ceiling: Option<Ceiling> = "ceiling",
        /// What the admission rule that let it in says of it.
        pub terms: ClientTerms = ClientTerms::COLUMNS,
    }
}

columns! {
    /// What an admission rule says of a client that it lets in. It stays, whatever becomes of the rule.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ClientTerms {
        /// How operators find it.
        pub label: Option<String> = "label",
        /// The scopes that the rule leaves it; `None` for all.
        pub ceiling: Option<Ceiling> = "rule_ceiling",
        /// When it is removed, whatever its use.
        pub expires_at: Option<Timestamp> = "expires_at",
    }
}

impl ClientTerms {
    /// Those of a rule, for a client that it lets in at `now`.
    pub fn of(terms: &Terms, now: Timestamp) -> Self {
        let tokens = |tokens: &Vec<ScopeToken>| tokens.iter().map(Word::text).collect();
        Self {
            label: terms.label.as_ref().map(Word::text),
            ceiling: terms.ceiling.as_ref().map(|it| Ceiling::Only(tokens(it))),
            expires_at: terms.expires_days.map(|days| now.after_days(days.into())),
        }
    }

    /// Whether the client is to be removed: until it is, it does not exist for anyone.
    pub fn are_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

impl ClientState {
    /// Whether operator or rule forbid a scope of a grant.
    pub fn forbids(&self, scope: Option<&Scope>) -> bool {
        [&self.ceiling, &self.terms.ceiling].iter().any(|it| Ceiling::forbids(it.as_ref(), scope))
    }
}

words! {
    /// Whether a client may be used.
    #[derive(Default)]
    pub enum Standing {
        /// It may.
        #[default]
        Active = "active",
        /// An operator has to approve it first.
        Pending = "pending",
        /// An operator blocked it.
        Suspended = "suspended",
        /// It was not used for a long time. The next authorization makes it active again.
        Dormant = "dormant",
    }
}

impl Standing {
    /// Whether a person may allow such a client now, and its grants give tokens.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Active | Self::Dormant)
    }
}

columns! {
    /// A client with a metadata document that a person has allowed, or asked for while a rule holds it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DocumentClientRecord {
        /// The URL of its document.
        pub url: String = "url",
        /// Names it where a UUID is needed.
        pub document_client_id: DocumentClientId = "document_client_id",
        /// When a person first allowed it, or asked for it while a rule held it.
        pub first_allowed_at: Timestamp = "first_allowed_at",
        /// When a person last allowed it.
        pub allowed_at: Timestamp = "allowed_at",
        /// Its metadata when a person last allowed it.
        pub metadata: String = "metadata",
        /// What became of it since.
        pub state: ClientState = ClientState::COLUMNS,
    }
}

/// Names a client with a document.
pub type DocumentClientId = Id<DocumentClient>;

/// What a [`DocumentClientId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentClient {}

columns! {
    /// An event. No secret, no token, no body.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct EventRecord {
        /// Names it; identifiers sort by time.
        pub event_id: EventId = "event_id",
        /// When it happened.
        pub at: Timestamp = "at",
        /// What happened.
        pub action: Action = "action",
        /// The kind of who did it.
        pub actor_kind: ActorKind = "actor_kind",
        /// Who did it.
        pub actor: Option<String> = "actor",
        /// The role of an operator at the operator API.
        pub actor_role: Option<String> = "actor_role",
        /// The client that acts for a person there.
        pub actor_client: Option<ClientIdentifier> = "actor_client",
        /// The client that it is about.
        pub client: Option<ClientIdentifier> = "client",
        /// The family of that client.
        pub family: Option<FamilyId> = "family",
        /// The grant that it is about.
        pub grant_id: Option<GrantId> = "grant_id",
        /// The person whose access it is about.
        pub subject: Option<String> = "subject",
        /// The address of the caller, if addresses are kept.
        pub source: Option<IpAddr> = "source",
        /// The identifier of the request.
        pub request_id: Option<String> = "request_id",
        /// A JSON object of a few members.
        pub detail: Option<String> = "detail",
    }
}

impl Author {
    /// An event by this author, about nothing yet.
    pub fn event(&self, action: Action) -> EventRecord {
        EventRecord {
            event_id: self.next_event(),
            at: self.at,
            action,
            actor_kind: self.actor.kind(),
            actor: self.actor.id(),
            actor_role: self.role.map(str::to_owned),
            actor_client: self.via.clone(),
            client: None,
            family: None,
            grant_id: None,
            subject: None,
            source: self.source,
            request_id: self.request_id.clone(),
            detail: None,
        }
    }
}

impl EventRecord {
    /// About a client.
    #[must_use]
    pub fn about(self, client: &ClientIdentifier) -> Self {
        Self { client: Some(client.clone()), ..self }
    }

    /// About a grant, its client, and its person.
    #[must_use]
    pub fn about_grant(self, grant: &GrantRecord) -> Self {
        Self {
            grant_id: Some(grant.grant_id),
            subject: Some(grant.subject.clone()),
            ..self.about(&grant.client)
        }
    }

    /// With a detail.
    #[must_use]
    pub fn with(self, detail: &serde_json::Value) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }
}

/// Remarks on a record, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFlags(u32);

impl ClientFlags {
    /// The name looks like a protected one, whose owner the client does not seem to be.
    pub const LOOK_ALIKE: Self = Self(1);

    /// The set of these bits; a bit that this release does not know is kept.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The set as bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Adds what `other` holds.
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The set without what `other` holds.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of what is set, as tables and JSON show them.
    pub fn names(self) -> Vec<&'static str> {
        [(Self::LOOK_ALIKE, "look_alike")]
            .into_iter()
            .filter_map(|(flag, name)| self.contains(flag).then_some(name))
            .collect()
    }
}

columns! {
    /// A grant: what a resource owner allowed a client, from the authorization code (RFC 6749 §4.1.2) to the
    /// last refresh token bought with it. Forgotten, it ends all of them.
    #[derive(Clone, Debug)]
    pub struct GrantRecord {
        /// Made by the server, never reused.
        pub grant_id: GrantId = "grant_id",
        /// Whom it was given to.
        pub client: ClientIdentifier = "client",
        /// Who gave it: the subject of its access tokens.
        pub subject: String = "subject",
        /// What was allowed; `None` when no scope was asked for.
        pub scope: Option<Scope> = "scope",
        /// Where its tokens are to be used, as the operator spells it (RFC 8707).
        pub resources: Vec<ResourceIndicator> = "resources",
        /// When it was given.
        pub issued_at: Timestamp = "issued_at",
        /// When it ends, whatever happens. No token of it is good from this moment on.
        pub expires_at: Timestamp = "expires_at",
        /// The code that it began with.
        pub code: CodeRecord = CodeRecord::COLUMNS,
        /// How many times a refresh token was exchanged.
        pub refreshes: u64 = "refreshes",
        /// How many of these exchanges presented, within the grace, the token before the last one.
        pub graced: u64 = "graced",
        /// The refresh tokens; `None` before the code was redeemed, and for a client that gets none.
        pub refresh: Option<RefreshRecord> = RefreshRecord::COLUMNS,
        /// What servers behind the guard are told of the person and the client, as JSON.
        pub identity: Option<String> = "identity",
    }
}

impl GrantRecord {
    /// Whether any token of it can be used or bought at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.refresh.as_ref().is_none_or(|it| now < it.expires_at)
    }
}

columns! {
    /// An authorization code, as it is kept with its grant.
    #[derive(Clone, Debug)]
    pub struct CodeRecord {
        /// The hash of its secret.
        pub hash: SecretHash = "code_hash",
        /// Where it was sent.
        pub redirect_uri: String = "redirect_uri",
        /// What whoever redeems it must prove (RFC 7636).
        pub challenge: CodeChallenge = "code_challenge",
        /// From when on it cannot be redeemed.
        pub expires_at: Timestamp = "code_expires_at",
        /// When it was redeemed. Kept, so that a second use is known for what it is.
        pub redeemed_at: Option<Timestamp> = "redeemed_at",
    }
}

columns! {
    /// A family of refresh tokens, of which the last one is good.
    #[derive(Clone, Debug)]
    pub struct RefreshRecord {
        /// The hash of what all of them have in common.
        pub family: SecretHash = "refresh_family",
        /// The hash of the secret of the last one.
        pub current: SecretHash = "refresh_current",
        /// The one before it, and when it was superseded.
        pub previous: Option<(SecretHash, Timestamp)> = "refresh_previous, superseded_at",
        /// When the last one expires unless it is used.
        pub expires_at: Timestamp = "refresh_expires_at",
    }
}

columns! {
    /// What a resource owner has allowed a client before, so that the next question can be shorter.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ConsentRecord {
        /// Who allowed it.
        pub subject: String = "subject",
        /// To whom.
        pub client: ClientIdentifier = "client",
        /// What.
        pub scope: Option<Scope> = "scope",
        /// The redirect URI at which it was allowed; another one is asked about as if it were the first time.
        pub redirect_uri: String = "redirect_uri",
        /// What the client said of itself then, and where it wanted to act: the SHA-256 of its metadata and of the
        /// resources.
        pub metadata_hash: [u8; 32] = "metadata_hash",
        /// When it was last allowed.
        pub allowed_at: Timestamp = "allowed_at",
        /// When it is forgotten.
        pub expires_at: Timestamp = "expires_at",
    }
}

impl ConsentRecord {
    /// By which a consent is found: the SHA-256 of whom and whose it is.
    pub fn key(subject: &str, client: &ClientIdentifier) -> [u8; 32] {
        // No identifier holds a line break, so no two pairs are written alike.
        *SecretHash::of(format!("{client}\n{subject}").as_bytes()).as_bytes()
    }
}

columns! {
    /// A resource owner who has signed in with one browser.
    #[derive(Clone, Debug)]
    pub struct SessionRecord {
        /// Names it; no secret.
        pub session_id: SessionId = "session_id",
        /// The hash of what the browser shows.
        pub hash: SecretHash = "hash",
        /// Who it is, and how pages call them.
        pub owner: ResourceOwner = ResourceOwner::COLUMNS,
        /// When they signed in.
        pub signed_in_at: Timestamp = "signed_in_at",
        /// When it ends unless it is used.
        pub idle_at: Timestamp = "idle_at",
        /// When it ends, whatever happens.
        pub expires_at: Timestamp = "expires_at",
    }
}

/// Names a session, or a sign-in that may become one.
pub type SessionId = Id<Session>;

/// What a [`SessionId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Session {}

columns! {
    /// Who a resource owner is.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ResourceOwner {
        /// The same for ever, and of nobody else: the `sub` of access tokens.
        pub subject: String = "subject",
        /// For pages.
        pub name: Option<String> = "name",
        /// For pages.
        pub email: Option<String> = "email",
        /// What servers behind the guard are told of them, as JSON.
        pub identity: Option<String> = "identity",
    }
}

columns! {
    /// A key that signs access tokens.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct KeyRecord {
        /// Its `kid`: no two are the same.
        pub key_id: String = "key_id",
        /// The `alg` it signs with (RFC 7518 §3.1).
        pub algorithm: String = "algorithm",
        /// When it was made.
        pub made_at: Timestamp = "made_at",
        /// The private key, sealed with a key that is not in the store.
        pub sealed: Vec<u8> = "sealed",
    }
}

/// The table of each kind of record, and what its errors call one.
macro_rules! tables {
    ($($record:ident in $table:literal $(with $derived:literal from $value:expr)?, |$row:ident| $name:expr;)+) => {
        $(impl Record for $record {
            const TABLE: &'static str = $table;
            const NAMES: &'static str = Self::COLUMNS;

            $(const DERIVED: &'static str = $derived;
            const WRITTEN: usize = Self::COUNT + 1;

            fn write_all<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
                to($value(self));
                self.write(to);
            }
            )?

            fn name($row: &impl Row) -> String {
                $name
            }
        })+
    };
}
pub(super) use tables;

tables! {
    ClientRecord in "clients", |row| identified::<ClientId>(row, "client", ClientId::from_bytes);
    GrantRecord in "grants", |row| identified::<GrantId>(row, "grant", GrantId::from_bytes);
    SessionRecord in "sessions", |row| identified::<SessionId>(row, "session", SessionId::from_bytes);
    ConsentRecord in "consents" with "consent_id, " from consent_id, |row| {
        let of = |column| row.text(column).ok().flatten().unwrap_or("nobody");
        format!("the consent of {} to {}", of(0), of(1))
    };
    DocumentClientRecord in "document_clients", |row| {
        format!("client {}", row.text(0).ok().flatten().unwrap_or("without a URL"))
    };
    EventRecord in "events", |row| identified::<EventId>(row, "event", EventId::from_bytes);
    KeyRecord in "keys", |_row| "a signing key".to_owned();
}

pub(super) fn identified<I: ToString>(row: &impl Row, what: &str, id: fn([u8; 16]) -> I) -> String {
    match row.id(0) {
        Ok(Some(bytes)) => format!("{what} {}", id(bytes).to_string()),
        Ok(None) | Err(_) => format!("a {what}"),
    }
}

fn consent_id(consent: &ConsentRecord) -> Value<'static> {
    let key = ConsentRecord::key(&consent.subject, &consent.client);
    Value::Bytes(Some(key.to_vec().into()))
}
