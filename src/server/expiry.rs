//! The expiry of clients and audit events: clients become dormant and are removed, and old events are deleted. One of
//! the nodes that share a database checks all records once an hour, a page at a time.

use std::{collections::HashMap, time::Duration};

use tokio::time::sleep;

use crate::{
    app::App,
    audit::Actor,
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    config::ClientsConfig,
    http::request_event::chain,
    store::{
        self, ClientUse, ConsentRecord, Expired, Expiry, GrantFilter, Mark, StoreError, Walk,
        moment,
    },
};

/// The least time between the starts of two full checks, in seconds.
const EVERY_SECONDS: u64 = 60 * 60;

/// How often each node checks whether a full check is due.
const CHECK_EVERY: Duration = Duration::from_mins(10);

/// How many records one step reads.
const PAGE_RECORDS: usize = 500;

/// The most clients that one change marks as dormant or removes: a registration never waits for more.
const CLIENTS_AT_ONCE: usize = 50;

/// The pause between two steps, so that registrations do not get slower.
const PAUSE: Duration = Duration::from_millis(50);

/// The pause while the store is overloaded.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Prepares the first check of a store, before a sweep deletes records that prove a use.
pub(super) async fn begin(app: &App) {
    let begun = if is_on(app) { counts_from(app).await.map(drop) } else { Ok(()) };
    if let Err(error) = begun {
        tracing::warn!(error = chain(&error), "couldn't look for clients that have expired");
    }
}

/// Checks for expired records, until it is dropped.
pub(super) async fn run(app: &App) {
    loop {
        if let Err(error) = look(app).await {
            app.metrics.expired_clients.failures.add_one();
            tracing::warn!(error = chain(&error), "couldn't look for clients that have expired");
        }
        sleep(CHECK_EVERY).await;
    }
}

/// Whether settings or rules let anything expire.
fn is_on(app: &App) -> bool {
    let ClientsConfig { unused_days, idle_days, .. } = app.config.clients;
    [unused_days, idle_days, app.config.audit.keep_days].iter().any(|days| *days > 0)
        || app.rules.current().expire_clients()
}

/// Checks all records once, unless another node has done so within the hour.
async fn look(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    if !is_on(app) {
        ended(app, now);
        return Ok(());
    }
    if app.store.claim_mark(Mark::ExpiryClaimed, now, now.before_seconds(EVERY_SECONDS)).await? {
        let counts_from = counts_from(app).await?;
        let expired = expire_clients(app, counts_from).await?;
        let forgotten = forget_events(app).await?;
        app.store.put_mark(Mark::ExpiryEnded, app.clock.now()).await?;
        let Expired { dormant, removed } = expired;
        if dormant + removed + forgotten > 0 {
            tracing::info!(dormant, removed, events = forgotten, "looked for what has expired");
        }
    }
    if let Some(at) = moment(&app.store.marks().await?, Mark::ExpiryEnded) {
        ended(app, at);
    }
    Ok(())
}

/// Sets the metric of the last completed check.
fn ended(app: &App, at: Timestamp) {
    app.metrics.expired_clients.ended_at.set(at.as_seconds());
    app.metrics.old_events.ended_at.set(at.as_seconds());
}

/// The start of the time that counts for expiry. The first check of a store records the uses that its consents and
/// grants prove, because earlier releases did not record uses.
async fn counts_from(app: &App) -> Result<Timestamp, StoreError> {
    let marks = app.store.marks().await?;
    let now = app.clock.now();
    if moment(&marks, Mark::ExpiryBegan).is_none() {
        learn_uses(app).await?;
        app.store.put_mark(Mark::ExpiryBegan, now).await?;
    }
    Ok(store::counts_from(&marks, now))
}

async fn learn_uses(app: &App) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = app.store.consents(after, PAGE_RECORDS).await?;
        let Some(last) = page.last() else { break };
        after = Some(ConsentRecord::key(&last.subject, &last.client));
        let uses = page.iter().map(|consent| (&consent.client, consent.allowed_at));
        note_uses(app, uses.collect()).await?;
    }
    let mut after = None;
    loop {
        let page = app.store.grants(&GrantFilter::default(), after, PAGE_RECORDS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.grant_id);
        let uses = page.iter().map(|grant| (&grant.client, grant.issued_at));
        note_uses(app, uses.collect()).await?;
    }
}

/// Records uses of registered clients; the record of a client with a document has its own time.
async fn note_uses(app: &App, uses: Vec<(&ClientIdentifier, Timestamp)>) -> Result<(), StoreError> {
    let mut last: HashMap<ClientId, Timestamp> = HashMap::new();
    for (client, used_at) in uses {
        if let ClientIdentifier::Registered(id) = client {
            let noted = last.entry(*id).or_insert(used_at);
            *noted = used_at.max(*noted);
        }
    }
    let uses = last.into_iter().map(|(client_id, used_at)| ClientUse { client_id, used_at });
    let uses: Vec<_> = uses.collect();
    patiently(|| app.store.note_client_uses(uses.clone())).await?;
    sleep(PAUSE).await;
    Ok(())
}

