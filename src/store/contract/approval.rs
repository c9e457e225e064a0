//! Approval: which clients wait for an operator, how many, and what a rejection removes.

use std::sync::Arc;

use super::{Records, by, register_all, standing::events};
use crate::{
    audit::{Action, Actor, Author},
    client::{ClientIdentifier, DocumentUrl},
    entropy::Entropy,
    family::FamilyKey,
    store::{
        ClientFilter, ClientState, DocumentClientId, DocumentClientRecord, Standing,
        StandingChanged, Store, Transition, Waiting, WaitingMax,
    },
};

/// Races that a rejection and an approval run.
const RACES: usize = 100;

fn of(standing: Standing) -> ClientFilter {
    ClientFilter { standing: Some(standing), ..ClientFilter::default() }
}

fn url(number: usize) -> DocumentUrl {
    format!("https://app{number}.example/client.json").parse().unwrap()
}

fn record(url: &DocumentUrl) -> DocumentClientRecord {
    DocumentClientRecord {
        url: url.to_string(),
        document_client_id: DocumentClientId::generate(by().at, &Entropy::System),
        first_allowed_at: by().at,
        allowed_at: by().at,
        metadata: r#"{"redirect_uris":["https://app.example/cb"],"client_name":"Example"}"#
            .to_owned(),
        state: ClientState::default(),
    }
}

async fn hold(store: &Store, number: usize, subject: &str) -> Waiting {
    let max = WaitingMax { in_total: 4, of_one_person: 3 };
    let author = Author { actor: Actor::Person(subject.to_owned()), ..by() };
    let url = url(number);
    store.hold_document(&url, record(&url), max, author).await.unwrap()
}

pub(in crate::store) async fn a_client_with_a_document_waits_once_and_says_who_asked(
    store: Arc<Store>,
) {
    assert_eq!(hold(&store, 1, "acme:ada").await, Waiting::Now);
    assert_eq!(hold(&store, 1, "acme:bob").await, Waiting::Is(Standing::Pending));

    let waiting = store.document_clients_behind(&of(Standing::Pending), None, 10).await.unwrap();
    let [client] = &*waiting else { panic!("{waiting:?}") };
    assert_eq!((&*client.url, &*client.metadata), (url(1).as_str(), &*record(&url(1)).metadata));
    assert_eq!(client.state.standing_at, Some(by().at));
    let told = events(&store, &url(1).into(), Action::ClientHeld).await;
    let [(event, _)] = &*told else { panic!("one event: {told:?}") };
    assert_eq!(event.subject.as_deref(), Some("acme:ada"));
    assert_eq!(store.document_clients_behind(&of(Standing::Active), None, 10).await.unwrap(), []);

    let client = ClientIdentifier::Document(url(1));
    let approved = store.change_standing(&client, &Transition::APPROVE, None, by()).await;
    assert_eq!(approved.unwrap(), StandingChanged::Now { ended: 0 });
    assert_eq!(hold(&store, 1, "acme:ada").await, Waiting::Is(Standing::Active));
    assert_eq!(
        store.document_clients_behind(&of(Standing::Active), None, 10).await.unwrap().len(),
        1
    );
}

pub(in crate::store) async fn no_more_clients_with_a_document_wait_than_may(store: Arc<Store>) {
    for number in 0..3 {
        assert_eq!(hold(&store, number, "acme:ada").await, Waiting::Now);
    }
    assert_eq!(hold(&store, 3, "acme:ada").await, Waiting::TooMany, "of one person");
    assert_eq!(store.document_client(&url(3)).await.unwrap(), None);
    assert_eq!(hold(&store, 3, "acme:bob").await, Waiting::Now);
    assert_eq!(hold(&store, 4, "acme:bob").await, Waiting::TooMany, "in total");
    assert_eq!(events(&store, &url(4).into(), Action::ClientHeld).await.len(), 0);
    assert_eq!(hold(&store, 0, "acme:bob").await, Waiting::Is(Standing::Pending));

    // A decision makes room: for everyone, and for the person who asked.
    store.reject_client(&url(0).into(), "unknown", by()).await.unwrap();
    let approved = store.change_standing(&url(1).into(), &Transition::APPROVE, None, by()).await;
    assert_eq!(approved.unwrap(), StandingChanged::Now { ended: 0 });
    assert_eq!(hold(&store, 4, "acme:bob").await, Waiting::Now);
    assert_eq!(hold(&store, 5, "acme:ada").await, Waiting::Now);
}

