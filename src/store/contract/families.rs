//! The promises about families: what is counted, by whomever, and what operators decide.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::task::JoinSet;

use super::{
    Records, by, everything,
    grants::{Grants, consent},
    register_all, register_with_families,
};
use crate::{
    audit::{Action, Author},
    client::{ClientIdentifier, ClientMetadata},
    clock::Timestamp,
    entropy::Entropy,
    family::{FamilyId, FamilyKey},
    store::{
        Allowed, ClientFilter, ClientFlags, ClientRecord, ClientState, DocumentClientId,
        DocumentClientRecord, EventsOf, FamilyFilter, FamilyOrder, FamilyRecord, FamilyRemoval,
        GrantFilter, GrantRecord, NotAllowed, Standing, StandingChanged, Store,
    },
};

const CODE: &str = "http://127.0.0.1:7/cb";

fn metadata(name: &str, redirect_uri: &str) -> String {
    serde_json::json!({ "client_name": name, "redirect_uris": [redirect_uri] }).to_string()
}

pub(super) fn named(records: &mut Records, name: &str) -> ClientRecord {
    ClientRecord { metadata: metadata(name, CODE), ..records.next() }
}

fn family_of(client: &ClientRecord) -> FamilyId {
    FamilyKey::of(&serde_json::from_str::<ClientMetadata>(&client.metadata).unwrap()).id()
}

pub(super) async fn all(store: &Store) -> Vec<FamilyRecord> {
    store.families_by_id(None, 10_000).await.unwrap()
}

pub(super) async fn of(store: &Store, client: &ClientRecord) -> FamilyRecord {
    store.family(family_of(client)).await.unwrap().unwrap()
}

pub(super) fn allowed(client: &ClientRecord, grants: &Grants) -> Allowed {
    let grant = GrantRecord { client: client.client_id.into(), ..grants.next() };
    Allowed { consent: consent(&grant), grant, document: None, session: None }
}

/// The author of a later change.
fn later_on() -> Author {
    Author { at: by().at.after_seconds(1), ..by() }
}

async fn live_grants(store: &Store) -> Vec<ClientIdentifier> {
    let grants = store.grants(&GrantFilter::default(), None, 1_000).await.unwrap();
    grants.into_iter().map(|grant| grant.client).collect()
}

/// What families are, said once more.
pub(super) fn expected(
    clients: &[ClientRecord],
) -> BTreeMap<FamilyId, (u64, BTreeSet<String>, u64, u64)> {
    let mut families = BTreeMap::new();
    for client in clients {
        let at = client.issued_at.as_millis();
        let family = families.entry(family_of(client)).or_insert((0, BTreeSet::new(), at, at));
        family.0 += 1;
        let metadata: ClientMetadata = serde_json::from_str(&client.metadata).unwrap();
        family.1.extend(metadata.client_name.map(|name| name.as_str().to_owned()));
        family.2 = family.2.min(at);
        family.3 = family.3.max(at);
    }
    families
}

pub(super) fn found(
    families: &[FamilyRecord],
) -> BTreeMap<FamilyId, (u64, BTreeSet<String>, u64, u64)> {
    let shown = families.iter().map(|family| {
        let names = family.names.iter().map(str::to_owned).collect();
        let (first, last) = (family.first_seen_at.as_millis(), family.last_seen_at.as_millis());
        (family.family_id, (family.clients, names, first, last))
    });
    shown.collect()
}

pub(in crate::store) async fn a_client_is_counted_once_by_however_many_nodes(store: Arc<Store>) {
    let mut records = Records::new();
    let clients: Vec<ClientRecord> =
        (0..60).map(|nth| named(&mut records, &format!("App {}", nth % 7))).collect();
    register_all(&store, &clients).await;
    let mut nodes = JoinSet::new();
    for node in 0..6 {
        let mut clients = clients.clone();
        clients.rotate_left(node * 7);
        if node % 2 == 0 {
            clients.reverse();
        }
        let store = Arc::clone(&store);
        nodes.spawn(async move {
            let mut new = 0;
            for some in clients.chunks(9) {
                new += store.count_in_families(some).await.unwrap();
            }
            new
        });
    }

    let new: usize = nodes.join_all().await.into_iter().sum();

    assert_eq!(new, 60, "each is new to one node");
    assert_eq!(found(&all(&store).await), expected(&clients));
}

