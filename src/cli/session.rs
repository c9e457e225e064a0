//! `doorward session`: who is signed in with which browser, in the store or by the operator API of a server.

use std::{num::NonZeroUsize, sync::Arc};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    author::author,
    backend::BackendArguments,
    exit::{Failure, Outcome},
    output::{Messages, RecordOutput},
    records::{self, Doomed, Forgotten, Listed, Part},
    remote::{Collection, Read, attributes, moment},
    time::to_rfc3339,
};
use crate::{
    clock::Timestamp,
    paths,
    store::{Access, Deleted, SessionId, SessionRecord, Store, StoreError},
};

/// List and revoke the sessions of people who have signed in
#[derive(Subcommand, Debug)]
pub(super) enum SessionCommand {
    List(ListArguments),
    Revoke(RevokeArguments),
}

impl SessionCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(messages),
            Self::Revoke(arguments) => arguments.run(messages),
        }
    }
}

/// List sessions in the order in which they were begun
#[derive(Args, Debug)]
#[command(after_help = "A session is listed until it is forgotten, within minutes of its end.

Example:
  doorward session list --subject acme:248289761001")]
pub(super) struct ListArguments {
    /// Only sessions of this resource owner, as access tokens name it in `sub`
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Show at most this many sessions [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Continue after this session, the last of an earlier list
    #[arg(long, value_name = "SESSION_ID")]
    after: Option<SessionId>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Revoke sessions: their owners have to sign in again
#[derive(Args, Debug)]
#[command(
    after_help = "What people have allowed stays, and the provider may sign them in again without a question: see \
also `doorward grant revoke`.

Examples:
  doorward session revoke 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e
  doorward session revoke --subject acme:248289761001 --yes"
)]
pub(super) struct RevokeArguments {
    /// The sessions
    #[arg(
        value_name = "SESSION_ID",
        required_unless_present = "subject",
        conflicts_with = "subject"
    )]
    session_ids: Vec<SessionId>,
    /// All sessions of this resource owner, as access tokens name it in `sub`
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Say how many there are, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

impl ListArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        records::list::<Session>(&self.backend.open(Access::Read)?, self.subject, part, messages)
    }
}

impl RevokeArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let doomed = Doomed::<Session> {
            named: self.session_ids,
            filter: self.subject,
            is_sure: self.yes,
            is_rehearsal: self.dry_run,
        };
        records::forget(|| self.backend.open(Access::Command), doomed, messages)
    }
}

/// What is shown of a session.
pub(super) struct Session {
    pub(super) id: SessionId,
    facts: Facts,
}

/// The attributes of a session in the operator API.
#[derive(Deserialize)]
struct Facts {
    sub: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(deserialize_with = "moment")]
    signed_in_at: Timestamp,
    #[serde(deserialize_with = "moment")]
    idle_at: Timestamp,
    #[serde(deserialize_with = "moment")]
    expires_at: Timestamp,
}

impl From<SessionRecord> for Session {
    fn from(session: SessionRecord) -> Self {
        let SessionRecord { session_id, owner, signed_in_at, idle_at, expires_at, .. } = session;
        let facts = Facts {
            sub: owner.subject,
            name: owner.name,
            email: owner.email,
            signed_in_at,
            idle_at,
            expires_at,
        };
        Self { id: session_id, facts }
    }
}

/// A session as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    session_id: String,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    signed_in_at: String,
    /// When it ends unless it is used.
    idle_at: String,
    expires_at: String,
}

impl Session {
    /// The session of a resource.
    fn read(resource: &Value) -> Read<Self> {
        let id = resource["id"].as_str().and_then(|id| id.parse().ok());
        Ok(Self { id: id.ok_or("id is unknown")?, facts: attributes(resource)? })
    }

    pub(super) fn signed_in_at(&self) -> String {
        to_rfc3339(self.facts.signed_in_at)
    }

    pub(super) fn idle_at(&self) -> String {
        to_rfc3339(self.facts.idle_at)
    }

    pub(super) fn expires_at(&self) -> String {
        to_rfc3339(self.facts.expires_at)
    }

    fn line(&self) -> Line<'_> {
        Line {
            session_id: self.id.to_string(),
            sub: &self.facts.sub,
            name: self.facts.name.as_deref(),
            email: self.facts.email.as_deref(),
            signed_in_at: self.signed_in_at(),
            idle_at: self.idle_at(),
            expires_at: self.expires_at(),
        }
    }
}

impl Listed for Session {
    type Id = SessionId;
    /// The subject.
    type Filter = Option<String>;
    const NAME: &'static str = "session";
    const HEADER: &'static [&'static str] =
        &["SESSION ID", "SIGNED IN", "IDLE", "ENDS", "SUBJECT", "NAME", "E-MAIL"];
    const API: Option<Collection<Self>> = Some(Collection {
        path: paths::SESSIONS,
        query: |subject| subject.iter().map(|it| ("filter[sub]", it.clone())).collect(),
        read: |resource| Some(Self::read(resource)),
        page_max: 100,
    });

    async fn page(
        store: &Store,
        subject: &Option<String>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let page = store.sessions(subject.as_deref(), after, limit).await?;
        Ok(page.into_iter().map(Self::from).collect())
    }

    fn id(&self) -> SessionId {
        self.id
    }

    fn line(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string(&self.line()).expect("strings under string keys are JSON"))
    }

    fn row(&self) -> Vec<String> {
        let line = self.line();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let (name, email) = (text(line.name), text(line.email));
        let sub = line.sub.to_owned();
        vec![line.session_id, line.signed_in_at, line.idle_at, line.expires_at, sub, name, email]
    }
}

impl Forgotten for Session {
    const FORGET: &'static str = "Revoke";

    async fn forget(store: Arc<Store>, id: SessionId) -> Result<Deleted, StoreError> {
        store.end_session(id, author()).await
    }
}
