//! `doorward registration-token`: the initial access tokens with which clients register (RFC 7591 §3).

use std::num::NonZeroUsize;

use clap::{Args, Subcommand, value_parser};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    author::author,
    backend::{Backend, BackendArguments},
    credential::{self, Named, time_or_never},
    exit::{Failure, Outcome},
    output::{Messages, RecordOutput, insist, number, print},
    records::{self, Listed, Part},
    remote::{Collection, Read, Server, attributes, moment, moment_or_none},
    settings::OpenStore,
    time::{self, Lifetime, to_rfc3339},
};
use crate::{
    audit::Author,
    clock::{Clock, Timestamp},
    entropy::Entropy,
    paths,
    registration::{InitialAccessToken, token_word},
    store::{Access, Deleted, InitialAccessTokenId, InitialAccessTokenRecord, Store, StoreError},
};

/// Create, list, and revoke the tokens with which clients register (initial access tokens)
#[derive(Subcommand, Debug)]
pub(super) enum TokenCommand {
    Create(CreateArguments),
    List(ListArguments),
    Revoke(RevokeArguments),
}

impl TokenCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::Create(arguments) => arguments.run(messages),
            Self::List(arguments) => arguments.run(messages),
            Self::Revoke(arguments) => arguments.run(messages),
        }
    }
}

/// Create an initial access token and print it, once
#[derive(Args, Debug)]
#[command(
    after_help = "The token goes to standard output, everything else to standard error. The store has only a hash of \
it. Servers look at tokens if registration.access is \"token\" or \"either\".

A client that registers with a valid token is let in unless an admission rule rejects or holds it, whatever \
registration.default says; rules know the token by its policy (initial_access_token). It does not expire when unused.

Examples:
  doorward registration-token create --name partners --uses 10 --expires 30d
  TOKEN=$(doorward registration-token create --name ci --uses 1 --expires 1h)"
)]
pub(super) struct CreateArguments {
    /// What you call the token: lower-case letters, digits, hyphens, and underscores
    #[arg(long, value_parser = token_word)]
    name: String,
    /// How many clients can register with it
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    uses: u64,
    /// When the token expires: after a time such as 12h, 90d, or 52w, or never
    #[arg(long, value_name = "LIFETIME", default_value = "30d", value_parser = time::lifetime)]
    expires: Lifetime,
    /// The policy by which admission rules know the token [default: its name]
    #[arg(long, value_name = "POLICY", value_parser = token_word)]
    policy: Option<String>,
    #[command(flatten)]
    backend: BackendArguments,
}

/// List initial access tokens, expired and used up ones too
#[derive(Args, Debug)]
#[command(after_help = "Example:
  doorward registration-token list")]
pub(super) struct ListArguments {
    /// Show at most this many tokens [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Continue after this token, the last of an earlier list
    #[arg(long, value_name = "TOKEN_ID")]
    after: Option<InitialAccessTokenId>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Revoke initial access tokens: no client can register with them any more
#[derive(Args, Debug)]
#[command(after_help = "Clients that registered with the token stay.

Example:
  doorward registration-token revoke partners --yes")]
pub(super) struct RevokeArguments {
    /// The tokens: names or identifiers
    #[arg(value_name = "NAME", required = true)]
    tokens: Vec<String>,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

impl CreateArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let Self { name, uses, expires, policy, backend } = self;
        let wanted = Wanted { policy: policy.unwrap_or_else(|| name.clone()), name, uses, expires };
        let created = match backend.open(Access::Command)? {
            Backend::Store(store) => wanted.create(store)?,
            Backend::Server(server) => wanted.create_at(&server)?,
        };
        let name = &wanted.name;
        let Some((shown, token)) = created else {
            insist(format_args!(
                "There is already an initial access token named {name}. Choose another name, or revoke it first."
            ));
            return Ok(Outcome::No);
        };
        let clients = number(shown.uses_max, "client", "clients");
        let expires = credential::expiry(shown.expires_at);
        messages.say(format_args!(
            "Created {name} for {clients}. It {expires} and is not shown again:"
        ));
        print(token)?;
        Ok(Outcome::Done)
    }
}

/// A token that is to be created.
struct Wanted {
    name: String,
    policy: String,
    uses: u64,
    expires: Lifetime,
}

/// A new token and what is shown of it; `None` when another token has its name.
type Created = Option<(Shown, String)>;