pub(in crate::store) async fn a_family_tells_what_its_clients_said(store: Arc<Store>) {
    let mut records = Records::new();
    let clients = [
        named(&mut records, "Claude Code (acme)"),
        ClientRecord { flags: ClientFlags::LOOK_ALIKE, ..named(&mut records, "claude code 1.2") },
        named(&mut records, "Claude Code (acme)"),
        named(&mut records, "Probe"),
    ];
    register_all(&store, &clients).await;

    store.count_in_families(&clients).await.unwrap();

    let code = of(&store, &clients[0]).await;
    assert_eq!(code.key, "claude code@loopback");
    assert_eq!(code.names.iter().collect::<Vec<_>>(), ["Claude Code (acme)", "claude code 1.2"]);
    assert_eq!((code.clients, code.removed, code.registrations()), (3, 0, 3));
    assert_eq!((code.flags, code.standing), (ClientFlags::LOOK_ALIKE, Standing::Active));
    let seen = (code.first_seen_at, code.last_seen_at);
    assert_eq!(seen, (clients[0].issued_at, clients[2].issued_at));
    assert_eq!(of(&store, &clients[3]).await.flags, ClientFlags::default());
}

pub(in crate::store) async fn families_are_listed_by_size_and_by_time(store: Arc<Store>) {
    let mut records = Records::new();
    let mut clients = Vec::new();
    for (name, count) in [("One", 1), ("Three", 3), ("Two", 2), ("Other", 1)] {
        clients.extend((0..count).map(|_| named(&mut records, name)));
    }
    register_all(&store, &clients).await;
    store.count_in_families(&clients).await.unwrap();
    let listed = async |filter: &FamilyFilter, limit: usize| {
        let mut keys: Vec<String> = Vec::new();
        let mut after = None;
        loop {
            let page = store.families(filter, after, limit).await.unwrap();
            let Some(last) = page.last() else { return keys };
            after = Some(filter.order.place(last));
            keys.extend(page.iter().map(|family| family.key.replace("@loopback", "")));
        }
    };
    for limit in [1, 3, 10] {
        let by_size = listed(&FamilyFilter::default(), limit).await;
        assert_eq!(by_size[..2], ["three", "two"], "{limit}");
        assert_eq!(by_size.len(), 4);
        let by_time = FamilyFilter { order: FamilyOrder::LastSeen, ..FamilyFilter::default() };
        assert_eq!(listed(&by_time, limit).await, ["other", "two", "three", "one"], "{limit}");
        let named = FamilyFilter { name_contains: Some("T".to_owned()), ..by_time };
        assert_eq!(listed(&named, limit).await, ["other", "two", "three"], "{limit}");
        let suspended = FamilyFilter { standing: Some(Standing::Suspended), ..named };
        assert!(listed(&suspended, limit).await.is_empty());
    }
}

pub(in crate::store) async fn a_removed_client_leaves_its_family_for_good(store: Arc<Store>) {
    let mut records = Records::new();
    let clients =
        [named(&mut records, "App"), named(&mut records, "App"), named(&mut records, "B")];
    register_all(&store, &clients).await;
    store.count_in_families(&clients).await.unwrap();
    for _ in 0..2 {
        let id = clients[0].client_id;
        store.remove_client(id, Action::ClientRemoved, "by_operator", by()).await.unwrap();
    }

    // A node that had read it before counts it now.
    assert_eq!(store.count_in_families(&clients).await.unwrap(), 0);

    let left = of(&store, &clients[0]).await;
    assert_eq!((left.clients, left.removed, left.registrations()), (1, 1, 2));
    assert_eq!(left.first_seen_at, clients[0].issued_at, "it was seen");
    assert_eq!(of(&store, &clients[2]).await.clients, 1);
}

