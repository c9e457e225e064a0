//! `doorward serve`: the server in the foreground, until SIGTERM or SIGINT. What it does is `server/`'s;
//! here it gets its settings, its store and its log, and says where it listens.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use clap::Args;
use tokio::runtime;

use super::{
    exit::{Failure, Outcome},
    output::{Messages, print},
    settings::{ServerArguments, refused},
};
use crate::{
    app::App,
    audit::{Actor, Author},
    clock::Clock,
    config::Config,
    entropy::Entropy,
    keys, log,
    operator::{OperatorToken, Role},
    server::{self, Addresses, Ended, Signals},
    store::{self, Access, OperatorTokenRecord, StoreError},
};

/// Run the server until it is told to stop
#[derive(Args, Debug)]
#[command(
    after_help = "SIGTERM and SIGINT stop the server when the requests in flight are finished; a second \
one stops it at once. SIGHUP reads the certificate files again.

Examples:
  doorward serve --dev
  doorward serve --dev --protect http://127.0.0.1:3000/mcp
  doorward config init doorward.toml && doorward serve --config doorward.toml"
)]
pub(super) struct ServeArguments {
    #[command(flatten)]
    server: ServerArguments,
}

impl ServeArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let is_dev = self.server.is_dev();
        let config = self.server.load().map_err(|errors| refused(&errors))?;
        let _log = log::init(&config.log).map_err(Failure::of("cannot log"))?;
        let cannot_start = "the server cannot start";
        let runtime = runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Failure::of(cannot_start))?;
        let mut announcement = Announcement::new(&config, is_dev);
        let authorizes = config.authorizes();
        let store = runtime
            .block_on(store::open(&config, Access::Serve))
            .map_err(|error| Failure::because(error.to_string()))?;
        let config =
            keys::with_secret(config, &Entropy::System).map_err(Failure::of(cannot_start))?;
        let app = App::new(config, store, Clock::System, Entropy::System);
        announcement.password = app.take_local_password();
        if is_dev {
            let created = runtime.block_on(dev_token(&app));
            announcement.operator_token = Some(created.map_err(Failure::of(cannot_start))?);
        }
        let ended = runtime.block_on(async {
            let signals = Signals::system().map_err(Failure::of(cannot_start))?;
            let ready = |addresses: Addresses| {
                if !authorizes {
                    tracing::warn!("there is no way to sign in: set sign_in.providers");
                }
                tracing::info!(
                    public = %addresses.public,
                    management = %addresses.management,
                    operator = addresses.operator.map(tracing::field::display),
                    guard = addresses.guard.map(tracing::field::display),
                    "listening"
                );
                if !messages.quiet {
                    // A server works on when nobody reads where it listens.
                    drop(print(announcement.of(addresses)));
                }
            };
            server::serve(app, signals, ready).await.map_err(Failure::of(cannot_start))
        })?;
        // Nothing that is still running has anything to finish.
        runtime.shutdown_timeout(Duration::ZERO);
        match ended {
            Ended::Drained | Ended::Late => Ok(Outcome::Done),
            Ended::AtOnce => Err(Failure::because("stopped at once, with requests in flight")),
        }
    }
}

/// The name of the operator token of a server for development.
const DEV_TOKEN: &str = "serve --dev";
/// How long it is valid: a data folder may outlive its time as a toy.
const DEV_TOKEN_DAYS: u64 = 7;

/// Creates the operator token of a server for development, and revokes the one of its last start.
async fn dev_token(app: &App) -> Result<String, StoreError> {
    let (store, now) = (&app.store, app.clock.now());
    let by = || Author::new(Actor::System, now, app.entropy.clone());
    let mut after = None;
    loop {
        let page = store.operator_tokens(after, 100).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.operator_token_id);
        for token in page.iter().filter(|token| token.name == DEV_TOKEN) {
            store.revoke_operator_token(token.operator_token_id, by()).await?;
        }
    }
    let token = OperatorToken::generate(now, &app.entropy);
    let record = OperatorTokenRecord {
        operator_token_id: token.id,
        name: DEV_TOKEN.to_owned(),
        role: Role::Admin,
        hash: token.secret.hash(),
        created_at: now,
        expires_at: Some(now.after_days(DEV_TOKEN_DAYS)),
        used_at: None,
    };
    store.create_operator_token(record, by()).await?;
    Ok(token.to_string())
}

