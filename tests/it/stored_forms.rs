//! Stores that past releases wrote still load. `stored_forms/` holds one for each version of the tables,
//! as SQL; a sample is never edited.

use std::{fs, path::Path};

use doorward::{
    client::ProfileName,
    clock::Timestamp,
    config::Config,
    store::{self, Access, ClientFilter, ClientFlags, ClientRecord},
};
use rusqlite::Connection;
use tempfile::TempDir;

/// The folder of a store that the SQL of `sample` makes.
fn written_by(sample: &str) -> TempDir {
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
        },
        ClientRecord {
            client_id: "0193a1b2-c3d6-7000-8000-000000000003".parse().unwrap(),
            issued_at: Timestamp::from_millis(0),
            profile: ProfileName::Rfc7591,
            source: None,
            flags: ClientFlags::default(),
            metadata: "{}".to_owned(),
        },
    ];
    assert_eq!(kept, expected);
    store.ready().await.unwrap();
    store.close().await.unwrap();
    let report = store::embedded::check(folder.path()).unwrap();
    assert_eq!((report.clients, report.faults), (3, Vec::new()));
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
        let meaning: Vec<_> = schema
            .lines()
            .flat_map(|line| line.split("--").next().unwrap_or_default().split_whitespace())
            .map(str::to_owned)
            .collect();
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
