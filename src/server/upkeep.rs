//! What the server does beside requests, again and again: connections to Redis, signing keys, documents of clients, and
//! forgetting what has expired. Each is a loop for as long as it is polled; the server owns them and ends them.

use std::time::Duration;

use tokio::time::sleep;

use super::expiry;
use crate::{
    app::App,
    audit::Actor,
    client::ClientIdentifier,
    families,
    guard::{self, Guards},
    http::request_event::chain,
    metrics::{ClientStanding, SweepMetrics},
    store::{GrantFilter, StoreError, Swept},
};

/// How often nodes look for keys that another one has made.
const KEYS_EVERY: Duration = Duration::from_mins(1);

/// How often nodes look whether the admission rules in the store have changed: a change reaches all of them within 5
/// seconds.
const RULES_EVERY: Duration = Duration::from_secs(2);

/// How often the last uses of clients are stored: a crash loses no more.
const USES_EVERY: Duration = Duration::from_secs(30);

/// How often registrations are counted in families, and decisions about families are looked up.
const FAMILIES_EVERY: Duration = Duration::from_secs(2);

/// How often a sweep looks for expired records.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// When clients are counted first, and how often then: a count reads an index of all of them.
const CLIENTS_FROM: Duration = Duration::from_secs(10);
const CLIENTS_EVERY: Duration = Duration::from_hours(1);

/// How many records one step of a sweep looks at.
const SWEEP_RECORDS: usize = 500;

/// The pause between two steps, so that registrations do not get slower.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

/// Runs all upkeep, until it is dropped.
pub(super) async fn run(app: &App, guards: &Guards) {
    let of_sign_in = async {
        if app.config.authorizes() {
            tokio::join!(keys(app), documents(app), guard::end_streams(app, guards));
        }
    };
    tokio::join!(
        app.rate_limit.keep_connected(),
        app.webhooks.run(&app.store),
        rules(app),
        expire(app),
        families(app),
        last_uses(app),
        calls(app, guards),
        attempts(app),
        clients(app),
        of_sign_in
    );
}

/// Follows the admission rules in the store. The log has each reason of a failure once.
async fn rules(app: &App) {
    loop {
        sleep(RULES_EVERY).await;
        let before = app.rules.fault();
        let outcome = app.rules.refresh(&app.store, app.clock.now()).await;
        match (outcome, before) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => tracing::info!("the admission rules are those in the store again"),
            (Err(error), before) => {
                let error = chain(&error);
                if before.as_ref() != Some(&error) {
                    tracing::error!(error, "the admission rules stay as they were last read");
                }
            }
        }
    }
}

/// Gives each new webhook its place in the trail, before the first request is served. What fails now is tried again when
/// events are sent.
pub(super) async fn begin_webhooks(app: &App) {
    if let Err(error) = app.webhooks.begin(&app.store).await {
        tracing::warn!(error = chain(&error), "new webhooks begin later");
    }
}

/// Counts the registered clients, slowly.
async fn clients(app: &App) {
    sleep(CLIENTS_FROM).await;
    loop {
        if let Err(error) = count_clients(app).await {
            tracing::warn!(error = chain(&error), "the clients are not counted now");
        }
        sleep(CLIENTS_EVERY).await;
    }
}

async fn count_clients(app: &App) -> Result<(), StoreError> {
    let mut all = 0;
    let mut after = None;
    loop {
        let (counted, last) = app.store.count_clients_after(after).await?;
        all += counted;
        after = last;
        if after.is_none() {
            break;
        }
        sleep(SWEEP_PAUSE).await;
    }
    let standings = app.store.standings().await?;
    let clients = &app.metrics.clients;
    clients[ClientStanding::Active].set(all.saturating_sub(standings.sum()));
    clients[ClientStanding::Pending].set(standings.pending);
    clients[ClientStanding::Suspended].set(standings.suspended);
    clients[ClientStanding::Dormant].set(standings.dormant);
    app.metrics.clients_counted_at.set(app.clock.now().as_seconds());
    Ok(())
}

async fn families(app: &App) {
    tokio::join!(count_families(app), decided_families(app), people(app));
}

/// Counts registrations in their families.
async fn count_families(app: &App) {
    loop {
        sleep(FAMILIES_EVERY).await;
        if let Err(error) = families::count(&app.store, &app.clock, &app.metrics.families).await {
            tracing::warn!(error = chain(&error), "families are not counted now");
        }
    }
}

/// Learns what operators decide about families.
async fn decided_families(app: &App) {
    loop {
        if let Err(error) = app.families.refresh(&app.store).await {
            tracing::warn!(error = chain(&error), "decisions about families stay as they were");
        }
        sleep(FAMILIES_EVERY).await;
    }
}

