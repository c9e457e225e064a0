//! Fills a store with clients and with what resource owners have allowed them, and writes down the requests
//! that this makes possible. `bench/run tokens` runs it; it is an example and thus part of no release.
//!
//! `grants COUNT FOLDER REQUESTS [RESOURCE…]`: a store in `FOLDER`, with grants for these protected resources; in the folder `REQUESTS`, one a line, `COUNT` bodies
//! that redeem a code (`codes`), `COUNT` that rotate a refresh token (`refresh_tokens`), and the query of an
//! authorization request for each client (`queries`). Each body is good once.

mod granted;

use std::{
    error::Error,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
    sync::Arc,
};

use doorward::{
    app::App,
    bench,
    client::ClientId,
    clock::Clock,
    config::{self, Config, Sources},
    entropy::Entropy,
    grant::{AuthorizationCode, CodeChallenge, CodeVerifier, RefreshToken, ResourceIndicator},
    store::{self, Access, ClientRecord, GrantRecord, Imported, Store, StoreError},
};
use tokio::task::JoinSet;
use url::form_urlencoded::Serializer;

use self::granted::{REDIRECT_URI, SCOPE, issued, redeemed};

/// So many that none is limited: as shipped, each may ask six hundred times a minute.
const CLIENTS: usize = 1_000;
/// How many grants wait to be kept at once: fewer than the store lets wait.
const AT_ONCE: usize = 2_000;
const COUNT_MAX: usize = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [count, folder, requests, resources @ ..] = &arguments[..] else {
        return Err("usage: grants COUNT FOLDER REQUESTS [RESOURCE…]".into());
    };
    let resources: Vec<_> =
        resources.iter().map(|it| ResourceIndicator::parse(it)).collect::<Result<_, _>>()?;
    let count: usize = count.parse()?;
    if count > COUNT_MAX {
        return Err(format!("at most {COUNT_MAX} grants").into());
    }
    let config = config::load(Sources { dev: true, ..Sources::default() })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(fill(count, Path::new(folder), Path::new(requests), resources, config))
}

async fn fill(
    count: usize,
    folder: &Path,
    requests: &Path,
    resources: Vec<ResourceIndicator>,
    config: Config,
) -> Result<(), Box<dyn Error>> {
    let store = store::open_folder(folder, &config.embedded, Access::Serve)?;
    let app = App::new(config, Arc::clone(&store), Clock::System, Entropy::System);
    let clients = clients(&app)?;
    let ids: Vec<ClientId> = clients.iter().map(|client| client.client_id).collect();
    if store.import_clients(clients).await?.contains(&Imported::Differs) {
        return Err("the folder holds other clients of these identifiers".into());
    }
    let verifier = CodeVerifier::generate(&app.entropy);
    fs::create_dir_all(requests)?;
    let file = |name| File::create(requests.join(name)).map(BufWriter::new);
    let (mut codes, mut tokens, mut queries) =
        (file("codes")?, file("refresh_tokens")?, file("queries")?);
    let mut kept = JoinSet::new();
    for number in 0..count {
        let client = ids[number % ids.len()];
        let (mut grant, code) = new_grant(&app, client, &verifier);
        grant.resources.clone_from(&resources);
        writeln!(codes, "{}", redeeming(client, &code, &verifier))?;
        keep(&store, &mut kept, grant).await?;
        let (grant, token) = redeemed(&app.entropy, new_grant(&app, client, &verifier).0);
        writeln!(tokens, "{}", refreshing(client, &token))?;
        keep(&store, &mut kept, grant).await?;
    }
    for client in ids {
        writeln!(queries, "{}", query(client, verifier.challenge()))?;
    }
    for written in [&mut codes, &mut tokens, &mut queries] {
        written.flush()?;
    }
    for result in kept.join_all().await {
        result?;
    }
    store.close().await?;
    Ok(())
}

/// Keeps a grant, among many others.
async fn keep(
    store: &Arc<Store>,
    kept: &mut JoinSet<Result<(), StoreError>>,
    grant: GrantRecord,
) -> Result<(), Box<dyn Error>> {
    let store = Arc::clone(store);
    kept.spawn(async move { store.keep_grant(grant).await });
    if kept.len() >= AT_ONCE
        && let Some(result) = kept.join_next().await
    {
        result??;
    }
    Ok(())
}

fn clients(app: &App) -> Result<Vec<ClientRecord>, Box<dyn Error>> {
    let body = |number| {
        format!(
            r#"{{"client_name":"Client {number:04}","redirect_uris":["{REDIRECT_URI}"],"scope":"{SCOPE}","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"web"}}"#
        )
    };
    let client =
        |number| bench::registration(app, body(number).as_bytes()).map(|(client, ..)| client);
    let clients: Option<Vec<ClientRecord>> = (0..CLIENTS).map(client).collect();
    clients.ok_or_else(|| "a client is refused".into())
}

fn new_grant(
    app: &App,
    client: ClientId,
    verifier: &CodeVerifier,
) -> (GrantRecord, AuthorizationCode) {
    let now = app.clock.now();
    let expires_at = now.after_days(1);
    issued(&app.entropy, client, "local:developer", verifier.challenge(), (now, expires_at))
}

fn redeeming(client: ClientId, code: &AuthorizationCode, verifier: &CodeVerifier) -> String {
    form(&[
        ("grant_type", "authorization_code"),
        ("client_id", &client.to_string()),
        ("code", &code.to_string()),
        ("code_verifier", verifier.as_str()),
        ("redirect_uri", REDIRECT_URI),
    ])
}

fn refreshing(client: ClientId, token: &RefreshToken) -> String {
    form(&[
        ("grant_type", "refresh_token"),
        ("client_id", &client.to_string()),
        ("refresh_token", &token.to_string()),
    ])
}

fn query(client: ClientId, challenge: CodeChallenge) -> String {
    form(&[
        ("response_type", "code"),
        ("client_id", &client.to_string()),
        ("redirect_uri", REDIRECT_URI),
        ("scope", SCOPE),
        ("state", "af0ifjsldkj"),
        ("code_challenge", &challenge.text()),
        ("code_challenge_method", "S256"),
    ])
}

fn form(parameters: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(parameters).finish()
}
