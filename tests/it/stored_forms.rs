//! Stores that past releases wrote still load. `stored_forms/` holds one for each version of the tables,
//! as SQL; a sample is never edited.

use std::{fs, path::Path};

use doorward::{
    audit::Action,
    client::ProfileName,
    clock::Timestamp,
    config::Config,
    grant::{GrantId, ResourceIndicator},
    store::{
        self, Access, ClientFilter, ClientFlags, ClientRecord, ClientRegistration, ClientState,
        EventsOf, SessionId, Standing,
    },
};
use rusqlite::Connection;
use tempfile::TempDir;

/// The folder of a store that the SQL of `sample` makes.
pub(crate) fn written_by(sample: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stored_forms");
    let sql = fs::read_to_string(samples.join(sample)).unwrap();
    let connection = Connection::open(folder.path().join("doorward.sqlite3")).unwrap();
    connection.execute_batch(&sql).unwrap();
    folder
}

#[tokio::test]
async fn a_store_of_version_1_loads_whole_and_takes_new_clients() {
    let folder = written_by("1.sql");
    let store =
        store::open_folder(folder.path(), &Config::default().embedded, Access::Serve).unwrap();

    let kept = store.clients(&ClientFilter::default(), None, 10).await.unwrap();
    let expected = [
        ClientRecord {
            client_id: "0193a1b2-c3d4-7000-8000-000000000001".parse().unwrap(),
            issued_at: Timestamp::from_millis(1_733_563_204_564),
            profile: ProfileName::Datadog,
            source: Some([198, 51, 100, 7].into()),
            flags: ClientFlags::default(),
            metadata: concat!(
                r#"{"client_name":"Datadog MCP","redirect_uris":["http://127.0.0.1:8123/callback"],"#,
                r#""token_endpoint_auth_method":"none","#,
                r#""grant_types":["authorization_code","refresh_token"],"response_types":["code"]}"#,
            )
            .to_owned(),
            state: ClientState::default(),
            registration: ClientRegistration::default(),
        },
        ClientRecord {
            client_id: "0193a1b2-c3d5-7abc-bdef-0123456789ab".parse().unwrap(),
            issued_at: Timestamp::from_millis(1_733_563_204_565),
            profile: ProfileName::Rfc7591,
            source: Some("2001:db8::7".parse().unwrap()),
            flags: ClientFlags::from_bits(5),
            metadata: concat!(
                r#"{"client_name":"Cl\u0430ude \"quoted\" 'single'","#,
                r#""client_name#de":"Tür","redirect_uris":["com.example.app:/cb"]}"#,
            )
            .to_owned(),
            state: ClientState::default(),
            registration: ClientRegistration::default(),
        },
        ClientRecord {
            client_id: "0193a1b2-c3d6-7000-8000-000000000003".parse().unwrap(),
            issued_at: Timestamp::from_millis(0),
            profile: ProfileName::Rfc7591,
            source: None,
            flags: ClientFlags::default(),
            metadata: "{}".to_owned(),
            state: ClientState::default(),
            registration: ClientRegistration::default(),
        },
    ];
    assert_eq!(kept, expected);
    store.ready().await.unwrap();
    store.close().await.unwrap();
    let report = store::embedded::check(folder.path()).unwrap();
    assert_eq!((report.clients, report.faults), (3, Vec::new()));
}

#[tokio::test]
async fn a_store_of_version_2_loads_what_clients_were_allowed() {
    loads_what_clients_were_allowed("2.sql").await;
}

#[tokio::test]
async fn a_store_of_version_3_loads_what_clients_were_allowed() {
    loads_what_clients_were_allowed("3.sql").await;
}

#[tokio::test]
async fn a_store_of_version_4_loads_what_clients_were_allowed() {
    loads_what_clients_were_allowed("4.sql").await;
}

#[tokio::test]
async fn a_store_of_version_5_loads_what_clients_were_allowed() {
    loads_what_clients_were_allowed("5.sql").await;
}