/// What a person reads when the server is ready.
struct Announcement {
    scheme: &'static str,
    /// The folder or the database where clients are kept.
    store: String,
    is_dev: bool,
    /// The password of the local sign-in.
    password: Option<String>,
    /// The operator token of a server for development.
    operator_token: Option<String>,
    /// The resources that the built-in proxy protects.
    protected: Vec<Protected>,
}

/// A protected resource, as clients are told of it.
struct Protected {
    id: String,
    uri: String,
    upstream: String,
}

impl Protected {
    fn all(config: &Config) -> Vec<Self> {
        let resources = config.authorization.resources.iter();
        let protected = resources.filter_map(|resource| {
            let guard = resource.guard.as_ref()?;
            let (id, uri) = (guard.id.clone(), resource.uri.to_string());
            Some(Self { id, uri, upstream: guard.upstream.as_ref()?.to_string() })
        });
        protected.collect()
    }

    /// The address, and a line for each client that takes one.
    fn lines(&self) -> String {
        let Self { id, uri, upstream } = self;
        format!(
            "\n\nProtected: {upstream}\nGive clients this address: {uri}\n  \
             Claude Code:  claude mcp add --transport http {id} {uri}\n  \
             VS Code:      code --add-mcp '{{\"name\":\"{id}\",\"type\":\"http\",\"url\":\"{uri}\"}}'\n  \
             mcp-remote:   npx mcp-remote {uri}"
        )
    }
}

impl Announcement {
    fn new(config: &Config, is_dev: bool) -> Self {
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        Self {
            scheme,
            store: config.store.to_string(),
            is_dev,
            password: None,
            operator_token: None,
            protected: Protected::all(config),
        }
    }

    fn of(&self, Addresses { public, management, operator, guard }: Addresses) -> String {
        let (scheme, store) = (self.scheme, &self.store);
        let mut text = format!(
            "Clients register at {scheme}://{public} and are kept in {store}.\n\
             Health and metrics are at http://{management}."
        );
        text.extend(operator.map(|at| format!("\nThe operator API is at {scheme}://{at}.")));
        text.extend(guard.map(|at| {
            let scheme = if at.ip().is_loopback() { "http" } else { scheme };
            format!("\nProxies ask the guard at {scheme}://{at}.")
        }));
        if let Some(password) = &self.password {
            text += "\n\nSign in, while this server runs, with the password ";
            text += password;
        }
        text.extend(self.protected.iter().map(Protected::lines));
        if let Some(token) = &self.operator_token {
            text += "\n\nList clients as an operator:\n  ";
            text += &self.request(operator.unwrap_or(public), "/api/v2/oauth2/clients");
            text += " -H 'Authorization: Bearer ";
            text += token;
            text += "'";
        }
        if self.is_dev && self.protected.is_empty() {
            text += "\n\nRegister a client:\n  ";
            text += &self.curl(public);
        }
        text
    }

    /// A line that registers a client when it is pasted into a shell.
    fn curl(&self, public: SocketAddr) -> String {
        self.request(public, "/register")
            + " -H 'Content-Type: application/json' \
               -d '{\"client_name\":\"My first client\",\
               \"redirect_uris\":[\"http://localhost:8765/callback\"]}'"
    }

    /// A line that sends a request when it is pasted into a shell.
    fn request(&self, public: SocketAddr, path: &str) -> String {
        let ip = match public.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let insecure = if self.scheme == "https" { " --insecure" } else { "" };
        format!(
            "curl -sS{insecure} '{}://{}{path}'",
            self.scheme,
            SocketAddr::new(ip, public.port()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curl_line_names_an_address_that_can_be_reached() {
        let announcement = Announcement {
            scheme: "http",
            store: "x".into(),
            is_dev: true,
            password: None,
            operator_token: None,
            protected: Vec::new(),
        };
        let lines = [
            ("0.0.0.0:80", "curl -sS 'http://127.0.0.1:80/register' "),
            ("[::]:8080", "curl -sS 'http://[::1]:8080/register' "),
            ("192.0.2.1:8080", "curl -sS 'http://192.0.2.1:8080/register' "),
        ];
        for (address, start) in lines {
            assert!(announcement.curl(address.parse().unwrap()).starts_with(start), "{address}");
        }
    }
}
