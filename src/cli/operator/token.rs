//! `doorward operator token`: the tokens of programs that administer this server.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand, builder::TypedValueParser};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    audit::Author,
    cli::{
        author::author,
        backend::{Backend, BackendArguments},
        credential::{self, Named, time_or_never},
        exit::{Failure, Outcome},
        output::{Messages, RecordOutput, insist, print},
        records::{self, Listed, Part},
        remote::{Collection, Read, Server, attributes, moment, moment_or_none},
        settings::{OpenStore, one_of},
        time::{self, Lifetime, to_rfc3339},
    },
    clock::{Clock, Timestamp},
    entropy::Entropy,
    operator::{OperatorToken, OperatorTokenId, Role, token_name},
    paths,
    store::{Access, Deleted, OperatorTokenRecord, Store, StoreError},
};

/// Create, list, and revoke the tokens of programs that administer this server
#[derive(Subcommand, Debug)]
pub(in crate::cli) enum TokenCommand {
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

/// Create an operator token and print it, once
#[derive(Args, Debug)]
#[command(
    after_help = "The token goes to standard output, everything else to standard error. The store has only a hash of \
it. Audit events name the token as the author of each change that it makes.

Roles: viewer reads; operator also approves, suspends, revokes, and annotates; admin also removes.

Examples:
  doorward operator token create --name CI --role viewer --expires 90d
  export DOORWARD_TOKEN=$(doorward operator token create --name deploy --role admin --expires 1d)"
)]
pub(in crate::cli) struct CreateArguments {
    /// What you call the token: the name that audit events show
    #[arg(long, value_parser = token_name)]
    name: String,
    /// What the token may do
    #[arg(long, value_parser = role_parser())]
    role: Role,
    /// When the token expires: after a time such as 12h, 90d, or 52w, or never
    #[arg(long, value_name = "LIFETIME", default_value = "90d", value_parser = time::lifetime)]
    expires: Lifetime,
    #[command(flatten)]
    backend: BackendArguments,
}

/// List operator tokens, expired ones too
#[derive(Args, Debug)]
#[command(after_help = "The last use is up to 30 seconds old.

Example:
  doorward operator token list")]
pub(in crate::cli) struct ListArguments {
    /// Show at most this many tokens [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Continue after this token, the last of an earlier list
    #[arg(long, value_name = "TOKEN_ID")]
    after: Option<OperatorTokenId>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Revoke operator tokens: the next call with one fails
#[derive(Args, Debug)]
#[command(after_help = "Example:
  doorward operator token revoke CI --yes")]
pub(in crate::cli) struct RevokeArguments {
    /// The tokens: names or identifiers
    #[arg(value_name = "NAME", required = true)]
    tokens: Vec<String>,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

fn role_parser() -> impl TypedValueParser<Value = Role> {
    one_of(Role::ALL.iter().map(|role| role.as_str()))
}

impl CreateArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let Self { name, role, expires, backend } = self;
        let created = match backend.open(Access::Command)? {
            Backend::Store(store) => create(store, &name, role, expires)?,
            Backend::Server(server) => create_at(&server, &name, role, expires)?,
        };
        let Some((shown, token)) = created else {
            insist(format_args!(
                "There is already an operator token named {name}. Choose another name, or revoke it first."
            ));
            return Ok(Outcome::No);
        };
        let expires = credential::expiry(shown.expires_at);
        messages.say(format_args!(
            "Created {name} with the role {role}. It {expires} and is not shown again:"
        ));
        print(token)?;
        Ok(Outcome::Done)
    }
}

/// A new token and what is shown of it; `None` when another token has its name.
type Created = Option<(Shown, String)>;

fn create(store: OpenStore, name: &str, role: Role, expires: Lifetime) -> Result<Created, Failure> {
    let now = Clock::System.now();
    let token = OperatorToken::generate(now, &Entropy::System);
    let record = OperatorTokenRecord {
        operator_token_id: token.id,
        name: name.to_owned(),
        role,
        hash: token.secret.hash(),
        created_at: now,
        expires_at: expires.after(now),
        used_at: None,
    };
    let is_created = store.wait(store.handle.create_operator_token(record.clone(), author()))?;
    store.close()?;
    Ok(is_created.then(|| (record.into(), token.to_string())))
}

fn create_at(
    server: &Server,
    name: &str,
    role: Role,
    expires: Lifetime,
) -> Result<Created, Failure> {
    let expires_at = expires.after(Clock::System.now()).map(to_rfc3339);
    let attributes = json!({ "name": name, "role": role.as_str(), "expires_at": expires_at });
    let reply = server.create(paths::OPERATOR_TOKENS, "oauth2_operator_tokens", &attributes)?;
    credential::created(server, reply, Shown::read)
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

    async fn revoke(store: &Store, id: OperatorTokenId, by: Author) -> Result<Deleted, StoreError> {
        store.revoke_operator_token(id, by).await
    }
}

/// What is shown of a token: never its secret.
#[derive(Clone)]
struct Shown {
    id: OperatorTokenId,
    name: String,
    role: Role,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    used_at: Option<Timestamp>,
}

impl From<OperatorTokenRecord> for Shown {
    fn from(token: OperatorTokenRecord) -> Self {
        Self {
            id: token.operator_token_id,
            name: token.name,
            role: token.role,
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
    role: String,
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
        let Attributes { name, role, created_at, expires_at, used_at } = attributes(resource)?;
        let id = resource["id"].as_str().and_then(|id| id.parse().ok()).ok_or("id is unknown")?;
        let role = role.parse().map_err(|()| "role is unknown")?;
        Ok(Self { id, name, role, created_at, expires_at, used_at })
    }
}

/// A token as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    operator_token_id: String,
    name: &'a str,
    role: &'static str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
}

fn line(token: &Shown) -> Line<'_> {
    Line {
        operator_token_id: token.id.to_string(),
        name: &token.name,
        role: token.role.as_str(),
        created_at: to_rfc3339(token.created_at),
        expires_at: token.expires_at.map(to_rfc3339),
        used_at: token.used_at.map(to_rfc3339),
    }
}

impl Listed for Shown {
    type Id = OperatorTokenId;
    type Filter = ();
    const NAME: &'static str = "operator token";
    const HEADER: &'static [&'static str] =
        &["NAME", "ROLE", "CREATED", "EXPIRES", "LAST USED", "TOKEN ID"];
    const API: Option<Collection<Self>> = Some(Collection {
        path: paths::OPERATOR_TOKENS,
        query: |()| Vec::new(),
        read: |resource| Some(Self::read(resource)),
        page_max: 100,
    });

    async fn page(
        store: &Store,
        (): &(),
        after: Option<OperatorTokenId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let page = store.operator_tokens(after, limit).await?;
        Ok(page.into_iter().map(Self::from).collect())
    }

    fn id(&self) -> OperatorTokenId {
        self.id
    }

    fn line(&self) -> Result<String, Failure> {
        serde_json::to_string(&line(self))
            .map_err(Failure::of("cannot write an operator token as JSON"))
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.role.to_string(),
            to_rfc3339(self.created_at),
            time_or_never(self.expires_at),
            time_or_never(self.used_at),
            self.id.to_string(),
        ]
    }
}
