//! The promises of sessions, keys, and sweeps.

use super::by;
use crate::audit::{Action, Author};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    Records,
    grants::{Grants, NOW},
    register_all,
};
use crate::{
    entropy::Entropy,
    secret::SecretHash,
    store::{
        ConsentRecord, Deleted, KeyKept, KeyRecord, ResourceOwner, SessionId, SessionRecord, Store,
        Swept,
    },
};

pub(super) fn session(entropy: &Entropy) -> SessionRecord {
    SessionRecord {
        session_id: SessionId::generate(NOW, entropy),
        hash: SecretHash::of(b"of the browser"),
        owner: ResourceOwner {
            subject: "acme:7".to_owned(),
            name: Some("Ada \u{1f980}".to_owned()),
            email: None,
            identity: Some(r#"{"claims":{"groups":["a"]}}"#.to_owned()),
        },
        signed_in_at: NOW,
        idle_at: NOW.after_seconds(60),
        expires_at: NOW.after_seconds(600),
    }
}

pub(super) fn key(key_id: &str) -> KeyRecord {
    KeyRecord {
        key_id: key_id.to_owned(),
        algorithm: "ES256".to_owned(),
        made_at: NOW,
        sealed: vec![0, 1, 255],
    }
}

pub(in crate::store) async fn the_newest_session_of_a_person_is_the_last_to_begin_of_those_that_live(
    store: Arc<Store>,
) {
    let entropy = Entropy::seeded(4);
    let of = |subject: &str, begun: u64, idle: u64, end: u64| {
        let began = NOW.after_seconds(begun);
        SessionRecord {
            session_id: SessionId::generate(began, &entropy),
            owner: ResourceOwner {
                subject: subject.to_owned(),
                name: Some(begun.to_string()),
                email: None,
                identity: None,
            },
            idle_at: NOW.after_seconds(idle),
            expires_at: NOW.after_seconds(end),
            ..session(&entropy)
        }
    };
    let sessions = [
        of("acme:1", 0, 500, 500),
        of("acme:1", 1, 100, 500),
        of("acme:1", 2, 500, 50),
        of("acme:2", 3, 500, 500),
    ];
    let last = sessions[0].session_id;
    for session in sessions {
        store.begin_session(session, by()).await.unwrap();
    }
    let newest = async |subject: &str, seconds: u64| {
        let found = store.newest_session(subject, NOW.after_seconds(seconds)).await.unwrap();
        found.map(|session| session.owner.name.unwrap())
    };
    for (subject, seconds, expected) in [
        ("acme:1", 10, Some("2")),
        ("acme:1", 50, Some("1")),
        ("acme:1", 100, Some("0")),
        ("acme:1", 500, None),
        ("acme:2", 10, Some("3")),
        ("acme:", 10, None),
    ] {
        assert_eq!(newest(subject, seconds).await.as_deref(), expected, "{subject} {seconds}");
    }
    store.end_session(last, by()).await.unwrap();
    assert_eq!(newest("acme:1", 100).await, None);
}

pub(in crate::store) async fn a_session_lives_as_long_as_it_is_prolonged_and_not_ended(
    store: Arc<Store>,
) {
    let entropy = Entropy::seeded(3);
    let mut kept = session(&entropy);
    store.begin_session(kept.clone(), by()).await.unwrap();
    let find = async || store.session(kept.session_id).await.unwrap().map(|one| format!("{one:?}"));
    assert_eq!(find().await, Some(format!("{kept:?}")));

    store.prolong_session(kept.session_id, NOW.after_seconds(120)).await.unwrap();
    kept.idle_at = NOW.after_seconds(120);
    let find = async || store.session(kept.session_id).await.unwrap().map(|one| format!("{one:?}"));
    assert_eq!(find().await, Some(format!("{kept:?}")));

    assert_eq!(store.end_session(kept.session_id, by()).await.unwrap(), Deleted::Forgotten);
    assert_eq!(store.end_session(kept.session_id, by()).await.unwrap(), Deleted::NotThere);
    store.prolong_session(kept.session_id, NOW.after_seconds(240)).await.unwrap();
    assert_eq!(find().await, None);
}

pub(in crate::store) async fn sessions_are_listed_in_their_order_and_by_subject(store: Arc<Store>) {
    let entropy = Entropy::seeded(3);
    let all: Vec<SessionRecord> = (0..9)
        .map(|nth| {
            let mut session = session(&entropy);
            session.session_id = SessionId::generate(NOW.after_seconds(nth), &entropy);
            if nth % 2 == 1 {
                session.owner.subject = "acme:8".to_owned();
            }
            session
        })
        .collect();
    for session in all.iter().rev() {
        store.begin_session(session.clone(), by()).await.unwrap();
    }
    for subject in [None, Some("acme:8"), Some("acme:7"), Some("acme:%")] {
        let passes =
            |session: &&SessionRecord| subject.is_none_or(|it| it == session.owner.subject);
        let expected: Vec<_> = all.iter().filter(passes).map(|it| format!("{it:?}")).collect();
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store.sessions(subject, after, 2).await.unwrap();
            assert!(page.len() <= 2);
            let Some(last) = page.last() else { break };
            after = Some(last.session_id);
            listed.extend(page.iter().map(|it| format!("{it:?}")));
        }
        assert_eq!(listed, expected, "{subject:?}");
    }
}

