//! `doorward operator token`: the tokens of programs that administer this server.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand, builder::PossibleValuesParser, builder::TypedValueParser as _};
use serde::Serialize;

use crate::{
    audit::Author,
    cli::{
        author::author,
        credential::{self, Named, time_or_never},
        exit::{Failure, Outcome},
        output::{Messages, RecordOutput, insist, print},
        records::{self, Listed, Part},
        settings::StoreArguments,
        time::{self, Lifetime, to_rfc3339},
    },
    clock::Clock,
    entropy::Entropy,
    operator::{OperatorToken, OperatorTokenId, Role},
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
    #[arg(long, value_parser = name)]
    name: String,
    /// What the token may do
    #[arg(long, value_parser = role_parser())]
    role: Role,
    /// When the token expires: after a time such as 12h, 90d, or 52w, or never
    #[arg(long, value_name = "LIFETIME", default_value = "90d", value_parser = time::lifetime)]
    expires: Lifetime,
    #[command(flatten)]
    store: StoreArguments,
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
    store: StoreArguments,
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
    store: StoreArguments,
}

fn role_parser() -> impl clap::builder::TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.iter().map(|role| role.as_str()))
        .map(|name| name.parse().expect("a name of the list above"))
}

/// A name that a table and an event can show.
fn name(text: &str) -> Result<String, String> {
    const CHARS_MAX: usize = 100;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > CHARS_MAX || text.chars().any(char::is_control) {
        return Err(format!("write one line of at most {CHARS_MAX} characters"));
    }
    Ok(text.to_owned())
}

impl CreateArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let store = self.store.open(Access::Command)?;
        let now = Clock::System.now();
        let token = OperatorToken::generate(now, &Entropy::System);
        let record = OperatorTokenRecord {
            operator_token_id: token.id,
            name: self.name,
            role: self.role,
            hash: token.secret.hash(),
            created_at: now,
            expires_at: self.expires.after(now),
            used_at: None,
        };
        let is_created =
            store.wait(store.handle.create_operator_token(record.clone(), author()))?;
        store.close()?;
        if !is_created {
            insist(format_args!(
                "There is already an operator token named {}. Choose another name, or revoke it first.",
                record.name
            ));
            return Ok(Outcome::No);
        }
        let expires = credential::expiry(record.expires_at);
        messages.say(format_args!(
            "Created {} with the role {}. It {expires} and is not shown again:",
            record.name, record.role
        ));
        print(token)?;
        Ok(Outcome::Done)
    }
}

impl ListArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        records::list::<OperatorTokenRecord>(&self.store.open(Access::Read)?, (), part, messages)
    }
}

impl RevokeArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        credential::revoke::<OperatorTokenRecord>(self.store, self.tokens, self.yes, messages)
    }
}

impl Named for OperatorTokenRecord {
    fn name(&self) -> &str {
        &self.name
    }

    async fn revoke(store: &Store, id: OperatorTokenId, by: Author) -> Result<Deleted, StoreError> {
        store.revoke_operator_token(id, by).await
    }
}

/// A token as programs read it: never its secret.
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

fn line(token: &OperatorTokenRecord) -> Line<'_> {
    Line {
        operator_token_id: token.operator_token_id.to_string(),
        name: &token.name,
        role: token.role.as_str(),
        created_at: to_rfc3339(token.created_at),
        expires_at: token.expires_at.map(to_rfc3339),
        used_at: token.used_at.map(to_rfc3339),
    }
}

impl Listed for OperatorTokenRecord {
    type Id = OperatorTokenId;
    type Filter = ();
    const NAME: &'static str = "operator token";
    const HEADER: &'static [&'static str] =
        &["NAME", "ROLE", "CREATED", "EXPIRES", "LAST USED", "TOKEN ID"];

    async fn page(
        store: &Store,
        (): &(),
        after: Option<OperatorTokenId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.operator_tokens(after, limit).await
    }

    fn id(&self) -> OperatorTokenId {
        self.operator_token_id
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
            self.operator_token_id.to_string(),
        ]
    }
}
