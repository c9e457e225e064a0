//! `doorward store copy`: from data folder to data folder, and to a database and back.

use std::{collections::BTreeMap, sync::Arc, thread, time::Duration};

use doorward::{
    config::Config,
    store::{self, Access, Store},
};
use rusqlite::Connection;

use super::{serve::Server, *};
use crate::{
    flow::{self, Browser, Client},
    granted::{self, TOOLS},
    harness::TestServer,
    left_out::left_out,
};

/// More than a page of them.
fn clients(count: u32) -> Vec<String> {
    (0..count).map(|number| line(number, &metadata(&format!("client-{number}")))).collect()
}

/// With `lines` in the data folder `old`.
fn with_old(lines: &[String]) -> Doorward {
    let doorward = Doorward::new();
    fill(&doorward, "old", lines);
    doorward
}

fn fill(doorward: &Doorward, place: &str, lines: &[String]) {
    let words = ["--quiet", "client", "import", "-", "--data", place];
    let ran = doorward.run_with(&words, &lines.join("\n"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

fn copy(doorward: &Doorward, from: &str, to: &str, words: &[&str]) -> Ran {
    let copy = ["store", "copy", "--output", "json", "--from", from, "--to", to];
    doorward.run(&[&copy[..], words].concat())
}

/// What a copy has to say of clients, with exit code `code`.
#[track_caller]
fn report(ran: &Ran, code: i32) -> Value {
    whole_report(ran, code)["clients"].take()
}

#[track_caller]
fn whole_report(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["good"], code == 0, "{ran:?}");
    report
}

fn export(doorward: &Doorward, place: &str) -> String {
    let ran = doorward.run(&["--quiet", "client", "export", "--data", place]);
    ran.result()
}

/// Makes a data folder in which something happens after each client that it takes.
fn with_trigger(doorward: &Doorward, place: &str, then: &str) {
    fill(doorward, place, &[]);
    let database = Connection::open(doorward.path(place).join("doorward.sqlite3")).unwrap();
    let sql = format!("CREATE TRIGGER meddle AFTER INSERT ON clients BEGIN {then}; END");
    database.execute_batch(&sql).unwrap();
}

fn count(doorward: &Doorward, place: &str) -> u64 {
    let file = doorward.path(place).join("doorward.sqlite3");
    let database = Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let count = database.and_then(|database| {
        database.query_row("SELECT count(*) FROM clients", [], |row| row.get::<_, i64>(0))
    });
    count.unwrap_or(0).try_into().unwrap()
}

#[test]
fn a_copy_has_every_record_and_says_so() {
    let lines = clients(1_200);
    let doorward = with_old(&lines);

    let words = ["store", "copy", "--from", "old", "--to", "new"];
    let said = doorward.run(&words).result();

    let clients = "clients: copied 1200, there already 0; differing 0, missing 0, changed meanwhile 0, \
        in the target alone 0\n  source 1200 (SHA-256: ";
    assert!(said.starts_with(clients), "{said}");
    assert!(said.contains("\ngrants: copied 0, there already 0; "), "{said}");
    assert!(said.ends_with("\nThe target has what the source has.\n"), "{said}");
    assert_eq!(export(&doorward, "new"), lines.join("\n") + "\n");
}

#[test]
fn a_target_that_is_not_empty_is_refused_with_the_word_that_lets_it_go_on() {
    let lines = clients(3);
    let doorward = with_old(&lines);
    fill(&doorward, "new", &lines[1..2]);

    let complaint = copy(&doorward, "old", "new", &[]).complaint(1);
    assert!(complaint.contains("the data folder new holds clients already"), "{complaint}");
    assert!(complaint.contains("--into-existing"), "{complaint}");
    assert_eq!(count(&doorward, "new"), 1);

    let report = report(&copy(&doorward, "old", "new", &["--into-existing"]), 0);
    assert_eq!((&report["copied"], &report["already_there"]), (&2.into(), &1.into()));
    assert_eq!(export(&doorward, "new"), export(&doorward, "old"));
}

#[test]
fn a_copy_that_was_killed_goes_on_when_it_is_run_again() {
    const COUNT: u32 = 10_000;
    let doorward = with_old(&clients(COUNT));
    let words = ["store", "copy", "--from", "old", "--to", "new"];
    let mut killed = doorward.command(&words).spawn().unwrap();
    while count(&doorward, "new") == 0 && killed.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let there = count(&doorward, "new");
    assert!(0 < there && there < COUNT.into(), "it was killed in the middle: {there}");

    let report = report(&copy(&doorward, "old", "new", &["--into-existing"]), 0);

    assert_eq!(report["already_there"], there);
    assert_eq!(report["source"], report["target"]);
    assert_eq!(export(&doorward, "new"), export(&doorward, "old"));
}

#[test]
fn a_client_with_another_record_is_named_and_stays_as_it_is() {
    let doorward = with_old(&clients(3));
    let other = line(1, &metadata("other"));
    fill(&doorward, "new", std::slice::from_ref(&other));

    let ran = copy(&doorward, "old", "new", &["--into-existing"]);

    let report = report(&ran, 3);
    assert_eq!((&report["copied"], &report["differing"]), (&2.into(), &1.into()));
    assert_ne!(report["source"]["sha256"], report["target"]["sha256"]);
    let told = "is in the target with another record, which stays as it is";
    assert_eq!(ran.err, format!("client {} {told}\n", id(1)));
    assert!(export(&doorward, "new").contains(&other));
}

#[test]
fn a_record_that_changes_under_the_copy_is_found_at_the_end() {
    let doorward = with_old(&clients(3));
    let changed = format!(
        "UPDATE clients SET flags = 1 WHERE client_id = new.client_id AND new.issued_at % 60000 = {}",
        (1_700_000_001_u64 * 1_000 + 125) % 60_000
    );
    with_trigger(&doorward, "new", &changed);

    let ran = copy(&doorward, "old", "new", &[]);

    let report = report(&ran, 3);
    assert_eq!((&report["copied"], &report["differing"]), (&3.into(), &1.into()));
    assert_eq!(report["source"]["records"], report["target"]["records"]);
    assert_ne!(report["source"]["sha256"], report["target"]["sha256"]);
    assert!(ran.err.starts_with(&format!("client {} is in the target with ", id(1))), "{ran:?}");
}

#[test]
fn a_record_that_is_lost_on_the_way_is_found_at_the_end() {
    let doorward = with_old(&clients(2));
    with_trigger(&doorward, "new", "DELETE FROM clients WHERE client_id = new.client_id");

    let ran = copy(&doorward, "old", "new", &[]);

    let report = report(&ran, 3);
    assert_eq!((&report["missing"], &report["target"]["records"]), (&2.into(), &0.into()));
    assert_eq!(ran.err.matches(" is not in the target\n").count(), 2, "{ran:?}");
}

#[test]
fn servers_may_run_on_both_sides() {
    let doorward = with_old(&clients(2));
    let serve = |place| {
        let listen = ["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
        let words = [&["serve", "--dev", "--data", place], &listen[..]].concat();
        Server::start(&doorward, &words, "/register'")
    };
    let servers = [serve("old"), serve("new")];

    let report = report(&copy(&doorward, "old", "new", &["--clients-only", "--into-existing"]), 0);

    assert_eq!((&report["copied"], &report["changed_meanwhile"]), (&2.into(), &0.into()));
    for server in servers {
        assert_eq!(server.stop().code, Some(0));
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_named_without_its_password_and_nothing_is_made() {
    let doorward = with_old(&clients(1));
    let nobody = format!("postgres://u:hunter2@127.0.0.1:{}/d", crate::redis::free_port());

    let complaint = copy(&doorward, "old", &nobody, &[]).complaint(1);
    assert!(complaint.contains("postgres://u:[redacted]@127.0.0.1"), "{complaint}");
    assert!(!complaint.contains("hunter2"), "{complaint}");
    let complaint = copy(&doorward, &nobody, "new", &[]).complaint(1);
    assert!(!complaint.contains("hunter2"), "{complaint}");
    let complaint = copy(&doorward, "nowhere", "new", &[]).complaint(1);
    assert!(complaint.contains("nowhere holds no store"), "{complaint}");
    assert!(!doorward.path("new").exists() && !doorward.path("nowhere").exists());
}

#[test]
fn clients_go_into_a_database_and_come_back_as_they_were() {
    let lines = clients(1_200);
    let doorward = with_old(&lines);
    let Some(url) = doorward.database.clone() else {
        left_out("copies to PostgreSQL (DOORWARD_TEST_STORE is not postgres)");
        return;
    };
    let into = |from: &str, to: &str, words: &[&str]| copy(&doorward, from, to, words);

    let there = report(&into("old", &url, &[]), 0);
    assert_eq!((&there["copied"], &there["source"]), (&1_200.into(), &there["target"]));
    let again = into("old", &url, &[]).complaint(1);
    assert!(again.contains("--into-existing"), "{again}");
    let again = report(&into("old", &url, &["--into-existing"]), 0);
    assert_eq!((&again["copied"], &again["already_there"]), (&0.into(), &1_200.into()));
    let back = report(&into(&url, "new", &[]), 0);

    assert_eq!(back["target"], there["source"]);
    assert_eq!(export(&doorward, "new"), lines.join("\n") + "\n");
}

/// The settings of a server on this store.
fn settings(store: &str) -> Config {
    let mut config = granted::config_on(store);
    flow::ISSUER.clone_into(&mut config.server.issuer);
    config
}

async fn open(config: &Config) -> Arc<Store> {
    store::open(config, Access::Serve).await.unwrap()
}

/// What somebody holds who was here before the store moved.
struct Held {
    client: Client,
    cookies: BTreeMap<String, String>,
    access_token: String,
    refresh_token: String,
    /// Not redeemed yet.
    code: String,
}

impl Held {
    /// Signs in, allows a client twice, and rotates its refresh token once.
    async fn on(server: &TestServer) -> Self {
        let client = Client::register(server).await;
        let request = client.request().and("scope", "read").and("resource", TOOLS);
        let mut browser = Browser::new(server);
        let welcome = browser.get(&request.path()).await;
        let mut asked = browser.sign_in(&welcome).await;
        let mut codes = Vec::new();
        for _ in 0..2 {
            codes.push(browser.submit(&asked, "decision", "allow").await.code());
            asked = browser.get(&request.path()).await;
        }
        let [first, code] = codes.try_into().unwrap();
        let bought = client.redeem(server, &first).await;
        let (client, cookies) = (client, browser.cookies());
        let access_token = granted::member(&bought, "access_token");
        let refresh_token = granted::member(&bought, "refresh_token");
        let mut held = Self { client, cookies, access_token, refresh_token, code };
        held.refresh(server).await;
        held
    }

    async fn refresh(&mut self, server: &TestServer) {
        let answer = self.client.refresh(server, &self.refresh_token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.refresh_token = granted::member(&answer, "refresh_token");
    }

    /// Everything is good on this server.
    async fn is_good_on(&mut self, server: &TestServer) {
        let told = server.introspect("tools", &self.access_token).await;
        assert_eq!(told["active"], true, "an older access token is verified: {told}");
        self.refresh(server).await;
        let mut browser = Browser::with(server, self.cookies.clone());
        let asked = browser.get(&self.client.request().and("resource", TOOLS).path()).await;
        assert_eq!(asked.answer.status, 200, "{asked:?}");
        asked.form("decision");
    }
}

#[tokio::test]
async fn nobody_has_to_sign_in_or_consent_again_where_a_store_has_moved_to_and_back() {
    let doorward = Doorward::new();
    let place = |name: &str| doorward.path(name).to_str().unwrap().to_owned();
    let (old, back) = (place("old"), place("back"));
    let new = doorward.database.clone().unwrap_or_else(|| place("new"));
    let config = settings(&old);
    let server = TestServer::kept_by(open(&config).await, config).await;
    let mut held = Held::on(&server).await;
    let revoked = Held::on(&server).await;
    revoked.client.revoke(&server, &revoked.refresh_token).await;
    server.stop().await;

    let there = whole_report(&copy(&doorward, &old, &new, &[]), 0);
    let kinds = [
        "clients",
        "document_clients",
        "families",
        "consents",
        "grants",
        "sessions",
        "keys",
        "events",
    ];
    let copied = kinds.map(|kind| {
        assert_eq!(there[kind]["source"], there[kind]["target"]);
        there[kind]["copied"].as_u64().unwrap()
    });
    // Two sign-ins, four permissions of two events each, two codes, a revocation, and a key.
    assert_eq!(copied, [2, 0, 0, 2, 3, 2, 1, 14]);

    let config = settings(&new);
    let server = TestServer::kept_by(open(&config).await, config).await;
    held.is_good_on(&server).await;
    assert_eq!(held.client.redeem(&server, &held.code).await.status, 200);
    assert_eq!(revoked.client.refresh(&server, &revoked.refresh_token).await.status, 400);
    server.stop().await;

    whole_report(&copy(&doorward, &new, &back, &[]), 0);
    let config = settings(&back);
    let server = TestServer::kept_by(open(&config).await, config).await;
    held.is_good_on(&server).await;
    assert_eq!(held.client.redeem(&server, &held.code).await.status, 400, "it was redeemed");
    server.stop().await;
}

#[tokio::test]
async fn a_copy_that_is_run_again_brings_grants_to_their_later_state() {
    let doorward = Doorward::new();
    let old = doorward.path("old").to_str().unwrap().to_owned();
    let new = doorward.database.clone().unwrap_or_else(|| "new".to_owned());
    let config = settings(&old);
    let server = TestServer::kept_by(open(&config).await, config.clone()).await;
    let mut held = Held::on(&server).await;
    server.stop().await;
    whole_report(&copy(&doorward, &old, &new, &[]), 0);
    let again = copy(&doorward, &old, &new, &[]).complaint(1);
    assert!(again.contains(" holds clients already"), "{again}");

    let server = TestServer::kept_by(open(&config).await, config).await;
    server.clock.advance(Duration::from_secs(1));
    held.refresh(&server).await;
    server.stop().await;
    let report = whole_report(&copy(&doorward, &old, &new, &["--into-existing"]), 0);

    let grants = &report["grants"];
    assert_eq!((&grants["copied"], &grants["already_there"]), (&1.into(), &1.into()));
    assert_eq!(grants["source"], grants["target"]);
}

#[test]
fn a_target_with_nothing_but_keys_of_its_own_is_refused_as_well() {
    let doorward = with_old(&clients(1));
    fill(&doorward, "new", &[]);
    let file = doorward.path("new").join("doorward.sqlite3");
    let sql = "INSERT INTO keys VALUES ('own', 'ES256', 0, x'00')";
    Connection::open(file).unwrap().execute_batch(sql).unwrap();

    let complaint = copy(&doorward, "old", "new", &[]).complaint(1);
    assert!(complaint.contains("the data folder new holds keys already"), "{complaint}");

    let ran = copy(&doorward, "old", "new", &["--into-existing"]);
    let report = whole_report(&ran, 0);
    assert_eq!(report["keys"]["in_target_alone"], 1);
    assert_eq!(report["clients"]["copied"], 1);
}

#[test]
fn keys_that_were_copied_are_opened_where_the_secret_was_brought_along() {
    let doorward = Doorward::new();
    let new = doorward.database.clone().unwrap_or_else(|| "new".to_owned());
    let listen = ["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let serve = |place: &str, words: &[&str]| {
        let words = [&["serve", "--dev", "--data", place], &listen[..], words].concat();
        Server::start(&doorward, &words, "/register'").stop().code
    };
    assert_eq!(serve("old", &[]), Some(0));
    let report = whole_report(&copy(&doorward, "old", &new, &[]), 0);
    assert_eq!(report["keys"]["copied"], 1);

    let settings = |secret: &str| format!("[token]\nkeys_secret = \"{secret}\"\n");
    doorward.write("right.toml", &settings(&doorward.read("old/keys.secret")));
    doorward.write("wrong.toml", &settings(&"x".repeat(43)));
    assert_eq!(serve(&new, &["--config", "right.toml"]), Some(0));
    let wrong =
        [&["serve", "--dev", "--data", &new, "--config", "wrong.toml"], &listen[..]].concat();
    let ran = doorward.run(&wrong);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("cannot be unsealed: token.keys_secret"), "{ran:?}");
}

#[test]
fn a_store_whose_keys_are_damaged_is_not_walked_for_ever() {
    let doorward = with_old(&clients(1));
    let file = doorward.path("old").join("doorward.sqlite3");
    // Behind its own key, which stands for the greatest.
    let sql = format!(
        "INSERT INTO consents VALUES (x'{}', 'acme:7', '{}', NULL, '', x'{}', 0, 9000000000000)",
        "ff".repeat(32),
        id(1),
        "00".repeat(32)
    );
    Connection::open(file).unwrap().execute_batch(&sql).unwrap();

    let complaint = copy(&doorward, "old", "new", &[]).complaint(1);

    let what = format!("the consent of acme:7 to {}: it does not stand where it belongs", id(1));
    assert!(complaint.contains(&what), "{complaint}");
}