async fn expire_clients(app: &App, counts_from: Timestamp) -> Result<Expired, StoreError> {
    let ClientsConfig { unused_days, idle_days, .. } = app.config.clients;
    let expiry = Expiry { unused_days, idle_days, counts_from };
    let mut all = Expired::default();
    let is_on = expiry.is_on() || app.rules.current().expire_clients();
    let mut walk = is_on.then_some(Walk::START);
    while let Some(from) = walk.take() {
        let now = app.clock.now();
        let page = app.store.due_clients(&expiry, now, from, PAGE_RECORDS).await?;
        for due in page.due.chunks(CLIENTS_AT_ONCE) {
            let clients: Vec<_> = due.iter().map(|(client, _)| client.clone()).collect();
            let by = app.system(Actor::System);
            let expired =
                patiently(|| app.store.expire_clients(clients.clone(), expiry, by.clone())).await?;
            app.metrics.expired_clients.forgotten.add(expired.removed as u64);
            app.metrics.made_dormant.add(expired.dormant as u64);
            all.dormant += expired.dormant;
            all.removed += expired.removed;
            sleep(PAUSE).await;
        }
        walk = page.next;
        sleep(PAUSE).await;
    }
    Ok(all)
}

/// Deletes old events; events about removed clients, which pages show, are kept longer.
async fn forget_events(app: &App) -> Result<usize, StoreError> {
    let (keep_days, tombstone_days) =
        (app.config.audit.keep_days, app.config.clients.tombstone_days);
    if keep_days == 0 {
        return Ok(0);
    }
    let now = app.clock.now();
    let before = now.before_days(keep_days);
    let removals_before = match tombstone_days {
        0 => Timestamp::from_millis(0),
        days => now.before_days(days.max(keep_days)),
    };
    let (mut all, mut after) = (0, None);
    loop {
        let (forgotten, next) =
            patiently(|| app.store.forget_events(before, removals_before, after, PAGE_RECORDS))
                .await?;
        all += forgotten;
        app.metrics.old_events.forgotten.add(forgotten as u64);
        if next.is_none() {
            return Ok(all);
        }
        after = next;
        sleep(PAUSE).await;
    }
}

/// Retries for as long as the store is busy: no request waits for this work.
async fn patiently<T, F>(change: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    loop {
        match change().await {
            Err(StoreError::Busy) => sleep(BUSY_PAUSE).await,
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        client::ProfileName,
        clock::Clock,
        config::Config,
        entropy::Entropy,
        store::{Access, ClientFlags, ClientRecord, ClientRegistration, ClientState, Store},
    };

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// A client of an earlier release, which has not recorded uses.
    async fn registered(store: &Store, entropy: &Entropy) -> ClientId {
        let issued_at = NOW.before_days(1_000);
        let client_id = ClientId::generate(issued_at, entropy);
        let client = ClientRecord {
            client_id,
            issued_at,
            profile: ProfileName::Rfc7591,
            source: None,
            flags: ClientFlags::default(),
            metadata: "{}".to_owned(),
            state: ClientState::default(),
            registration: ClientRegistration::default(),
        };
        store.register_client(Arc::new(client), None).await.unwrap();
        client_id
    }

    #[tokio::test]
    async fn the_first_look_learns_from_consents_which_clients_were_used() {
        let folder = tempfile::TempDir::new().unwrap();
        let config = Config::default();
        let store = store::open_folder(folder.path(), &config.embedded, Access::Serve).unwrap();
        let (entropy, clock) = (Entropy::seeded(1), Clock::held_at(NOW));
        let app = App::new(config, Arc::clone(&store), clock.clone(), entropy.clone());
        let [used, unused] =
            [registered(&store, &entropy).await, registered(&store, &entropy).await];
        let allowed_at = NOW.before_days(50);
        let consent = ConsentRecord {
            subject: "acme:7".to_owned(),
            client: used.into(),
            scope: None,
            redirect_uri: String::new(),
            metadata_hash: [0; 32],
            allowed_at,
            expires_at: NOW.after_days(1),
        };
        store.import_consents(vec![consent]).await.unwrap();
        let used_at = async |id| store.client(id).await.unwrap().map(|it| it.state.used_at);

        begin(&app).await;
        assert_eq!(
            (used_at(used).await, used_at(unused).await),
            (Some(Some(allowed_at)), Some(None))
        );
        look(&app).await.unwrap();
        assert_eq!(used_at(unused).await, Some(None), "no time before the first look counts");

        // Another node may have looked within the hour.
        clock.advance(Duration::from_hours(30 * 24));
        let now = clock.now();
        store.put_mark(Mark::ExpiryClaimed, now.before_seconds(EVERY_SECONDS - 1)).await.unwrap();
        look(&app).await.unwrap();
        assert_eq!(used_at(unused).await, Some(None));
        clock.advance(Duration::from_secs(1));
        look(&app).await.unwrap();
        assert_eq!((used_at(used).await, used_at(unused).await), (Some(Some(allowed_at)), None));
        assert_eq!(app.metrics.expired_clients.forgotten.value(), 1);
        let ended_at = u64::try_from(app.metrics.expired_clients.ended_at.value()).unwrap();
        assert_eq!(ended_at, clock.now().as_seconds());
    }
}
