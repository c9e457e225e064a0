//! Expiry: a year and a half of clients, people, and an operator on a clock that the test moves.

use std::collections::{BTreeMap, BTreeSet};

use doorward::{
    audit::{Action, Author},
    client::ClientId,
    clock::Timestamp,
    config::Config,
    store::{self, Access, Standing, Transition},
};
use tempfile::TempDir;

use crate::{
    flow::{self, Browser, Client},
    granted,
    harness::{TestServer, by},
    postgres,
};

/// The day of the first start.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A store, and the servers that run on it one day after the other.
struct Site {
    config: Config,
    _folder: TempDir,
    /// Who is who in the audit.
    names: BTreeMap<String, &'static str>,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let place = folder.path().to_str().unwrap().to_owned();
        let store = granted::config_on(&postgres::new_database().unwrap_or(place));
        let mut config = Config { store: store.store, token: store.token, ..flow::config() };
        (config.clients.unused_days, config.clients.idle_days) = (30, 400);
        (config.clients.tombstone_days, config.audit.keep_days) = (400, 400);
        Self { config, _folder: folder, names: BTreeMap::new() }
    }

    /// A server on this day, after it has looked for what has expired.
    async fn day(&self, day: u64) -> TestServer {
        let now = START.after_days(day);
        let kept = store::open(&self.config, Access::Serve).await.unwrap();
        let server = TestServer::kept_by_at(kept, self.config.clone(), now).await;
        for kind in ["grants", "clients", "events"] {
            let ended = format!("doorward_sweep_ended_timestamp_seconds{{kind=\"{kind}\"}}");
            let at = u32::try_from(now.as_seconds()).unwrap();
            server.wait_for_metric(&ended, f64::from(at)).await;
        }
        server
    }

    async fn register(&mut self, server: &TestServer, name: &'static str) -> Client {
        let client = Client::register(server).await;
        self.names.insert(client.id.clone(), name);
        client
    }

    /// The clients that are stored, by name, with their standing.
    async fn clients(&self, server: &TestServer) -> BTreeMap<&'static str, Standing> {
        let clients = server.clients().await;
        clients
            .into_iter()
            .map(|client| (self.names[&client.client_id.to_string()], client.state.standing))
            .collect()
    }

    /// Day, action, and client of every event about what time does.
    async fn told(&self, server: &TestServer) -> BTreeSet<(u64, &'static str, &'static str)> {
        let events = server.kept.events(None, None, None, 10_000).await.unwrap();
        let by_time = [
            Action::ClientDormant,
            Action::ClientReactivated,
            Action::ClientRemoved,
            Action::GrantExpired,
        ];
        let told = events.into_iter().filter(|event| by_time.contains(&event.action));
        told.map(|event| {
            let day = (event.at.as_seconds() - START.as_seconds()) / (24 * 60 * 60);
            let client = event.client.expect("it is about a client").to_string();
            (day, event.action.as_str(), self.names[&client])
        })
        .collect()
    }
}

async fn authorize(server: &TestServer, client: &Client) {
    let bought = flow::tokens(server, client, &client.request()).await;
    assert!(bought["refresh_token"].is_string(), "{bought}");
}

/// What people read who come with a client.
async fn page(server: &TestServer, client: &Client) -> String {
    Browser::new(server).get(&client.request().path()).await.text()
}

/// Registers clients of each kind, and authorizes those that are `once`, `back`, and `steady`.
async fn first_day(site: &mut Site) -> [Client; 4] {
    let server = site.day(0).await;
    let never = site.register(&server, "never").await;
    let once = site.register(&server, "once").await;
    let back = site.register(&server, "back").await;
    let steady = site.register(&server, "steady").await;
    let suspended = site.register(&server, "suspended").await;
    for client in [&once, &back, &steady] {
        authorize(&server, client).await;
    }
    let id: ClientId = suspended.id.parse().unwrap();
    let by = Author { at: server.clock.now(), ..by() };
    server.kept.change_standing(&id.into(), &Transition::SUSPEND, None, by).await.unwrap();
    let mut pending = server.record(&never.id).await;
    pending.client_id = ClientId::generate(START, &server.chance);
    pending.state.standing = Standing::Pending;
    site.names.insert(pending.client_id.to_string(), "pending");
    server.keep(pending).await;
    server.stop().await;
    [never, once, back, steady]
}