impl Wanted {
    fn create(&self, store: OpenStore) -> Result<Created, Failure> {
        let now = Clock::System.now();
        let token = InitialAccessToken::generate(now, &Entropy::System);
        let record = InitialAccessTokenRecord {
            initial_access_token_id: token.id,
            policy: self.policy.clone(),
            name: self.name.clone(),
            hash: token.secret.hash(),
            created_at: now,
            expires_at: self.expires.after(now),
            uses_max: self.uses,
            uses: 0,
            used_at: None,
        };
        let creating = store.handle.create_initial_access_token(record.clone(), author());
        let is_created = store.wait(creating)?;
        store.close()?;
        Ok(is_created.then(|| (record.into(), token.to_string())))
    }

    fn create_at(&self, server: &Server) -> Result<Created, Failure> {
        let attributes = json!({
            "name": self.name,
            "policy": self.policy,
            "uses_max": self.uses,
            "expires_at": self.expires.after(Clock::System.now()).map(to_rfc3339),
        });
        let (path, kind) = (paths::INITIAL_ACCESS_TOKENS, "oauth2_initial_access_tokens");
        credential::created(server, server.create(path, kind, &attributes)?, Shown::read)
    }
}

impl ListArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        records::list::<Shown>(&self.backend.open(Access::Read)?, (), part, messages)
    }
}

impl RevokeArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        credential::revoke::<Shown>(self.backend, self.tokens, self.yes, messages)
    }
}

impl Named for Shown {
    fn name(&self) -> &str {
        &self.name
    }

    async fn revoke(
        store: &Store,
        id: InitialAccessTokenId,
        by: Author,
    ) -> Result<Deleted, StoreError> {
        store.revoke_initial_access_token(id, by).await
    }
}

/// What is shown of a token: never its secret.
#[derive(Clone)]
struct Shown {
    id: InitialAccessTokenId,
    name: String,
    policy: String,
    uses: u64,
    uses_max: u64,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    used_at: Option<Timestamp>,
}

impl From<InitialAccessTokenRecord> for Shown {
    fn from(token: InitialAccessTokenRecord) -> Self {
        Self {
            id: token.initial_access_token_id,
            name: token.name,
            policy: token.policy,
            uses: token.uses,
            uses_max: token.uses_max,
            created_at: token.created_at,
            expires_at: token.expires_at,
            used_at: token.used_at,
        }
    }
}

/// The attributes of a token in the operator API.
#[derive(Deserialize)]
struct Attributes {
    name: String,
    policy: String,
    uses: u64,
    uses_max: u64,
    #[serde(deserialize_with = "moment")]
    created_at: Timestamp,
    #[serde(default, deserialize_with = "moment_or_none")]
    expires_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment_or_none")]
    used_at: Option<Timestamp>,
}

impl Shown {
    /// The token of a resource.
    fn read(resource: &Value) -> Read<Self> {
        let Attributes { name, policy, uses, uses_max, created_at, expires_at, used_at } =
            attributes(resource)?;
        let id = resource["id"].as_str().and_then(|id| id.parse().ok()).ok_or("id is unknown")?;
        Ok(Self { id, name, policy, uses, uses_max, created_at, expires_at, used_at })
    }
}

/// A token as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    initial_access_token_id: String,
    name: &'a str,
    policy: &'a str,
    uses: u64,
    uses_max: u64,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
}

impl Listed for Shown {
    type Id = InitialAccessTokenId;
    type Filter = ();
    const NAME: &'static str = "initial access token";
    const HEADER: &'static [&'static str] =
        &["NAME", "POLICY", "USES", "CREATED", "EXPIRES", "LAST USED", "TOKEN ID"];
    const API: Option<Collection<Self>> = Some(Collection {
        path: paths::INITIAL_ACCESS_TOKENS,
        query: |()| Vec::new(),
        read: |resource| Some(Self::read(resource)),
        page_max: 100,
    });

    async fn page(
        store: &Store,
        (): &(),
        after: Option<InitialAccessTokenId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let page = store.initial_access_tokens(after, limit).await?;
        Ok(page.into_iter().map(Self::from).collect())
    }

    fn id(&self) -> InitialAccessTokenId {
        self.id
    }

    fn line(&self) -> Result<String, Failure> {
        serde_json::to_string(&Line {
            initial_access_token_id: self.id.to_string(),
            name: &self.name,
            policy: &self.policy,
            uses: self.uses,
            uses_max: self.uses_max,
            created_at: to_rfc3339(self.created_at),
            expires_at: self.expires_at.map(to_rfc3339),
            used_at: self.used_at.map(to_rfc3339),
        })
        .map_err(Failure::of("cannot write an initial access token as JSON"))
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.policy.clone(),
            format!("{} of {}", self.uses, self.uses_max),
            to_rfc3339(self.created_at),
            time_or_never(self.expires_at),
            time_or_never(self.used_at),
            self.id.to_string(),
        ]
    }
}