pub(in crate::store) async fn clients_of_a_family_are_listed_counted_or_not(store: Arc<Store>) {
    let mut records = Records::new();
    let clients: Vec<ClientRecord> = (0..16)
        .map(|nth| named(&mut records, if nth % 2 == 0 { "App" } else { "Other" }))
        .collect();
    for four in clients.chunks(4) {
        register_all(&store, &four[..2]).await;
        register_with_families(&store, &four[2..]).await;
    }
    let filter = ClientFilter { family: Some(family_of(&clients[0])), ..ClientFilter::default() };
    let expected: Vec<_> = clients.iter().step_by(2).cloned().collect();
    for limit in [1, 3, 100] {
        assert_eq!(everything(&store, &filter, limit).await, expected, "half of them are counted");
    }
    let rest = store.clients(&filter, Some(clients[12].client_id), 10).await.unwrap();
    assert_eq!(rest, [clients[14].clone()]);
    let used = ClientFilter { used_from: Some(Timestamp::from_millis(0)), ..filter.clone() };
    assert_eq!(everything(&store, &used, 3).await, []);

    store.count_in_families(&clients).await.unwrap();

    assert_eq!(everything(&store, &filter, 3).await, expected, "all of them are counted");
}

pub(in crate::store) async fn imported_clients_are_counted_at_once(store: Arc<Store>) {
    let mut records = Records::new();
    let clients =
        [named(&mut records, "App"), named(&mut records, "App"), named(&mut records, "B")];

    store.import_clients(clients.to_vec()).await.unwrap();
    store.import_clients(clients.to_vec()).await.unwrap();

    assert_eq!(found(&all(&store).await), expected(&clients));
}

pub(in crate::store) async fn a_suspended_family_ends_its_grants_and_blocks_its_clients(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let [first, second, later] =
        ["Probe 1.0", "probe", "Probe (x)"].map(|it| named(&mut records, it));
    let other = named(&mut records, "Other");
    let document = DocumentClientRecord {
        url: "https://probe.example/client.json".to_owned(),
        document_client_id: DocumentClientId::generate(by().at, &Entropy::System),
        first_allowed_at: by().at,
        allowed_at: by().at,
        metadata: first.metadata.clone(),
        state: ClientState::default(),
    };
    register_all(&store, &[first.clone(), second.clone(), other.clone()]).await;
    for client in [&first, &second, &second, &other] {
        store.allow(allowed(client, &grants), by()).await.unwrap().unwrap();
    }
    let of_document = GrantRecord {
        client: ClientIdentifier::Document(document.url.parse().unwrap()),
        ..grants.next()
    };
    let of_document = Allowed {
        consent: consent(&of_document),
        grant: of_document,
        document: Some(document),
        session: None,
    };
    store.allow(of_document.clone(), by()).await.unwrap().unwrap();
    let id = family_of(&first);
    let access = store.family_access(id, Timestamp::from_millis(0)).await.unwrap();
    assert_eq!((access.grants, access.people), (3, 1));

    let suspended = store.suspend_family(id, Some("Ticket 4711"), by(), &|_, _| {}).await.unwrap();

    assert_eq!(suspended, StandingChanged::Now { ended: 4 });
    assert_eq!(live_grants(&store).await, [other.client_id.into()]);
    register_all(&store, std::slice::from_ref(&later)).await;
    for blocked in [allowed(&first, &grants), allowed(&later, &grants), of_document.clone()] {
        let refused = store.allow(blocked, by()).await.unwrap();
        assert_eq!(refused, Err(NotAllowed::Standing(Standing::Suspended)));
    }
    store.allow(allowed(&other, &grants), by()).await.unwrap().unwrap();
    let state = store.client(first.client_id).await.unwrap().unwrap().state;
    assert_eq!(state.standing, Standing::Active, "a client keeps its own standing");
    assert_eq!(
        store.suspend_family(id, None, by(), &|_, _| {}).await.unwrap(),
        StandingChanged::Is(Standing::Suspended)
    );
    let family = store.family(id).await.unwrap().unwrap();
    assert_eq!((family.standing, family.standing_at), (Standing::Suspended, Some(by().at)));
    assert_eq!(store.decided_families().await.unwrap(), [family]);

    assert_eq!(
        store.resume_family(id, None, later_on()).await.unwrap(),
        StandingChanged::Now { ended: 0 }
    );

    for client in [&first, &later] {
        store.allow(allowed(client, &grants), by()).await.unwrap().unwrap();
    }
    let events = store.newest_events(Some(&EventsOf::Family(id)), None, 10).await.unwrap();
    let actions: Vec<_> = events.iter().map(|event| event.action).collect();
    assert_eq!(actions, [Action::FamilyResumed, Action::FamilySuspended]);
    let detail = events[1].detail.as_deref().unwrap();
    assert!(detail.contains("Ticket 4711") && detail.contains("probe@loopback"), "{detail}");
    let unknown = FamilyId::from_bytes([3; 16]);
    assert_eq!(
        store.suspend_family(unknown, None, by(), &|_, _| {}).await.unwrap(),
        StandingChanged::NotThere
    );
}

