//! Standing: who may be allowed, what a suspension and a removal end, and who wins at the same moment.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Records, by,
    families::named,
    grants::{Grants, NOW, consent, shown},
    register_all, register_with_families,
};
use crate::{
    audit::{Action, Author},
    client::ClientIdentifier,
    entropy::Entropy,
    family::FamilyKey,
    store::{
        Allowed, ClientState, ConsentRecord, Deleted, DocumentClientId, DocumentClientRecord,
        EventRecord, EventsOf, GrantFilter, GrantRecord, NotAllowed, Standing, StandingChanged,
        Standings, Store, Transition,
    },
};

/// Races that each pair of changes runs.
pub(super) const RACES: usize = 300;

/// What `grant` takes to be allowed, whichever kind its client is.
pub(super) fn allowed(grant: &GrantRecord) -> Allowed {
    let document = match &grant.client {
        ClientIdentifier::Registered(_) => None,
        ClientIdentifier::Document(url) => Some(DocumentClientRecord {
            url: url.to_string(),
            document_client_id: DocumentClientId::generate(NOW, &Entropy::System),
            first_allowed_at: NOW,
            allowed_at: NOW,
            metadata: r#"{"client_name":"Example"}"#.to_owned(),
            state: ClientState::default(),
        }),
    };
    Allowed { consent: consent(grant), grant: grant.clone(), document, session: None }
}

/// A client of each kind, both active: a person has allowed each of them once.
pub(super) async fn both_kinds(
    store: &Store,
    records: &mut Records,
    grants: &Grants,
) -> [GrantRecord; 2] {
    let client = records.next();
    register_all(store, std::slice::from_ref(&client)).await;
    let document = "https://app.example/client.json".parse().unwrap();
    let both =
        [client.client_id.into(), document].map(|client| GrantRecord { client, ..grants.next() });
    for grant in &both {
        assert_eq!(store.allow(allowed(grant), by()).await.unwrap(), Ok(()));
    }
    both
}

async fn change(
    store: &Store,
    client: &ClientIdentifier,
    transition: &'static Transition,
) -> StandingChanged {
    store.change_standing(client, transition, Some("by_operator"), by()).await.unwrap()
}

pub(super) async fn grants_of(store: &Store, client: &ClientIdentifier) -> Vec<GrantRecord> {
    let filter = GrantFilter { client: Some(client.clone()), subject: None };
    store.grants(&filter, None, 100).await.unwrap()
}

/// The newest event about a client with this action, and how many there are.
pub(super) async fn events(
    store: &Store,
    client: &ClientIdentifier,
    action: Action,
) -> Vec<(EventRecord, Value)> {
    let of = EventsOf::Client(client.clone());
    let found = store.newest_events(Some(&of), None, 100).await.unwrap();
    let of_action = found.into_iter().filter(|event| event.action == action);
    of_action
        .map(|event| {
            let detail = event
                .detail
                .as_deref()
                .map_or(Value::Null, |detail| serde_json::from_str(detail).unwrap());
            (event, detail)
        })
        .collect()
}

pub(super) async fn state(store: &Store, client: &ClientIdentifier) -> ClientState {
    match client {
        ClientIdentifier::Registered(id) => store.client(*id).await.unwrap().unwrap().state,
        ClientIdentifier::Document(url) => store.document_client(url).await.unwrap().unwrap().state,
    }
}

pub(in crate::store) async fn a_suspension_ends_every_grant_of_the_client_and_counts_them(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let both = both_kinds(&store, &mut records, &grants).await;
    let bystander = records.next();
    register_all(&store, std::slice::from_ref(&bystander)).await;
    let of_another = GrantRecord { client: bystander.client_id.into(), ..grants.next() };
    store.allow(allowed(&of_another), by()).await.unwrap().unwrap();

    for GrantRecord { client, .. } in &both {
        for subject in ["acme:8", "acme:9"] {
            let grant = GrantRecord {
                client: client.clone(),
                subject: subject.to_owned(),
                ..grants.next()
            };
            store.allow(allowed(&grant), by()).await.unwrap().unwrap();
        }
        let outcome = change(&store, client, &Transition::SUSPEND).await;

        assert_eq!(outcome, StandingChanged::Now { ended: 3 });
        assert_eq!(grants_of(&store, client).await.len(), 0);
        let now = state(&store, client).await;
        assert_eq!((now.standing, now.standing_at), (Standing::Suspended, Some(by().at)));
        let [(_, detail)] = &*events(&store, client, Action::ClientSuspended).await else {
            panic!("a suspension is one event")
        };
        assert_eq!(*detail, json!({ "from": "active", "reason": "by_operator", "grants": 3 }));
        assert_eq!(events(&store, client, Action::GrantRevoked).await.len(), 3);
    }
    let left = grants_of(&store, &of_another.client).await;
    assert_eq!(left.iter().map(shown).collect::<Vec<_>>(), [shown(&of_another)]);
}