/// Counts the people of families.
async fn people(app: &App) {
    let families = &app.families;
    let soon = async {
        loop {
            sleep(USES_EVERY).await;
            if let Err(error) =
                families.count_people(&app.store, &app.clock, &app.metrics.families).await
            {
                tracing::warn!(error = chain(&error), "the people of families are not counted now");
            }
        }
    };
    let sometimes = async {
        loop {
            sleep(SWEEP_EVERY).await;
            let counted = families.count_all_people(&app.store, &app.clock, SWEEP_PAUSE).await;
            if let Err(error) = counted {
                tracing::warn!(error = chain(&error), "the people of families are not counted now");
            }
        }
    };
    tokio::join!(soon, sometimes);
}

/// Stores when clients were last used, in batches.
async fn last_uses(app: &App) {
    loop {
        sleep(USES_EVERY).await;
        store_last_uses(app).await;
    }
}

/// Stores when clients were last used, as far as that is noted and not stored yet.
pub(super) async fn store_last_uses(app: &App) {
    if let Err(error) = app.last_use.store(&app.store).await {
        tracing::warn!(error = chain(&error), "the last use of clients is not stored now");
    }
}

/// Stores what clients do behind the guard, in batches.
async fn calls(app: &App, guards: &Guards) {
    if guards.iter().next().is_none() {
        return;
    }
    loop {
        sleep(USES_EVERY).await;
        store_calls(app, guards, false).await;
    }
}

/// Stores the calls behind the guard that have waited long enough; at the end all.
pub(super) async fn store_calls(app: &App, guards: &Guards, is_end: bool) {
    let by = app.system(Actor::System);
    if let Err(error) = guards.calls.store(&app.store, &by, is_end).await {
        tracing::warn!(error = chain(&error), "calls behind the guard are not stored now");
    }
}

/// Stores refused requests, in batches.
async fn attempts(app: &App) {
    loop {
        sleep(USES_EVERY).await;
        store_attempts(app).await;
    }
}

/// Stores the refused requests that are counted and not stored yet, and deletes old ones.
pub(super) async fn store_attempts(app: &App) {
    let keep_days = app.config.audit.keep_days;
    let keep_from = (keep_days > 0).then(|| app.clock.now().before_days(keep_days));
    if let Err(error) = app.attempts.store(&app.store, keep_from).await {
        tracing::warn!(error = chain(&error), "refused requests are not stored now");
    }
}

async fn keys(app: &App) {
    loop {
        sleep(KEYS_EVERY).await;
        if let Err(error) = app.keys.upkeep(&app.store, &app.system(Actor::System)).await {
            tracing::error!(error = chain(&error), "the signing keys stay as they were");
        }
    }
}

/// Documents that are due are fetched from the start, and while grants are still looked through.
async fn documents(app: &App) {
    if app.config.client_documents.enabled {
        tokio::join!(app.client_documents.refresh_forever(), learn_grants(app));
    }
}

/// Looks once through all grants for clients with a document, so that strangers cannot take their places and cache
/// entries after a restart either.
async fn learn_grants(app: &App) {
    let mut after = None;
    loop {
        let grants = match app.store.grants(&GrantFilter::default(), after, SWEEP_RECORDS).await {
            Ok(grants) => grants,
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "couldn't look for clients that have a grant"
                );
                return;
            }
        };
        let Some(last) = grants.last() else { return };
        after = Some(last.grant_id);
        let now = app.clock.now();
        for grant in grants.iter().filter(|grant| now < grant.expires_at) {
            if let ClientIdentifier::Document(url) = &grant.client {
                app.client_documents.note_grant(url);
            }
        }
        sleep(SWEEP_PAUSE).await;
    }
}

/// Deletes what has expired, whether people can sign in or not: they may have been able to before.
async fn expire(app: &App) {
    expiry::begin(app).await;
    tokio::join!(expiry::run(app), sweep(app));
}

async fn sweep(app: &App) {
    loop {
        for kind in Swept::ALL {
            sweep_all(app, kind).await;
        }
        sleep(SWEEP_EVERY).await;
    }
}