#[tokio::test]
async fn a_store_of_version_6_loads_the_states_of_clients_and_the_events() {
    loads_what_clients_were_allowed("6.sql").await;
    let folder = written_by("6.sql");
    let store =
        store::open_folder(folder.path(), &Config::default().embedded, Access::Serve).unwrap();

    let id = "0193a1b2-c3d5-7abc-bdef-0123456789ab".parse().unwrap();
    let client = store.client(id).await.unwrap().unwrap();
    assert_eq!(client.state.standing, Standing::Suspended);
    assert_eq!(client.state.note.as_deref(), Some("seen before"));
    let document = "https://app.example.com/client.json".parse().unwrap();
    let document = store.document_client(&document).await.unwrap().unwrap();
    assert_eq!(document.first_allowed_at, Timestamp::from_millis(1_733_563_204_568));
    let events = store.newest_events(Some(&EventsOf::Client(id.into())), None, 10).await.unwrap();
    assert_eq!(events[0].action, Action::ClientSuspended);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_store_of_version_7_loads_what_clients_were_allowed() {
    loads_what_clients_were_allowed("7.sql").await;
}

#[tokio::test]
async fn a_store_of_version_7_loads_the_clients_that_were_counted() {
    let folder = written_by("7.sql");
    let family = "d0703838-0ed3-812f-adc1-81307025d7be".parse().unwrap();
    let client = "0193a1b2-c3d4-7000-8000-000000000001".parse().unwrap();
    Connection::open(folder.path().join("doorward.sqlite3"))
        .unwrap()
        .execute_batch(
            "INSERT INTO family_clients \
             VALUES (x'd07038380ed3812fadc181307025d7be', x'0193a1b2c3d470008000000000000001'), \
             (x'd07038380ed3812fadc181307025d7be', x'0193a1b2c3d470008000000000000009')",
        )
        .unwrap();
    let store =
        store::open_folder(folder.path(), &Config::default().embedded, Access::Serve).unwrap();

    let filter = ClientFilter { family: Some(family), ..ClientFilter::default() };
    let of_family = store.clients(&filter, None, 10).await.unwrap();
    assert_eq!(of_family.iter().map(|found| found.client_id).collect::<Vec<_>>(), [client]);
    assert_eq!(store.family_registrations(family, Timestamp::from_millis(0)).await.unwrap(), 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_store_of_version_8_loads_the_families_of_clients() {
    loads_the_families_of_clients("8.sql").await;
}

#[tokio::test]
async fn a_store_of_version_9_loads_the_families_of_clients() {
    loads_the_families_of_clients("9.sql").await;
}

#[tokio::test]
async fn a_store_of_version_10_loads_the_families_of_clients() {
    loads_the_families_of_clients("10.sql").await;
}

async fn loads_the_families_of_clients(sample: &str) {
    loads_what_clients_were_allowed(sample).await;
    let folder = written_by(sample);
    let store =
        store::open_folder(folder.path(), &Config::default().embedded, Access::Serve).unwrap();

    store.rebuild_families(Timestamp::from_millis(0), &|_| {}).await.unwrap();

    let families = store.families_by_id(None, 10).await.unwrap();
    let mut counted: Vec<_> =
        families.iter().map(|family| (family.key.as_str(), family.clients)).collect();
    counted.sort_unstable();
    let app = "claude quoted single@scheme:com.example.app";
    assert_eq!(counted, [("", 1), (app, 1), ("datadog mcp@loopback", 1)]);
    store.close().await.unwrap();
}

async fn loads_what_clients_were_allowed(sample: &str) {
    let folder = written_by(sample);
    let store =
        store::open_folder(folder.path(), &Config::default().embedded, Access::Serve).unwrap();

    assert_eq!(store.count_clients().await.unwrap(), 3);
    let id = |text: &str| text.parse::<uuid::Uuid>().unwrap().into_bytes();
    let redeemed = GrantId::from_bytes(id("0193a1b2-c3d7-7000-8000-000000000004"));
    let grant = store.grant(redeemed).await.unwrap().unwrap();
    assert_eq!(grant.client.to_string(), "0193a1b2-c3d4-7000-8000-000000000001");
    assert_eq!((grant.subject.as_str(), grant.scope.unwrap().as_str()), ("acme:7", "read write"));
    let resources: Vec<_> = grant.resources.iter().map(ResourceIndicator::as_str).collect();
    assert_eq!(resources, ["https://mcp.example.com/mcp", "urn:example:api"]);
    assert_eq!(grant.code.hash.as_bytes(), &[1; 32]);
    assert_eq!(grant.code.challenge.as_bytes(), &[2; 32]);
    assert_eq!(grant.code.redeemed_at, Some(Timestamp::from_millis(1_733_563_205_567)));
    let refresh = grant.refresh.unwrap();
    assert_eq!(refresh.family.as_bytes(), &[3; 32]);
    assert_eq!(refresh.current.as_bytes(), &[4; 32]);
    let (previous, superseded_at) = refresh.previous.unwrap();
    assert_eq!(previous.as_bytes(), &[5; 32]);
    assert_eq!(superseded_at, Timestamp::from_millis(1_733_563_206_567));

    let begun = GrantId::from_bytes(id("0193a1b2-c3d8-7000-8000-000000000005"));
    let grant = store.grant(begun).await.unwrap().unwrap();
    assert_eq!(grant.client.to_string(), "https://app.example.com/client.json");
    assert!(grant.scope.is_none() && grant.resources.is_empty() && grant.refresh.is_none());

    let session = SessionId::from_bytes(id("0193a1b2-c3d9-7000-8000-000000000006"));
    let session = store.session(session).await.unwrap().unwrap();
    assert_eq!(
        (session.owner.subject.as_str(), session.owner.name.as_deref()),
        ("acme:7", Some("Ada"))
    );
    let keys = store.keys().await.unwrap();
    assert_eq!(
        (keys[0].algorithm.as_str(), keys[0].sealed.as_slice()),
        ("ES256", &[13, 14, 15][..])
    );
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_tables_that_this_release_makes_are_those_of_its_sample() {
    let tables = |folder: &Path| {
        let connection = Connection::open(folder.join("doorward.sqlite3")).unwrap();
        let schema: String = connection
            .query_row("SELECT group_concat(sql, ';') FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        let number = |pragma: &str| -> i64 {
            connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap()
        };
        // Comments and white space change no meaning.
        let statements = schema.lines().map(|line| line.split("--").next().unwrap_or_default());
        let spaced =
            [",", "(", ")"].iter().fold(statements.collect::<Vec<_>>().join(" "), |text, mark| {
                text.replace(mark, &format!(" {mark} "))
            });
        let meaning: Vec<_> = spaced.split_whitespace().map(str::to_owned).collect();
        (meaning, number("application_id"), number("user_version"))
    };
    let folder = TempDir::new().unwrap();
    let store =
        store::open_folder(folder.path(), &Config::default().embedded, Access::Serve).unwrap();
    store.close().await.unwrap();
    let made = tables(folder.path());

    let sample = written_by(&format!("{}.sql", made.2));
    assert_eq!(made, tables(sample.path()));
}