pub(in crate::store) async fn a_transition_leads_only_from_its_standings(store: Arc<Store>) {
    use Standing::{Active, Dormant, Pending, Suspended};
    let (grants, mut records) = (Grants::new(), Records::new());
    let [_, document] = both_kinds(&store, &mut records, &grants).await;
    let table = [
        (&Transition::APPROVE, vec![Pending]),
        (&Transition::SUSPEND, vec![Active, Pending, Dormant]),
        (&Transition::RESUME, vec![Suspended]),
        (&Transition::SLEEP, vec![Active]),
    ];
    for (transition, from) in table {
        for standing in Standing::ALL {
            let mut client = records.next();
            client.state.standing = *standing;
            register_all(&store, std::slice::from_ref(&client)).await;
            let client = client.client_id.into();

            let outcome = change(&store, &client, transition).await;

            let leads = from.contains(standing);
            let expected = if leads {
                StandingChanged::Now { ended: 0 }
            } else {
                StandingChanged::Is(*standing)
            };
            assert_eq!(outcome, expected, "{transition:?} from {standing:?}");
            let ends = if leads { transition.to } else { *standing };
            assert_eq!(state(&store, &client).await.standing, ends);
            let told = events(&store, &client, transition.action).await.len();
            assert_eq!(told, usize::from(leads), "{transition:?} from {standing:?}");
        }
    }
    let client = &document.client;
    assert_eq!(change(&store, client, &Transition::RESUME).await, StandingChanged::Is(Active));
    change(&store, client, &Transition::SUSPEND).await;
    let resumed = change(&store, client, &Transition::RESUME).await;
    assert_eq!(resumed, StandingChanged::Now { ended: 0 });
    let unknown = records.next().client_id.into();
    assert_eq!(change(&store, &unknown, &Transition::SUSPEND).await, StandingChanged::NotThere);
}

pub(in crate::store) async fn nothing_is_stored_for_a_client_that_cannot_be_allowed(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let [_, document] = both_kinds(&store, &mut records, &grants).await;
    change(&store, &document.client, &Transition::SUSPEND).await;
    let mut clients = records.take(3);
    clients[0].state.standing = Standing::Pending;
    clients[1].state.standing = Standing::Suspended;
    register_all(&store, &clients).await;
    let [pending, suspended, removed] = [0, 1, 2].map(|it: usize| clients[it].client_id);
    store.remove_client(removed, Action::ClientRemoved, "by_operator", by()).await.unwrap();

    for (client, refused) in [
        (document.client, NotAllowed::Standing(Standing::Suspended)),
        (pending.into(), NotAllowed::Standing(Standing::Pending)),
        (suspended.into(), NotAllowed::Standing(Standing::Suspended)),
        (removed.into(), NotAllowed::NotThere),
        (records.next().client_id.into(), NotAllowed::NotThere),
    ] {
        let subject = "acme:another".to_owned();
        let grant = GrantRecord { client: client.clone(), subject, ..grants.next() };

        assert_eq!(store.allow(allowed(&grant), by()).await.unwrap(), Err(refused), "{client}");

        assert_eq!(grants_of(&store, &client).await.len(), 0, "{client}");
        assert_eq!(store.consent(&grant.subject, &client).await.unwrap(), None, "{client}");
        let of = EventsOf::Grant(grant.grant_id);
        assert_eq!(store.newest_events(Some(&of), None, 10).await.unwrap(), [], "{client}");
    }
}

pub(in crate::store) async fn a_dormant_client_that_is_allowed_becomes_active_with_an_event(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    for GrantRecord { client, .. } in both_kinds(&store, &mut records, &grants).await {
        change(&store, &client, &Transition::SLEEP).await;
        assert_eq!(state(&store, &client).await.standing, Standing::Dormant);
        let grant = GrantRecord { client: client.clone(), ..grants.next() };

        assert_eq!(store.allow(allowed(&grant), by()).await.unwrap(), Ok(()));

        assert_eq!(state(&store, &client).await.standing, Standing::Active);
        assert_eq!(events(&store, &client, Action::ClientReactivated).await.len(), 1);
        assert!(store.grant(grant.grant_id).await.unwrap().is_some());
        // Once active, it is not activated again.
        let grant = GrantRecord { client: client.clone(), ..grants.next() };
        assert_eq!(store.allow(allowed(&grant), by()).await.unwrap(), Ok(()));
        assert_eq!(events(&store, &client, Action::ClientReactivated).await.len(), 1);
    }
}

pub(in crate::store) async fn a_removal_deletes_the_grants_and_leaves_one_event(store: Arc<Store>) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let [grant, _] = both_kinds(&store, &mut records, &grants).await;
    let ClientIdentifier::Registered(id) = grant.client else { panic!("it registered") };
    let record = store.client(id).await.unwrap().unwrap();
    for expected in [Deleted::Forgotten, Deleted::NotThere] {
        let removed = store.remove_client(id, Action::ClientRemoved, "unwanted", by()).await;
        assert_eq!(removed.unwrap(), expected);
    }

    assert_eq!(grants_of(&store, &grant.client).await.len(), 0);
    let [(event, detail)] = &*events(&store, &grant.client, Action::ClientRemoved).await else {
        panic!("a removal is one event")
    };
    let metadata = serde_json::from_str(&record.metadata).unwrap();
    assert_eq!(event.family, Some(FamilyKey::of(&metadata).id()));
    let registered_at = record.issued_at.as_millis();
    assert_eq!(
        *detail,
        json!({ "reason": "unwanted", "name": "Example", "registered_at": registered_at, "grants": 1 })
    );
}

