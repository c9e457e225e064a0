//! The promises of people.

use std::{slice, sync::Arc};

use super::{
    Records, by,
    grants::{Grants, NOW},
    register_all,
    sessions::session,
    standing::{RACES, allowed},
};
use crate::{
    audit::{Action, Author},
    client::{ClientId, Scope},
    clock::Timestamp,
    entropy::Entropy,
    store::{
        AccessEnded, Allowed, ConsentRecord, EventsOf, GrantRecord, NotAllowed, PersonChange,
        SessionId, SessionRecord, Store,
    },
};

fn grant_of(grants: &Grants, subject: &str) -> GrantRecord {
    GrantRecord { subject: subject.to_owned(), expires_at: NOW.after_days(1), ..grants.next() }
}

fn session_of(entropy: &Entropy, subject: &str, email: &str, at: Timestamp) -> SessionRecord {
    let mut session = session(entropy);
    session.session_id = SessionId::generate(at, entropy);
    session.owner.subject = subject.to_owned();
    session.owner.email = Some(email.to_owned());
    session.signed_in_at = at;
    session.idle_at = NOW.after_days(1);
    session.expires_at = NOW.after_days(1);
    session
}

fn consent_of(entropy: &Entropy, subject: &str) -> ConsentRecord {
    ConsentRecord {
        subject: subject.to_owned(),
        client: ClientId::generate(NOW, entropy).into(),
        scope: Scope::parse("read").unwrap(),
        redirect_uri: "https://app.example/cb".to_owned(),
        metadata_hash: [7; 32],
        allowed_at: NOW,
        expires_at: NOW.after_days(1),
    }
}

async fn subjects(store: &Store, after: &str, limit: usize) -> Vec<String> {
    let page = store.people(NOW, after, limit).await.unwrap();
    page.into_iter().map(|person| person.subject).collect()
}

pub(in crate::store) async fn people_are_listed_once_whichever_records_they_have(
    store: Arc<Store>,
) {
    let (grants, entropy) = (Grants::new(), Entropy::seeded(3));
    assert!(subjects(&store, "", 10).await.is_empty());
    let first = grant_of(&grants, "acme:a");
    let again = GrantRecord { client: first.client.clone(), ..grant_of(&grants, "acme:a") };
    let over = GrantRecord { expires_at: NOW, ..grant_of(&grants, "acme:a") };
    for grant in [first, again, grant_of(&grants, "acme:a"), over, grant_of(&grants, "acme:d")] {
        store.keep_grant(grant).await.unwrap();
    }
    let later = NOW.after_seconds(60);
    for (subject, email, at) in [
        ("acme:a", "old@acme.example", NOW),
        ("acme:a", "new@acme.example", later),
        ("acme:b", "b@acme.example", NOW),
    ] {
        store.begin_session(session_of(&entropy, subject, email, at), by()).await.unwrap();
    }
    for subject in ["acme:b", "acme:c"] {
        store.import_consents(vec![consent_of(&entropy, subject)]).await.unwrap();
    }

    let all = ["acme:a", "acme:b", "acme:c", "acme:d"];
    assert_eq!(subjects(&store, "", 10).await, all);
    for size in 1..=4 {
        let (mut read, mut after) = (Vec::new(), String::new());
        loop {
            let page = subjects(&store, &after, size).await;
            let Some(last) = page.last() else { break };
            assert!(page.len() <= size);
            after.clone_from(last);
            read.extend(page);
        }
        assert_eq!(read, all, "pages of {size}");
    }
    let person = store.person("acme:a", NOW).await.unwrap().unwrap();
    assert_eq!(person.email.as_deref(), Some("new@acme.example"));
    let counts = [person.apps, person.grants, person.sessions, person.consents];
    assert_eq!((counts, person.used_at), ([2, 3, 2, 0], Some(later)));
    assert_eq!(store.people(NOW, "", 1).await.unwrap(), [person]);
    assert_eq!(store.person("acme:", NOW).await.unwrap(), None);
}