pub(in crate::store) async fn of_all_who_make_a_key_at_once_one_does(store: Arc<Store>) {
    let mut calls = JoinSet::new();
    for nth in 0..8 {
        let store = Arc::clone(&store);
        calls.spawn(
            async move { store.keep_key(key(&format!("k{nth}")), None, by()).await.unwrap() },
        );
    }
    let outcomes = calls.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == KeyKept::Kept).count(), 1);

    let kept = store.keys().await.unwrap();
    assert_eq!(kept, [key(&kept[0].key_id)]);
    let first = kept[0].key_id.clone();
    let late = store.keep_key(key("late"), Some("another".to_owned()), by()).await.unwrap();
    assert_eq!(late, KeyKept::TooLate);
    let mut second = key("second");
    second.made_at = NOW.after_days(1);
    let outcome = store.keep_key(second.clone(), Some(first.clone()), by()).await.unwrap();
    assert_eq!(outcome, KeyKept::Kept);
    assert_eq!(store.keys().await.unwrap(), [key(&first), second.clone()]);
    store.forget_key(first, by()).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [second]);
}

fn at(seconds: u64) -> Author {
    Author { at: NOW.after_seconds(seconds), ..by() }
}

/// Looks through all of one kind, `limit` at a time; how many were forgotten.
async fn swept(store: &Store, kind: Swept, seconds: u64, limit: usize) -> usize {
    let (mut after, mut forgotten) = (None, 0);
    loop {
        let page = store.sweep(kind, after, limit, &at(seconds)).await.unwrap();
        assert!(page.forgotten <= limit);
        forgotten += page.forgotten;
        after = page.after;
        if after.is_none() {
            return forgotten;
        }
    }
}

pub(in crate::store) async fn a_sweep_forgets_what_has_expired_and_nothing_else(store: Arc<Store>) {
    let (entropy, grants) = (Entropy::seeded(3), Grants::new());
    let clients = Records::new().take(7);
    register_all(&store, &clients).await;
    // Whose client is gone; and who never registered.
    store
        .remove_client(clients[2].client_id, Action::ClientRemoved, "by_operator", by())
        .await
        .unwrap();
    let mut ids = Vec::new();
    for (client, seconds) in clients.iter().zip([60, 60, 600, 600, 600, 60, 600]) {
        let mut grant = grants.next();
        grant.client = client.client_id.into();
        grant.expires_at = NOW.after_seconds(seconds);
        ids.push(grant.grant_id);
        store.keep_grant(grant).await.unwrap();
    }
    let mut of_document = grants.next();
    of_document.client = "https://app.example/client.json".parse().unwrap();
    of_document.expires_at = NOW.after_seconds(600);
    store.keep_grant(of_document.clone()).await.unwrap();

    assert_eq!(swept(&store, Swept::Grants, 59, 3).await, 1);
    assert_eq!(swept(&store, Swept::Grants, 60, 3).await, 3);
    assert_eq!(swept(&store, Swept::Grants, 60, 3).await, 0);
    let mut left = Vec::new();
    for id in &ids {
        left.push(store.grant(*id).await.unwrap().is_some());
    }
    assert_eq!(left, [false, false, false, true, true, false, true]);
    assert!(store.grant(of_document.grant_id).await.unwrap().is_some());

    let idle = session(&entropy);
    let used = SessionRecord { idle_at: NOW.after_seconds(600), ..session(&entropy) };
    store.begin_session(idle.clone(), by()).await.unwrap();
    store.begin_session(used.clone(), by()).await.unwrap();
    assert_eq!(swept(&store, Swept::Sessions, 60, 1).await, 1);
    assert!(store.session(idle.session_id).await.unwrap().is_none());
    assert!(store.session(used.session_id).await.unwrap().is_some());

    let consent = ConsentRecord {
        subject: "acme:7".to_owned(),
        client: of_document.client,
        scope: None,
        redirect_uri: String::new(),
        metadata_hash: [0; 32],
        allowed_at: NOW,
        expires_at: NOW.after_seconds(60),
    };
    store.import_consents(vec![consent]).await.unwrap();
    assert_eq!(swept(&store, Swept::Consents, 59, 10).await, 0);
    assert_eq!(swept(&store, Swept::Consents, 60, 10).await, 1);
}