pub(in crate::store) async fn a_grant_of_the_moment_of_a_family_suspension_does_not_survive_it(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let mut allowed_first = 0;
    for round in 0..100 {
        let client = named(&mut records, &format!("App{round}x"));
        register_all(&store, std::slice::from_ref(&client)).await;
        let id = family_of(&client);
        if round % 2 == 0 {
            store.count_in_families(std::slice::from_ref(&client)).await.unwrap();
        } else {
            store.allow(allowed(&client, &grants), by()).await.unwrap().unwrap();
        }
        let (was_allowed, suspended) = tokio::join!(
            store.allow(allowed(&client, &grants), by()),
            store.suspend_family(id, None, by(), &|_, _| {}),
        );
        assert!(matches!(suspended.unwrap(), StandingChanged::Now { .. }));
        allowed_first += usize::from(was_allowed.unwrap().is_ok());
        assert_eq!(live_grants(&store).await, [], "round {round}");
    }
    assert!(allowed_first > 0, "no round had the order that the rule is about");
}

fn unwanted() -> FamilyRemoval {
    FamilyRemoval { reason: "unwanted".to_owned(), ..FamilyRemoval::default() }
}

pub(in crate::store) async fn removing_a_family_removes_its_clients_and_no_others(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let clients: Vec<ClientRecord> =
        (0..150).map(|nth| named(&mut records, if nth % 3 == 0 { "Stay" } else { "Go" })).collect();
    register_all(&store, &clients).await;
    store.count_in_families(&clients[..120]).await.unwrap();
    store.allow(allowed(&clients[1], &grants), by()).await.unwrap().unwrap();
    let id = family_of(&clients[1]);

    let removed = store.remove_family(id, unwanted(), by(), &|_| {}).await.unwrap().unwrap();

    assert_eq!(removed, 100);
    let left = everything(&store, &ClientFilter::default(), 100).await;
    assert_eq!(left, clients.iter().step_by(3).cloned().collect::<Vec<_>>());
    assert_eq!(live_grants(&store).await, []);
    let family = store.family(id).await.unwrap().unwrap();
    assert_eq!(family.clients, 0);
    assert_eq!(store.remove_family(id, unwanted(), by(), &|_| {}).await.unwrap().unwrap(), 0);
    let events = store.newest_events(Some(&EventsOf::Family(id)), None, 200).await.unwrap();
    let of = |action| events.iter().filter(|event| event.action == action).count();
    assert_eq!((of(Action::FamilyRemoved), of(Action::ClientRemoved)), (1, 100));
}