pub(in crate::store) async fn all_access_of_a_person_ends_with_an_event_each_and_of_no_one_else(
    store: Arc<Store>,
) {
    const GRANTS: usize = 120;
    let (grants, entropy) = (Grants::new(), Entropy::seeded(3));
    for (person_change, action) in
        [(PersonChange::End, Action::PersonEnded), (PersonChange::Forget, Action::PersonForgotten)]
    {
        let consents = ["acme:1", "acme:2"].map(|subject| consent_of(&entropy, subject));
        store.import_consents(consents.to_vec()).await.unwrap();
        let given = (0..GRANTS).map(|_| grant_of(&grants, "acme:1"));
        let given = given.chain([grant_of(&grants, "acme:2")]).collect();
        store.import_grants(given).await.unwrap();
        for subject in ["acme:1", "acme:1", "acme:2"] {
            let session = session_of(&entropy, subject, "a@acme.example", NOW);
            store.begin_session(session, by()).await.unwrap();
        }
        let before = store.person("acme:2", NOW).await.unwrap();
        let author = Author { at: NOW, ..by() };

        let ended = store.end_access("acme:1", person_change, &author, &|_| {}).await.unwrap();

        // A decision that has ended is forgotten too.
        let passes = if person_change == PersonChange::End { 1 } else { 2 };
        assert_eq!(ended, AccessEnded { sessions: 2, grants: GRANTS, consents: passes });
        assert_eq!(store.person("acme:2", NOW).await.unwrap(), before);
        let left = store.person("acme:1", NOW).await.unwrap();
        let consent = store.consent("acme:1", &consents[0].client).await.unwrap();
        match person_change {
            PersonChange::End => {
                let counts = left.map(|it| [it.apps, it.grants, it.sessions, it.consents]);
                assert_eq!(counts, Some([0; 4]));
                assert_eq!(consent.unwrap().expires_at, NOW);
            }
            PersonChange::Forget => assert_eq!((left, consent), (None, None)),
        }
        let of = EventsOf::Subject("acme:1".to_owned());
        let events = store.newest_events(Some(&of), None, 1_000).await.unwrap();
        let count = |action: Action| {
            events.iter().filter(|event| event.action == action && event.at == NOW).count()
        };
        let told = [action, Action::SessionEnded, Action::GrantRevoked].map(count);
        assert_eq!(told, [1, 2 * passes, GRANTS * passes]);
        let again = store.end_access("acme:1", person_change, &author, &|_| {}).await.unwrap();
        assert_eq!(again, AccessEnded::default());
    }
}

pub(in crate::store) async fn no_grant_of_the_moment_survives_the_end_of_all_access(
    store: Arc<Store>,
) {
    let (mut records, grants, entropy) = (Records::new(), Grants::new(), Entropy::seeded(3));
    let client = records.next();
    register_all(&store, slice::from_ref(&client)).await;
    let mut outcomes = [0, 0];
    for nth in 0..RACES {
        let subject = format!("acme:{nth}");
        let session = session_of(&entropy, &subject, "a@acme.example", NOW);
        let grant = GrantRecord { client: client.client_id.into(), ..grant_of(&grants, &subject) };
        let allowed = Allowed { session: Some(session.session_id), ..allowed(&grant) };
        store.begin_session(session, by()).await.unwrap();
        let author = Author { at: NOW, ..by() };
        let end = store.end_access(&subject, PersonChange::End, &author, &|_| {});
        let allow = store.allow(allowed, by());
        let (ended, allowed) = if nth % 2 == 0 {
            tokio::join!(end, allow)
        } else {
            let (allowed, ended) = tokio::join!(allow, end);
            (ended, allowed)
        };
        let ended = ended.unwrap();
        match allowed.unwrap() {
            Ok(()) => assert_eq!(ended.grants, 1),
            Err(refused) => assert_eq!((refused, ended.grants), (NotAllowed::SignedOut, 0)),
        }
        outcomes[ended.grants] += 1;
        let person = store.person(&subject, NOW).await.unwrap();
        assert_eq!(person.map_or(0, |person| person.grants + person.sessions), 0);
    }
    assert!(outcomes.iter().all(|count| *count > 0), "each may be first: {outcomes:?}");
}
