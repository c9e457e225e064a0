//! `doorward registration-token`: the initial access tokens with which clients register (RFC 7591 §3).

use std::num::NonZeroUsize;

use clap::{Args, Subcommand, value_parser};
use serde::Serialize;

use super::{
    author::author,
    credential::{self, Named, time_or_never},
    exit::{Failure, Outcome},
    output::{Messages, RecordOutput, insist, print},
    records::{self, Listed, Part},
    settings::StoreArguments,
    time::{self, Lifetime, to_rfc3339},
};
use crate::{
    admission::{RuleId, Word as _},
    audit::Author,
    clock::Clock,
    entropy::Entropy,
    registration::InitialAccessToken,
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
    #[arg(long, value_parser = word)]
    name: String,
    /// How many clients can register with it
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    uses: u64,
    /// When the token expires: after a time such as 12h, 90d, or 52w, or never
    #[arg(long, value_name = "LIFETIME", default_value = "30d", value_parser = time::lifetime)]
    expires: Lifetime,
    /// The policy by which admission rules know the token [default: its name]
    #[arg(long, value_name = "POLICY", value_parser = word)]
    policy: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
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
    store: StoreArguments,
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
    store: StoreArguments,
}

/// A name or a policy, as an admission rule spells it; `none` means there that there is no token.
fn word(text: &str) -> Result<String, String> {
    match RuleId::parse(text) {
        Ok(_) if text != "none" => Ok(text.to_owned()),
        Ok(_) => Err("is the word for no token".to_owned()),
        Err(_) => Err(format!("write {}", RuleId::EXPECTED)),
    }
}

impl CreateArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let store = self.store.open(Access::Command)?;
        let now = Clock::System.now();
        let token = InitialAccessToken::generate(now, &Entropy::System);
        let record = InitialAccessTokenRecord {
            initial_access_token_id: token.id,
            policy: self.policy.unwrap_or_else(|| self.name.clone()),
            name: self.name,
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
        let name = &record.name;
        if !is_created {
            insist(format_args!(
                "There is already an initial access token named {name}. Choose another name, or revoke it first."
            ));
            return Ok(Outcome::No);
        }
        let clients = if record.uses_max == 1 { "client" } else { "clients" };
        let expires = credential::expiry(record.expires_at);
        messages.say(format_args!(
            "Created {name} for {} {clients}. It {expires} and is not shown again:",
            record.uses_max
        ));
        print(token)?;
        Ok(Outcome::Done)
    }
}

impl ListArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        records::list::<InitialAccessTokenRecord>(
            &self.store.open(Access::Read)?,
            (),
            part,
            messages,
        )
    }
}

impl RevokeArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        credential::revoke::<InitialAccessTokenRecord>(self.store, self.tokens, self.yes, messages)
    }
}

impl Named for InitialAccessTokenRecord {
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

/// A token as programs read it: never its secret.
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

impl Listed for InitialAccessTokenRecord {
    type Id = InitialAccessTokenId;
    type Filter = ();
    const NAME: &'static str = "initial access token";
    const HEADER: &'static [&'static str] =
        &["NAME", "POLICY", "USES", "CREATED", "EXPIRES", "LAST USED", "TOKEN ID"];

    async fn page(
        store: &Store,
        (): &(),
        after: Option<InitialAccessTokenId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.initial_access_tokens(after, limit).await
    }

    fn id(&self) -> InitialAccessTokenId {
        self.initial_access_token_id
    }

    fn line(&self) -> Result<String, Failure> {
        serde_json::to_string(&Line {
            initial_access_token_id: self.initial_access_token_id.to_string(),
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
            self.initial_access_token_id.to_string(),
        ]
    }
}
