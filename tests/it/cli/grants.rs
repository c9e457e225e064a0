//! `doorward grant` and `doorward session`: what people have allowed and with which browsers they are signed in,
//! listed and revoked without a server.

use crate::harness::by;
use doorward::{
    client::{ClientIdentifier, Scope},
    clock::Timestamp,
    config::{Config, StoreLocation},
    entropy::Entropy,
    grant::{CodeVerifier, GrantId, ResourceIndicator},
    secret::SecretHash,
    store::{
        self, Access, CodeRecord, GrantRecord, ResourceOwner, SessionId, SessionRecord, Store,
    },
};
use serde_json::json;
use tokio::runtime::Runtime;

use super::*;

/// January 2027.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(super) const DOCUMENT: &str = "https://app.example/client.json";

/// The `nth` grant of a test, one second after the one before.
pub(super) fn grant(nth: u32, client: &str, subject: &str, entropy: &Entropy) -> GrantRecord {
    let made = NOW.after_seconds(nth.into());
    GrantRecord {
        grant_id: GrantId::generate(made, entropy),
        client: client.parse::<ClientIdentifier>().unwrap(),
        subject: subject.to_owned(),
        scope: Scope::parse("read write").unwrap(),
        resources: vec![ResourceIndicator::parse("https://tools.example/mcp").unwrap()],
        issued_at: made,
        expires_at: NOW.after_days(365),
        code: CodeRecord {
            hash: SecretHash::of(b"a code"),
            redirect_uri: "https://app.example/cb".to_owned(),
            challenge: CodeVerifier::generate(entropy).challenge(),
            expires_at: NOW.after_days(1),
            redeemed_at: None,
        },
        refreshes: 0,
        graced: 0,
        refresh: None,
        identity: None,
    }
}

/// Two people have allowed two clients something, in turn; the grants in their order.
fn with_grants(number: u32) -> (Doorward, Vec<String>) {
    let doorward = Doorward::new();
    let entropy = Entropy::seeded(3);
    let grants: Vec<_> = (0..number)
        .map(|nth| {
            let client = if nth % 3 == 0 { DOCUMENT } else { &id(1) };
            let subject = if nth % 2 == 0 { "acme:even" } else { "acme:\u{202e}odd" };
            grant(nth, client, subject, &entropy)
        })
        .collect();
    in_store(&doorward, async |store| {
        for grant in &grants {
            store.keep_grant(grant.clone()).await.unwrap();
        }
    });
    (doorward, grants.iter().map(|grant| grant.grant_id.to_string()).collect())
}

/// Does something with the store, as a server would.
pub(super) fn in_store(doorward: &Doorward, work: impl AsyncFnOnce(&Store)) {
    let location = match &doorward.database {
        Some(url) => StoreLocation::Postgres(url.parse().unwrap()),
        None => StoreLocation::Folder(doorward.path("doorward-data")),
    };
    let config = Config { store: location, ..Config::default() };
    Runtime::new().unwrap().block_on(async {
        let store = store::open(&config, Access::Serve).await.unwrap();
        work(&store).await;
        store.close().await.unwrap();
    });
}

fn listed(doorward: &Doorward, more: &[&str]) -> Vec<String> {
    let ran = doorward.run(&[&["--quiet", "grant", "list"], more].concat());
    ran.lines().iter().map(|line| line["grant_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn grants_are_listed_by_client_and_by_subject_without_their_secrets() {
    let (doorward, ids) = with_grants(7);
    assert_eq!(listed(&doorward, &[]), ids);
    assert_eq!(listed(&doorward, &["--client", DOCUMENT]), [&*ids[0], &ids[3], &ids[6]]);
    assert_eq!(listed(&doorward, &["--subject", "acme:\u{202e}odd"]), [&*ids[1], &ids[3], &ids[5]]);
    let both = ["--client", DOCUMENT, "--subject", "acme:even"];
    assert_eq!(listed(&doorward, &both), [&*ids[0], &ids[6]]);
    let nobody = doorward.run(&["grant", "list", "--subject", "acme"]);
    assert_eq!((&*nobody.out, &*nobody.err), ("", "There is no such grant.\n"));

    let line = doorward.run(&["grant", "list", "--limit", "1", "--quiet"]).lines().remove(0);
    assert_eq!(
        line,
        json!({
            "grant_id": ids[0],
            "client_id": DOCUMENT,
            "sub": "acme:even",
            "scope": "read write",
            "resources": ["https://tools.example/mcp"],
            "issued_at": "2027-01-15T08:00:00Z",
            "expires_at": "2028-01-15T08:00:00Z",
            "is_redeemed": false,
        })
    );
    let table = doorward.run(&["-q", "grant", "list", "--output", "table"]).result();
    assert!(table.starts_with("GRANT ID "), "{table}");
    assert!(table.contains("acme:\\u{202e}odd"), "nothing turns the line around: {table}");
    let array = doorward.run(&["-q", "grant", "list", "--output", "json"]).result();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&array).unwrap().len(), 7);
}