/// Looks through all records of one kind, a few at a time.
async fn sweep_all(app: &App, kind: Swept) {
    let metrics = metrics_of(app, kind);
    let mut after = None;
    let mut forgotten = 0;
    loop {
        let by = app.system(Actor::System);
        match app.store.sweep(kind, after, SWEEP_RECORDS, &by).await {
            Ok(page) => {
                forgotten += page.forgotten;
                metrics.forgotten.add(page.forgotten as u64);
                after = page.after;
            }
            Err(error) => {
                metrics.failures.add_one();
                tracing::warn!(
                    error = chain(&error),
                    ?kind,
                    "what has expired is not forgotten now"
                );
                return;
            }
        }
        if after.is_none() {
            break;
        }
        sleep(SWEEP_PAUSE).await;
    }
    metrics.ended_at.set(app.clock.now().as_seconds());
    if forgotten > 0 {
        tracing::info!(?kind, forgotten, "forgot what had expired");
    }
}

fn metrics_of(app: &App, kind: Swept) -> &SweepMetrics {
    match kind {
        Swept::Grants => &app.metrics.grants,
        Swept::Consents => &app.metrics.consents,
        Swept::Sessions => &app.metrics.sessions,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        clock::{Clock, Timestamp},
        config::Config,
        entropy::Entropy,
        metadata_policy::Profile,
        registration,
        secret::SecretHash,
        store::{self, Access, ResourceOwner, SessionId, SessionRecord, Transition},
    };

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn session(entropy: &Entropy, expires_at: Timestamp) -> SessionRecord {
        SessionRecord {
            session_id: SessionId::generate(NOW, entropy),
            hash: SecretHash::of(b"a cookie"),
            owner: ResourceOwner {
                subject: "a".to_owned(),
                name: None,
                email: None,
                identity: None,
            },
            signed_in_at: NOW,
            idle_at: expires_at,
            expires_at,
        }
    }

    #[tokio::test]
    async fn clients_are_counted_aside() {
        let folder = tempfile::TempDir::new().unwrap();
        let config = Config::default();
        let store = store::open_folder(folder.path(), &config.embedded, Access::Serve).unwrap();
        let app = App::new(config, Arc::clone(&store), Clock::held_at(NOW), Entropy::seeded(1));
        let body = br#"{"client_name":"An app","redirect_uris":["https://app.example/cb"]}"#;
        let source = [192, 0, 2, 1].into();
        let prepared = registration::prepare(&Profile::RFC7591, &app, source, body, None).unwrap();
        let client_id = prepared.record.client_id;
        store.register_client(Arc::new(prepared.record), Some(prepared.family)).await.unwrap();

        let counted = &app.metrics.clients;
        count_clients(&app).await.unwrap();
        assert_eq!(counted[ClientStanding::Active].value(), 1);
        let by = app.system(Actor::System);
        let suspend = &Transition::SUSPEND;
        store.change_standing(&client_id.into(), suspend, Some("test"), by).await.unwrap();
        assert_eq!(counted[ClientStanding::Active].value(), 1, "nothing is counted in between");
        count_clients(&app).await.unwrap();
        assert_eq!(counted[ClientStanding::Active].value(), 0);
        assert_eq!(counted[ClientStanding::Suspended].value(), 1);

        let another = br#"{"client_name":"Another","redirect_uris":["https://app.example/cb"]}"#;
        let another =
            registration::prepare(&Profile::RFC7591, &app, source, another, None).unwrap();
        let family = store::family_of(&another.record.metadata).unwrap();
        store.register_client(Arc::new(another.record), Some(another.family)).await.unwrap();
        store.suspend_family(family, None, app.system(Actor::System), &|_, _| {}).await.unwrap();
        count_clients(&app).await.unwrap();
        assert_eq!(counted[ClientStanding::Active].value(), 0);
        assert_eq!(counted[ClientStanding::Suspended].value(), 2, "its family is suspended");
        assert_eq!(app.metrics.clients_counted_at.value(), 1_800_000_000);
    }

    #[tokio::test]
    async fn a_sweep_counts_what_it_forgets_when_it_ended_and_that_it_did_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let config = Config::default();
        let store = store::open_folder(folder.path(), &config.embedded, Access::Serve).unwrap();
        let (entropy, clock) = (Entropy::seeded(1), Clock::held_at(NOW));
        let app = App::new(config, Arc::clone(&store), clock, entropy.clone());
        let by = app.system(Actor::System);
        for expires_at in [NOW, NOW, NOW.after_days(1)] {
            store.begin_session(session(&entropy, expires_at), by.clone()).await.unwrap();
        }

        let counted = &app.metrics.sessions;
        sweep_all(&app, Swept::Sessions).await;
        assert_eq!((counted.forgotten.value(), counted.failures.value()), (2, 0));
        assert_eq!(counted.ended_at.value(), 1_800_000_000);

        store.close().await.unwrap();
        sweep_all(&app, Swept::Grants).await;
        assert_eq!(app.metrics.grants.failures.value(), 1);
        assert_eq!(app.metrics.grants.ended_at.value(), 0, "never");
    }
}