pub(in crate::store) async fn a_grant_issued_in_the_moment_of_a_suspension_does_not_survive_it(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let mut allowed_first = 0;
    for round in 0..RACES {
        let client = if round % 2 == 0 {
            let client = records.next();
            register_all(&store, std::slice::from_ref(&client)).await;
            client.client_id.into()
        } else {
            let client = format!("https://app{round}.example/client.json").parse().unwrap();
            let first = GrantRecord { client, ..grants.next() };
            store.allow(allowed(&first), by()).await.unwrap().unwrap();
            first.client
        };
        let grant = GrantRecord { client: client.clone(), ..grants.next() };

        let (was_allowed, outcome) = tokio::join!(
            store.allow(allowed(&grant), by()),
            change(&store, &client, &Transition::SUSPEND),
        );

        let there_before = round % 2;
        match was_allowed.unwrap() {
            Ok(()) => {
                allowed_first += 1;
                assert_eq!(outcome, StandingChanged::Now { ended: there_before + 1 });
            }
            Err(standing) => {
                assert_eq!(standing, NotAllowed::Standing(Standing::Suspended));
                assert_eq!(outcome, StandingChanged::Now { ended: there_before });
            }
        }
        assert_eq!(grants_of(&store, &client).await.len(), 0, "round {round}");
    }
    assert!(allowed_first > 0, "no round had the order that the rule is about");
}

pub(in crate::store) async fn allowing_and_disconnecting_at_once_happen_one_after_the_other(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    for round in 0..RACES {
        let client = if round % 2 == 0 {
            let client = records.next();
            register_all(&store, std::slice::from_ref(&client)).await;
            client.client_id.into()
        } else {
            let client = format!("https://app{round}.example/client.json").parse().unwrap();
            let others =
                GrantRecord { client, subject: "acme:another".to_owned(), ..grants.next() };
            store.allow(allowed(&others), by()).await.unwrap().unwrap();
            others.client
        };
        let grant = GrantRecord { client: client.clone(), ..grants.next() };
        let subject = &grant.subject;
        let later = Author { at: NOW.after_seconds(1), ..by() };

        let (was_allowed, ended) = tokio::join!(
            store.allow(allowed(&grant), by()),
            store.disconnect(subject, &client, later),
        );

        assert_eq!(was_allowed.unwrap(), Ok(()));
        let lives = store.grant(grant.grant_id).await.unwrap().is_some();
        let consent: ConsentRecord = store.consent(subject, &client).await.unwrap().unwrap();
        let counts = consent.expires_at > NOW.after_seconds(1);
        let outcome = (ended.unwrap(), lives, counts);
        assert!(
            matches!(outcome, (0, true, true) | (1, false, false)),
            "round {round}: {outcome:?}"
        );
    }
}

pub(in crate::store) async fn clients_are_counted_by_standing_and_in_steps(store: Arc<Store>) {
    let records = Records::new().take(5_001);
    let suspended = records[7].client_id;
    store.import_clients(records).await.unwrap();
    let moved = change(&store, &suspended.into(), &Transition::SUSPEND).await;
    assert_eq!(moved, StandingChanged::Now { ended: 0 });

    let (first, last) = store.count_clients_after(None).await.unwrap();
    let (rest, end) = store.count_clients_after(last).await.unwrap();
    assert_eq!((first, rest, end), (5_000, 1, None));
    let standings = store.standings().await.unwrap();
    assert_eq!(standings, Standings { suspended: 1, ..Standings::default() });
}

/// A suspension that walks the clients of its family does not see a client with a document that is about to be allowed.
pub(in crate::store) async fn a_grant_to_a_document_of_the_moment_of_a_suspension_does_not_survive_it(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let mut allowed_first = 0;
    for round in 0..RACES {
        let client = named(&mut records, &format!("App{round}x"));
        register_with_families(&store, std::slice::from_ref(&client)).await;
        let id = crate::store::family_of(&client.metadata).unwrap();
        let url = format!("https://app{round}.example/client.json").parse().unwrap();
        let grant = GrantRecord { client: url, ..grants.next() };
        let mut allowed = allowed(&grant);
        allowed.document.as_mut().unwrap().metadata = client.metadata.clone();
        let (was_allowed, suspended) = tokio::join!(
            store.allow(allowed, by()),
            store.suspend_family(id, None, by(), &|_, _| {}),
        );
        assert!(matches!(suspended.unwrap(), StandingChanged::Now { .. }));
        allowed_first += usize::from(was_allowed.unwrap().is_ok());
        assert_eq!(grants_of(&store, &grant.client).await.len(), 0, "round {round}");
    }
    assert!(allowed_first > 0, "no round had the order that the rule is about");
}