/// Whatever happened, in whatever order it was counted: counting anew changes nothing, and says what clients say.
pub(in crate::store) async fn a_rebuild_gives_equal_results(store: Arc<Store>) {
    let entropy = Entropy::seeded(11);
    let below =
        |end: usize| usize::try_from(u64::from_be_bytes(entropy.bytes()) % end as u64).unwrap();
    let (mut records, mut clients) = (Records::new(), Vec::<ClientRecord>::new());
    for _ in 0..300 {
        match below(8) {
            0..=3 => {
                let name = format!("App{} {}.0", below(5), below(3));
                let client = named(&mut records, &name);
                if below(2) == 0 {
                    register_all(&store, std::slice::from_ref(&client)).await;
                } else {
                    register_with_families(&store, std::slice::from_ref(&client)).await;
                }
                clients.push(client);
            }
            4 | 5 if !clients.is_empty() => {
                let from = below(clients.len());
                let to = clients.len().min(from + 1 + below(20));
                store.count_in_families(&clients[from..to]).await.unwrap();
                if below(4) == 0 {
                    store.add_all_arrivals().await.unwrap();
                }
            }
            6 if !clients.is_empty() => {
                let gone = clients[below(clients.len())].client_id;
                store.remove_client(gone, Action::ClientRemoved, "x", by()).await.unwrap();
            }
            _ => {
                let some: Vec<_> = (0..below(4)).map(|_| named(&mut records, "App1 1.0")).collect();
                store.import_clients(some.clone()).await.unwrap();
                clients.extend(some);
            }
        }
    }
    store.count_in_families(&clients).await.unwrap();
    store.add_all_arrivals().await.unwrap();
    let first = clients.iter().find(|client| family_of(client) == family_of(&clients[0])).unwrap();
    store.suspend_family(family_of(first), None, by(), &|_, _| {}).await.unwrap();
    let counted = all(&store).await;
    let exist = everything(&store, &ClientFilter::default(), 1_000).await;
    let clients_of = |families: &[FamilyRecord]| {
        let of = families.iter().map(|family| (family.family_id, family.clients));
        of.filter(|(_, clients)| *clients > 0).collect::<BTreeMap<_, _>>()
    };
    let said = expected(&exist).into_iter().map(|(id, (clients, ..))| (id, clients));
    assert_eq!(clients_of(&counted), said.collect());

    for _ in 0..2 {
        store.rebuild_families(by().at, &|_| {}).await.unwrap();
        assert_eq!(all(&store).await, counted);
    }
}

pub(in crate::store) async fn a_rebuild_counts_what_was_never_counted(store: Arc<Store>) {
    let mut records = Records::new();
    let clients: Vec<ClientRecord> =
        (0..30).map(|nth| named(&mut records, &format!("App{}", nth % 4))).collect();
    register_all(&store, &clients).await;
    assert_eq!(all(&store).await, []);

    assert_eq!(store.rebuild_families(by().at, &|_| {}).await.unwrap(), 4);

    assert_eq!(found(&all(&store).await), expected(&clients));
}

pub(in crate::store) async fn a_decision_about_a_family_is_imported_and_the_later_one_stays(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let client = named(&mut records, "App");
    store.import_clients(vec![client.clone()]).await.unwrap();
    let here = of(&store, &client).await;
    let decided = |standing, seconds| FamilyRecord {
        standing,
        standing_at: Some(by().at.after_seconds(seconds)),
        clients: 77,
        ..here.clone()
    };
    let import = async |family: FamilyRecord| store.import_families(vec![family]).await.unwrap();

    assert_eq!(import(here.clone()).await, 0);
    assert_eq!(import(decided(Standing::Suspended, 5)).await, 1);
    assert_eq!(import(decided(Standing::Active, 4)).await, 0);

    let now = of(&store, &client).await;
    assert_eq!((now.standing, now.clients), (Standing::Suspended, 1));
    assert_eq!(import(decided(Standing::Active, 6)).await, 1);
    assert_eq!(of(&store, &client).await.standing, Standing::Active);
}
