//! `doorward client add`: makes a client for an app that cannot register, with an identifier to type into it.

use std::rc::Rc;

use clap::Args;
use serde_json::{Map, Value};

use crate::{
    cli::{
        author::author,
        exit::{Failure, Outcome},
        output::{Messages, insist, print},
        settings::{OpenStore, StoreArguments, waiting_runtime},
    },
    entropy::Entropy,
    registration,
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
    store: StoreArguments,
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
        let config = self.store.load()?;
        let body = Value::from(members).to_string();
        let by = author();
        let made = registration::make(body.as_bytes(), &config.registration, &by, &Entropy::System);
        let client = match made {
            Ok(client) => client,
            Err(violations) => {
                for violation in violations {
                    insist(violation.reason);
                }
                insist("No client was added.");
                return Ok(Outcome::No);
            }
        };
        let id = client.client_id;
        let store = OpenStore::open(config, Access::Command, &Rc::new(waiting_runtime()?))?;
        store.wait(store.handle.add_client(client))?;
        store.close()?;
        messages.say(format_args!("Added {}. Its client_id:", self.name));
        print(id)?;
        Ok(Outcome::Done)
    }
}