#[test]
fn a_list_goes_on_where_an_earlier_one_ended() {
    let (doorward, ids) = with_grants(5);
    let first = doorward.run(&["grant", "list", "--limit", "2", "--output", "jsonl"]);
    assert_eq!(first.err, format!("There are more: go on with --after {}\n", ids[1]));
    assert_eq!(listed(&doorward, &["--after", &ids[1]]), ids[2..]);
}

#[test]
fn grants_are_revoked_by_name_or_all_of_a_client_or_subject() {
    // More than are revoked at once.
    let (doorward, ids) = with_grants(150);
    let unasked = doorward.run(&["grant", "revoke", &ids[0]]);
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    for wrong in [&["grant", "revoke", "--yes"][..], &["grant", "revoke", "--client", "x", "--yes"]]
    {
        assert_eq!(doorward.run(wrong).code, Some(2), "{wrong:?}");
    }
    assert_eq!(listed(&doorward, &[]).len(), 150);

    let ran = doorward.run(&["grant", "revoke", "--yes", &ids[1], &ids[2]]);
    assert_eq!(ran.err, format!("Revoked {}.\nRevoked {}.\n", ids[1], ids[2]));
    let again = doorward.run(&["grant", "revoke", "--yes", &ids[1]]);
    assert_eq!((again.code, again.err), (Some(3), format!("There is no grant {}.\n", ids[1])));

    let ran = doorward.run(&["grant", "revoke", "--yes", "--subject", "acme:even"]);
    assert_eq!((ran.code, &*ran.err), (Some(0), "Revoked 74 grants.\n"));
    assert_eq!(listed(&doorward, &[]).len(), 74, "those of the other are left");
    let of_both =
        ["grant", "revoke", "--yes", "--client", DOCUMENT, "--subject", "acme:\u{202e}odd"];
    assert_eq!(doorward.run(&of_both).err, "Revoked 25 grants.\n");
    assert!(listed(&doorward, &["--client", DOCUMENT]).is_empty());
    assert_eq!(listed(&doorward, &[]).len(), 49);
}

#[test]
fn sessions_are_listed_and_revoked_by_name_or_all_of_a_subject() {
    let (doorward, entropy) = (Doorward::new(), Entropy::seeded(4));
    let sessions: Vec<_> = (0..5)
        .map(|nth| SessionRecord {
            session_id: SessionId::generate(NOW.after_seconds(nth), &entropy),
            hash: SecretHash::of(b"a cookie"),
            owner: ResourceOwner {
                subject: format!("acme:{}", nth % 2),
                name: Some("Ada".to_owned()),
                email: None,
                identity: None,
            },
            signed_in_at: NOW,
            idle_at: NOW.after_seconds(60),
            expires_at: NOW.after_days(1),
        })
        .collect();
    in_store(&doorward, async |store| {
        for session in &sessions {
            store.begin_session(session.clone(), by()).await.unwrap();
        }
    });
    let ids: Vec<String> = sessions.iter().map(|it| it.session_id.to_string()).collect();
    let list = |more: &[&str]| -> Vec<Value> {
        doorward.run(&[&["--quiet", "session", "list"], more].concat()).lines()
    };
    let of = |lines: Vec<Value>| -> Vec<String> {
        lines.iter().map(|line| line["session_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(list(&[])), ids);
    assert_eq!(of(list(&["--subject", "acme:1"])), [&*ids[1], &ids[3]]);
    assert_eq!(of(list(&["--after", &ids[2], "--limit", "1"])), ids[3..4]);
    assert_eq!(
        list(&["--limit", "1"])[0],
        json!({
            "session_id": ids[0],
            "sub": "acme:0",
            "name": "Ada",
            "signed_in_at": "2027-01-15T08:00:00Z",
            "idle_at": "2027-01-15T08:01:00Z",
            "expires_at": "2027-01-16T08:00:00Z",
        })
    );

    assert_eq!(doorward.run(&["session", "revoke", &ids[0]]).code, Some(2), "unasked");
    assert_eq!(doorward.run(&["session", "revoke", "--yes"]).code, Some(2), "none is named");
    let ran = doorward.run(&["session", "revoke", "--yes", &ids[0]]);
    assert_eq!((ran.code, ran.err), (Some(0), format!("Revoked {}.\n", ids[0])));
    assert_eq!(doorward.run(&["session", "revoke", "--yes", &ids[0]]).code, Some(3));
    let ran = doorward.run(&["session", "revoke", "--yes", "--subject", "acme:1"]);
    assert_eq!((ran.code, &*ran.err), (Some(0), "Revoked 2 sessions.\n"));
    assert_eq!(of(list(&[])), [&*ids[2], &ids[4]]);
}