#[tokio::test]
async fn a_year_and_a_half_ends_with_the_clients_that_people_use_or_operators_decide_about() {
    let mut site = Site::new();
    let [never, once, back, steady] = first_day(&mut site).await;

    let server = site.day(29).await;
    assert_eq!(site.clients(&server).await.len(), 6);
    assert_eq!(site.told(&server).await, BTreeSet::new());
    server.stop().await;

    let server = site.day(30).await;
    let told = page(&server, &never).await;
    let expected = "An app isn't registered here any more. It was removed less than a minute ago because \
                    it was not used for 30 days.";
    assert!(told.contains(expected), "{told}");
    let refused = never.redeem(&server, "nothing").await;
    assert_eq!(refused.status, 401, "{refused:?}");
    authorize(&server, &steady).await;
    server.stop().await;

    for day in [200, 399] {
        let server = site.day(day).await;
        authorize(&server, &steady).await;
        assert_eq!(site.clients(&server).await.len(), 5);
        server.stop().await;
    }

    let server = site.day(400).await;
    server.wait_for_metric("doorward_clients_made_dormant_total", 2.0).await;
    let standings = site.clients(&server).await;
    assert_eq!((standings["once"], standings["back"]), (Standing::Dormant, Standing::Dormant));
    authorize(&server, &back).await;
    assert_eq!(site.clients(&server).await["back"], Standing::Active);
    let earlier = site.told(&server).await;
    let by_day_400 = BTreeSet::from([
        (30, "client.removed", "never"),
        (30, "grant.expired", "back"),
        (30, "grant.expired", "once"),
        (30, "grant.expired", "steady"),
        (200, "grant.expired", "steady"),
        (399, "grant.expired", "steady"),
        (400, "client.dormant", "back"),
        (400, "client.dormant", "once"),
        (400, "client.reactivated", "back"),
    ]);
    assert_eq!(earlier, by_day_400);
    server.stop().await;

    let server = site.day(489).await;
    assert_eq!(site.clients(&server).await["once"], Standing::Dormant);
    let told = page(&server, &never).await;
    assert!(told.starts_with("We don't know this app"), "the tombstone is too old: {told}");
    server.stop().await;

    let server = site.day(490).await;
    let expected = BTreeMap::from([
        ("back", Standing::Active),
        ("pending", Standing::Pending),
        ("steady", Standing::Active),
        ("suspended", Standing::Suspended),
    ]);
    assert_eq!(site.clients(&server).await, expected);
    let told = page(&server, &once).await;
    assert!(told.contains("because it was not used for 490 days."), "{told}");
    let mut expected: BTreeSet<_> =
        by_day_400.into_iter().filter(|(day, ..)| *day >= 490 - 400).collect();
    expected.extend([
        (489, "grant.expired", "back"),
        (489, "grant.expired", "steady"),
        (490, "client.removed", "once"),
    ]);
    assert_eq!(site.told(&server).await, expected);
    server.stop().await;
}

#[tokio::test]
async fn no_client_expires_at_the_first_start_with_expiry_whatever_earlier_releases_left() {
    let mut site = Site::new();
    let kept = store::open(&site.config, Access::Serve).await.unwrap();
    let mut off = site.config.clone();
    (off.clients.unused_days, off.clients.idle_days, off.audit.keep_days) = (0, 0, 0);
    let server = TestServer::kept_by_at(kept, off, START.before_days(900)).await;
    let never = site.register(&server, "never").await;
    let used = site.register(&server, "used").await;
    authorize(&server, &used).await;
    server.stop().await;

    for (day, count) in [(0, 2), (29, 2), (30, 1), (399, 1)] {
        let server = site.day(day).await;
        assert_eq!(server.clients().await.len(), count, "day {day}");
        server.stop().await;
    }
    let server = site.day(400).await;
    assert_eq!(site.clients(&server).await, BTreeMap::from([("used", Standing::Dormant)]));
    let told = page(&server, &never).await;
    assert!(told.contains("because it was not used for 30 days."), "{told}");
}

#[tokio::test]
async fn clients_expire_without_sign_in_too_and_never_if_the_settings_say_so() {
    let mut site = Site::new();
    site.config.sign_in.local = false;
    let server = site.day(0).await;
    site.register(&server, "never").await;
    server.stop().await;

    let mut off = site.config.clone();
    (off.clients.unused_days, off.clients.idle_days) = (0, 0);
    let kept = store::open(&off, Access::Serve).await.unwrap();
    let server = TestServer::kept_by_at(kept, off, START.after_days(900)).await;
    server
        .wait_for_metric("doorward_sweep_ended_timestamp_seconds{kind=\"events\"}", 1.8e9 + 1.0)
        .await;
    assert_eq!(server.clients().await.len(), 1);
    server.stop().await;

    let server = site.day(901).await;
    assert_eq!(server.clients().await.len(), 0);
}