pub(in crate::store) async fn only_a_client_that_waits_is_rejected(store: Arc<Store>) {
    let mut records = Records::new();
    for standing in Standing::ALL {
        let mut client = records.next();
        client.state.standing = *standing;
        register_all(&store, std::slice::from_ref(&client)).await;
        let mut document = record(&url(0));
        document.url = format!("https://{standing}.example/client.json");
        document.document_client_id = DocumentClientId::generate(by().at, &Entropy::System);
        document.state.standing = *standing;
        let of_document: DocumentUrl = document.url.parse().unwrap();
        store.import_document_clients(vec![document]).await.unwrap();
        for identifier in [client.client_id.into(), ClientIdentifier::Document(of_document)] {
            let outcome = store.reject_client(&identifier, "unwanted", by()).await.unwrap();

            let is_rejected = *standing == Standing::Pending;
            let expected = if is_rejected {
                StandingChanged::Now { ended: 0 }
            } else {
                StandingChanged::Is(*standing)
            };
            assert_eq!(outcome, expected, "{identifier}");
            let there = match &identifier {
                ClientIdentifier::Registered(id) => store.client(*id).await.unwrap().is_some(),
                ClientIdentifier::Document(url) => {
                    store.document_client(url).await.unwrap().is_some()
                }
            };
            assert_eq!(there, !is_rejected, "{identifier}");
            let told = events(&store, &identifier, Action::ClientRejected).await;
            assert_eq!(told.len(), usize::from(is_rejected), "{identifier}");
            for (event, detail) in told {
                let metadata = serde_json::from_str(&client.metadata).unwrap();
                assert_eq!(event.family, Some(FamilyKey::of(&metadata).id()));
                assert_eq!(
                    (&detail["reason"], &detail["name"]),
                    (&"unwanted".into(), &"Example".into())
                );
            }
        }
    }
    let unknown = records.next().client_id.into();
    let outcome = store.reject_client(&unknown, "unwanted", by()).await;
    assert_eq!(outcome.unwrap(), StandingChanged::NotThere);
}

pub(in crate::store) async fn of_an_approval_and_a_rejection_at_once_one_wins(store: Arc<Store>) {
    let mut records = Records::new();
    for round in 0..RACES {
        let client: ClientIdentifier = if round % 2 == 0 {
            let mut client = records.next();
            client.state.standing = Standing::Pending;
            register_all(&store, std::slice::from_ref(&client)).await;
            client.client_id.into()
        } else {
            assert_eq!(hold(&store, round, "acme:ada").await, Waiting::Now);
            url(round).into()
        };

        let (approved, rejected) = tokio::join!(
            store.change_standing(&client, &Transition::APPROVE, None, by()),
            store.reject_client(&client, "unwanted", by()),
        );

        let outcome = (approved.unwrap(), rejected.unwrap());
        let (now, active) =
            (StandingChanged::Now { ended: 0 }, StandingChanged::Is(Standing::Active));
        assert!(
            outcome == (now, active) || outcome == (StandingChanged::NotThere, now),
            "round {round}: {outcome:?}"
        );
        // So that others can wait.
        if let ClientIdentifier::Document(_) = client {
            store.change_standing(&client, &Transition::SUSPEND, None, by()).await.unwrap();
        }
    }
}
