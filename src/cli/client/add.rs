//! `doorward client add`: makes a client for an app that cannot register, with an identifier to type into it.

use std::rc::Rc;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    cli::{
        author::author,
        backend::{BackendArguments, Choice},
        exit::{Failure, Outcome},
        output::{Messages, insist, print},
        remote::Server,
        settings::{OpenStore, StoreArguments, waiting_runtime},
    },
    entropy::Entropy,
    paths, registration,
    store::Access,
};

/// Add a client for an app that cannot register, and print its identifier
#[derive(Args, Debug)]
#[command(
    after_help = "The client_id goes to standard output, everything else to standard error. Type it into the app. The \
client is public: it has no secret, and uses PKCE. Its metadata is checked like that of a registration, with the \
settings of the server; admission rules do not apply. It does not expire.

Examples:
  doorward client add --name \"Acme CRM\" --redirect-uri https://crm.acme.example/oauth/callback
  doorward client add --name Reports --redirect-uri http://127.0.0.1/cb --scope \"projects:read\""
)]
pub(in crate::cli) struct AddArguments {
    /// The name that people see
    #[arg(long)]
    name: String,
    /// Where authorization responses may go; repeatable
    #[arg(long, value_name = "URI", required = true)]
    redirect_uri: Vec<String>,
    /// The scopes that the app asks for unless it says otherwise, separated by spaces
    #[arg(long)]
    scope: Option<String>,
    /// A page about the app
    #[arg(long, value_name = "URL")]
    client_uri: Option<String>,
    #[command(flatten)]
    backend: BackendArguments,
}

impl AddArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let mut members = Map::new();
        members.insert("client_name".to_owned(), self.name.clone().into());
        members.insert("redirect_uris".to_owned(), self.redirect_uri.into());
        let optional = [("scope", self.scope), ("client_uri", self.client_uri)];
        for (name, value) in optional {
            members.extend(value.map(|value| (name.to_owned(), Value::from(value))));
        }
        let metadata = Value::from(members);
        let added = match self.backend.choose()? {
            Choice::Store(store) => add(store, &metadata)?,
            Choice::Server(server) => add_at(&server, &metadata)?,
        };
        let id = match added {
            Ok(id) => id,
            Err(reasons) => {
                for reason in reasons {
                    insist(reason);
                }
                insist("No client was added.");
                return Ok(Outcome::No);
            }
        };
        messages.say(format_args!("Added {}. Its client_id:", self.name));
        print(id)?;
        Ok(Outcome::Done)
    }
}

/// The identifier of the new client, or everything that is wrong with its metadata.
type Added = Result<String, Vec<String>>;

fn add(store: StoreArguments, metadata: &Value) -> Result<Added, Failure> {
    let config = store.load()?;
    let (body, by) = (metadata.to_string(), author());
    let made = registration::make(body.as_bytes(), &config.registration, &by, &Entropy::System);
    let client = match made {
        Ok(client) => client,
        Err(violations) => {
            return Ok(Err(violations.into_iter().map(|violation| violation.reason).collect()));
        }
    };
    let id = client.client_id.to_string();
    let store = OpenStore::open(config, Access::Command, &Rc::new(waiting_runtime()?))?;
    store.wait(store.handle.add_client(client))?;
    store.close()?;
    Ok(Ok(id))
}

fn add_at(server: &Server, metadata: &Value) -> Result<Added, Failure> {
    let attributes = json!({ "metadata": metadata });
    let reply = server.create(paths::CLIENTS, "oauth2_clients", &attributes)?;
    if reply.is_invalid() {
        return Ok(Err(reply.details()));
    }
    let created = reply.done()?;
    let id = created["data"]["attributes"]["client_id"].as_str();
    id.map(|id| Ok(id.to_owned())).ok_or_else(|| server.unreadable("client_id is missing"))
}
