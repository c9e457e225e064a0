//! Fills a store as years of use leave it: clients with sources, last uses, and standings; grants of people; audit events.
//! `bench/run governance` runs it; it is an example and thus part of no release.
//!
//! `govern COUNT STORE`: `COUNT` clients of the last 300 days in a data folder or a database (`postgres://…`), whose tables
//! must exist; a grant for about each tenth client, and an event for each. A hundredth of the clients is one family, with
//! a thousandth as many grants as there are clients. The oldest tenth of the clients was never used. Ends with one line
//! of JSON.

mod clients;
mod granted;

use std::{
    error::Error,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, mpsc::sync_channel},
    thread,
    time::{Duration, Instant},
};

use doorward::{
    app::App,
    audit::{Action, ActorKind, EventId},
    bench,
    client::{ClientIdentifier, ClientMetadata, ProfileName},
    clock::{Clock, Timestamp},
    config::{self, Config, Sources},
    entropy::Entropy,
    family::FamilyKey,
    grant::CodeVerifier,
    store::{
        self, Access, ClientFlags, ClientRecord, EventRecord, GrantRecord, Imported, Mark,
        Standing, Store,
    },
};
use serde_json::{Value, json};

use self::{
    clients::Templates,
    granted::{issued, redeemed},
};

const DAYS: u64 = 300;
const CLIENTS_MAX: u64 = 50_000_000;
/// What one change keeps of each kind.
const BATCH: u64 = 5_000;
/// Clients one after another whose names differ as the bodies of the corpus do: about fifty of each family.
const SAME_LETTERS: u64 = 3_000;
/// Clients that share a person.
const PERSON_CLIENTS: u64 = 50;
/// The body of the clients of the large family.
const LARGE: &str = r#"{"client_name":"Harbor Desk 00000000","redirect_uris":["https://harbor.example/cb","http://127.0.0.1:33418/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [count, target] = &arguments[..] else { return Err("usage: govern COUNT STORE".into()) };
    let count: u64 = count.parse()?;
    if count > CLIENTS_MAX {
        return Err(format!("at most {CLIENTS_MAX} clients").into());
    }
    let flags = vec![("store", target.clone())];
    let config = config::load(Sources { dev: true, flags, ..Sources::default() })?;
    let began = Instant::now();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut summary = runtime.block_on(fill(count, config))?;
    summary["seconds"] = began.elapsed().as_secs_f64().into();
    writeln!(io::stdout(), "{summary}")?;
    Ok(())
}

/// What is kept at once.
#[derive(Default)]
struct Batch {
    clients: Vec<ClientRecord>,
    grants: Vec<GrantRecord>,
    events: Vec<EventRecord>,
}

/// Makes records on one thread and keeps them on another.
async fn fill(count: u64, config: Config) -> Result<Value, Box<dyn Error>> {
    let store = store::open(&config, Access::Import).await?;
    let now = Clock::System.now();
    let clock = Clock::held_at(now.before_days(DAYS));
    let app = App::new(config, Arc::clone(&store), clock, Entropy::seeded(count));
    let (to_keep, batches) = sync_channel(1);
    let made = thread::spawn(move || {
        let mut maker = Maker::new(app, count, now);
        for first in (0..count).step_by(usize::try_from(BATCH).expect("it is small")) {
            if to_keep.send(maker.batch(first..count.min(first + BATCH))).is_err() {
                break;
            }
        }
        maker.examples()
    });
    let (mut kept, mut said, mut grants) = (0, Instant::now(), 0);
    // Waits for a batch while no other work of this runtime is under way.
    for batch in batches {
        (kept, grants) = (kept + batch.clients.len() as u64, grants + batch.grants.len());
        keep(&store, batch).await?;
        if said.elapsed() > Duration::from_secs(5) || kept == count {
            said = Instant::now();
            writeln!(io::stderr(), "{kept} of {count} clients, {grants} grants")?;
        }
    }
    // As if this server had recorded uses all the time.
    for mark in [Mark::ExpiryBegan, Mark::ClientsImported] {
        store.put_mark(mark, now.before_days(DAYS)).await?;
    }
    store.close().await?;
    let mut summary = made.join().map_err(|_| "the records could not be made")?;
    summary["clients"] = count.into();
    summary["grants"] = grants.into();
    Ok(summary)
}

async fn keep(store: &Arc<Store>, batch: Batch) -> Result<(), Box<dyn Error>> {
    if store.import_clients(batch.clients).await?.contains(&Imported::Differs) {
        return Err("the store holds other clients of these identifiers".into());
    }
    store.import_grants(batch.grants).await?;
    store.record_events(batch.events).await?;
    Ok(())
}

/// Makes the records of clients by their numbers.
struct Maker {
    app: Arc<App>,
    templates: Templates,
    verifier: CodeVerifier,
    count: u64,
    now: Timestamp,
    step: Duration,
    /// A client in the middle, with its grant.
    example: Option<(u64, ClientRecord, GrantRecord)>,
}

impl Maker {
    fn new(app: Arc<App>, count: u64, now: Timestamp) -> Self {
        let templates = Templates::of(&app);
        let verifier = CodeVerifier::generate(&app.entropy);
        let step = Duration::from_millis(DAYS * 24 * 60 * 60 * 1_000 / count.max(1));
        Self { app, templates, verifier, count, now, step, example: None }
    }

    fn batch(&mut self, numbers: std::ops::Range<u64>) -> Batch {
        let mut batch = Batch::default();
        for number in numbers {
            self.app.clock.advance(self.step);
            let mut client = self.client(number);
            let grant = self.has_grant(number).then(|| self.grant(&client, number));
            client.state.used_at = grant.as_ref().map(|grant| grant.issued_at);
            if number >= self.count / 2 && number % 100 == 15 && self.example.is_none() {
                self.example = grant.clone().map(|grant| (number, client.clone(), grant));
            }
            batch.events.push(self.event(&client, grant.as_ref(), number));
            batch.grants.extend(grant);
            batch.clients.push(client);
        }
        batch
    }

    const fn is_large(number: u64) -> bool {
        number % 100 == 5
    }

    const fn has_grant(&self, number: u64) -> bool {
        let is_old = number < self.count / 10;
        !is_old && number % 10 == 5 && (!Self::is_large(number) || number % 1_000 == 5)
    }

    fn client(&self, number: u64) -> ClientRecord {
        let mut client = if Self::is_large(number) {
            bench::registration(&self.app, LARGE.as_bytes()).expect("it is admitted").0
        } else {
            self.templates.client(&self.app, number, &letters(number / SAME_LETTERS))
        };
        client.source = Some(source(number));
        if number % 20 == 7 {
            client.profile = ProfileName::Datadog;
        }
        if number % 1_000 == 11 {
            client.flags.insert(ClientFlags::LOOK_ALIKE);
        }
        let standing = match number % 1_000 {
            1 => Standing::Pending,
            2 => Standing::Suspended,
            3 | 4 => Standing::Dormant,
            _ => return client,
        };
        client.state.standing = standing;
        client.state.standing_at = Some(client.issued_at);
        client
    }

    fn grant(&self, client: &ClientRecord, number: u64) -> GrantRecord {
        let times = (client.issued_at, self.now.after_days(365));
        let challenge = self.verifier.challenge();
        let (grant, _) =
            issued(&self.app.entropy, client.client_id, &self.person(number), challenge, times);
        redeemed(&self.app.entropy, grant).0
    }

    fn event(
        &self,
        client: &ClientRecord,
        grant: Option<&GrantRecord>,
        number: u64,
    ) -> EventRecord {
        const OTHERS: [Action; 4] = [
            Action::ConsentAllowed,
            Action::ConsentDenied,
            Action::GrantRevoked,
            Action::GrantExpired,
        ];
        let other = usize::try_from(number / 7).unwrap_or_default() % OTHERS.len();
        let subject = self.person(number);
        EventRecord {
            event_id: EventId::generate(client.issued_at, &self.app.entropy),
            at: client.issued_at,
            action: if grant.is_some() { Action::GrantIssued } else { OTHERS[other] },
            actor_kind: ActorKind::Person,
            actor: Some(subject.clone()),
            actor_role: None,
            actor_client: None,
            client: Some(ClientIdentifier::Registered(client.client_id)),
            family: None,
            grant_id: grant.map(|grant| grant.grant_id),
            subject: Some(subject),
            source: client.source,
            request_id: None,
            detail: Some(r#"{"scope":"mcp:tools mcp:resources"}"#.to_owned()),
        }
    }

    fn person(&self, number: u64) -> String {
        format!("acme:person-{:08}", number / 10 % (self.count / PERSON_CLIENTS).max(1))
    }

    /// What lists can be asked for.
    fn examples(&self) -> Value {
        let (number, client, grant) = self.example.as_ref().expect("there are enough clients");
        let family = |client: &ClientRecord| {
            let metadata = serde_json::from_str::<ClientMetadata>(&client.metadata);
            FamilyKey::of(&metadata.expect("it was registered")).id().to_string()
        };
        json!({
            "client_id": client.client_id.to_string(),
            "grant_id": grant.grant_id.to_string(),
            "person": grant.subject,
            "source": source(*number).to_string(),
            "name": String::from_utf8_lossy(&letters(number / SAME_LETTERS)),
            "family": family(client),
            "large_family": family(&self.client(5)),
        })
    }
}

/// Eight letters for a family.
fn letters(mut family: u64) -> [u8; 8] {
    let mut text = *b"qqqqqqqq";
    for letter in text.iter_mut().rev() {
        *letter = b'a' + u8::try_from(family % 20).unwrap_or_default();
        family /= 20;
    }
    text
}

/// Somewhere in 10.0.0.0/8, as if by chance.
fn source(number: u64) -> IpAddr {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    Ipv4Addr::new(10, mixed[0], mixed[1], mixed[2]).into()
}
