//! What the filters of lists promise.

use std::sync::Arc;

use super::{Records, by, everything, register_all, register_with_families};
use crate::{
    admission::{DestinationPattern, Word as _},
    client::ClientMetadata,
    clock::Timestamp,
    family::{FamilyId, FamilyKey},
    store::{
        ClientFilter, ClientFlags, ClientRecord, ClientState, DocumentClientId,
        DocumentClientRecord, LastUsed, Standing, Standings, Store, SuspendedFamilies,
    },
};

const LOOPBACK: &str = "http://127.0.0.1:1/cb";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_764_000_000_000).after_seconds(seconds)
}

fn metadata(name: &str, redirect_uris: &[&str]) -> String {
    serde_json::json!({ "client_name": name, "redirect_uris": redirect_uris }).to_string()
}

fn used(seconds: u64) -> ClientState {
    ClientState { used_at: Some(at(seconds)), ..ClientState::default() }
}

fn family(client: &ClientRecord) -> FamilyId {
    FamilyKey::of(&serde_json::from_str::<ClientMetadata>(&client.metadata).unwrap()).id()
}

fn leads_to(text: &str) -> DestinationPattern {
    DestinationPattern::parse(text).unwrap()
}

/// Four clients: two of one family, and two that differ from them in everything.
fn four() -> [ClientRecord; 4] {
    let mut records = Records::new();
    let code = |name| metadata(name, &["http://127.0.0.1:1/cb", "https://claude.ai/cb"]);
    [
        ClientRecord {
            metadata: code("Claude Code (acme)"),
            source: Some("203.0.113.7".parse().unwrap()),
            ..records.next()
        },
        ClientRecord {
            metadata: metadata("Probe", &["com.probe:/cb"]),
            source: Some("2001:db8::7".parse().unwrap()),
            state: used(10),
            ..records.next()
        },
        ClientRecord {
            metadata: code("claude code 1.2"),
            source: Some("::ffff:203.0.113.200".parse().unwrap()),
            state: used(30),
            ..records.next()
        },
        ClientRecord {
            metadata: metadata("Nothing", &["https://a.app.example/cb"]),
            source: None,
            state: used(20),
            ..records.next()
        },
    ]
}

pub(in crate::store) async fn every_filter_finds_what_it_says(store: Arc<Store>) {
    let all = four();
    register_all(&store, &all).await;
    let [first, probe, second, other] = &all;
    let any = ClientFilter::default;
    let to = |text| ClientFilter { destination: Some(leads_to(text)), ..any() };
    let from = |text: &str| ClientFilter { source: Some(text.parse().unwrap()), ..any() };
    for (filter, expected) in [
        (to("claude.ai"), vec![first, second]),
        (to("loopback"), vec![first, second]),
        (to("scheme:com.probe"), vec![probe]),
        (to("*.app.example"), vec![other]),
        (to("app.example"), vec![]),
        (ClientFilter { family: Some(family(first)), ..any() }, vec![first, second]),
        (ClientFilter { family: Some(family(probe)), ..any() }, vec![probe]),
        (ClientFilter { family: Some(FamilyId::from_bytes([1; 16])), ..any() }, vec![]),
        (from("203.0.113.0/24"), vec![first, second]),
        (from("203.0.113.7/32"), vec![first]),
        (from("2001:db8::/32"), vec![probe]),
        (from("0.0.0.0/0"), vec![first, second]),
        (ClientFilter { is_unused: true, ..any() }, vec![first]),
        (ClientFilter { used_from: Some(at(20)), ..any() }, vec![second, other]),
        (ClientFilter { used_until: Some(at(20)), ..any() }, vec![probe]),
        (
            ClientFilter { used_from: Some(at(0)), used_until: Some(at(30)), ..any() },
            vec![probe, other],
        ),
        (ClientFilter { used_from: Some(at(0)), is_unused: true, ..any() }, vec![]),
        (
            ClientFilter { family: Some(family(first)), is_unused: true, ..to("loopback") },
            vec![first],
        ),
        (
            ClientFilter { name_contains: Some("code".to_owned()), ..from("203.0.113.128/25") },
            vec![second],
        ),
    ] {
        for limit in [1, 3, 100] {
            let shown = everything(&store, &filter, limit).await;
            assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "{limit}: {filter:?}");
            let (looked, _) = looked_for(&store, &filter, limit).await;
            assert_eq!(looked.iter().collect::<Vec<_>>(), expected, "{limit}: {filter:?}");
        }
        let shown: Vec<_> = all
            .iter()
            .filter(|client| filter.passes(client, &SuspendedFamilies::default()))
            .collect();
        assert_eq!(shown, expected, "the rule alone: {filter:?}");
    }
}

/// Filters by standing find the clients that are shown with it, in one order, each once: those that are suspended by their
/// family, too, whether their family is known already or not.
pub(in crate::store) async fn clients_are_found_by_the_standing_that_holds(store: Arc<Store>) {
    let mut records = Records::new();
    let mut all: Vec<ClientRecord> = (0..3_300)
        .map(|nth| {
            let name = ["Blocked", "Free", "Banned"][nth % 3];
            ClientRecord { metadata: metadata(name, &[LOOPBACK]), ..records.next() }
        })
        .collect();
    for (nth, client) in all.iter_mut().enumerate() {
        client.state.standing = match nth % 50 {
            0 => Standing::Suspended,
            1 => Standing::Pending,
            2 => Standing::Dormant,
            _ => Standing::Active,
        };
    }
    let late = all.split_off(3_000);
    store.import_clients(all.clone()).await.unwrap();
    register_with_families(&store, &late[..150]).await;
    register_all(&store, &late[150..]).await;
    all.extend(late);
    let shown = async |standing: Standing, limit: usize| {
        let filter = ClientFilter { standing: Some(standing), ..ClientFilter::default() };
        let listed = everything(&store, &filter, limit).await;
        let (looked, looks) = looked_for(&store, &filter, limit).await;
        assert_eq!(listed, looked, "{standing}");
        assert!(looks <= 2 + listed.len() / limit + all.len() / 1_000, "{standing}: {looks}");
        listed
    };

    for suspended in [vec![], vec!["Blocked"], vec!["Blocked", "Banned"]] {
        for name in &suspended {
            let family = all.iter().find(|it| it.metadata.contains(name)).map(family).unwrap();
            store.suspend_family(family, None, by(), &|_, _| {}).await.unwrap();
        }
        for standing in Standing::ALL.iter().copied() {
            let holds = |client: &&ClientRecord| {
                let is_blocked = suspended.iter().any(|name| client.metadata.contains(name));
                let own = client.state.standing;
                (if is_blocked { Standing::Suspended } else { own }) == standing
            };
            let expected: Vec<_> = all.iter().filter(holds).cloned().collect();
            for limit in [7, 1_000] {
                assert_eq!(shown(standing, limit).await, expected, "{standing}: {suspended:?}");
            }
            let counted = store.standings().await.unwrap();
            let counted = match standing {
                Standing::Active => all.len() as u64 - counted.sum(),
                Standing::Pending => counted.pending,
                Standing::Suspended => counted.suspended,
                Standing::Dormant => counted.dormant,
            };
            assert_eq!(counted, expected.len() as u64, "{standing}: {suspended:?}");
            let overview = store.overview(at(0)).await.unwrap();
            assert_eq!(overview.standings, store.standings().await.unwrap());
        }
    }
    let filter = ClientFilter {
        standing: Some(Standing::Suspended),
        flags: ClientFlags::LOOK_ALIKE,
        ..ClientFilter::default()
    };
    assert_eq!(everything(&store, &filter, 100).await, []);
    let blocked = family(&all[0]);
    let own = ClientFilter { family: Some(blocked), flags: ClientFlags::default(), ..filter };
    assert_eq!(everything(&store, &own, 500).await.len(), 1_100);
}

/// All clients that pass, look after look, and the number of looks.
async fn looked_for(
    store: &Store,
    filter: &ClientFilter,
    limit: usize,
) -> (Vec<ClientRecord>, usize) {
    let (mut all, mut looks, mut after) = (Vec::new(), 0, None);
    loop {
        let look = store.look_for_clients(filter, after, limit).await.unwrap();
        assert!(look.clients.len() <= limit);
        looks += 1;
        all.extend(look.clients);
        after = look.next;
        if after.is_none() {
            return (all, looks);
        }
    }
}

/// More clients than one question reads: the last one has a name, a source, and a flag of its own.
pub(in crate::store) async fn one_question_looks_through_so_many_clients_and_no_more(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let mut all: Vec<ClientRecord> = (0..4_500)
        .map(|_| ClientRecord { metadata: metadata("Many", &[LOOPBACK]), ..records.next() })
        .collect();
    for client in &mut all[..2_500] {
        client.state = used(1);
    }
    let rare = all.last_mut().unwrap();
    rare.metadata = metadata("Rare", &["https://rare.example/cb"]);
    rare.source = Some("198.51.100.1".parse().unwrap());
    rare.flags = ClientFlags::LOOK_ALIKE;
    rare.state = ClientState { standing: Standing::Suspended, ..used(20) };
    let rare = rare.clone();
    store.import_clients(all.clone()).await.unwrap();
    let any = ClientFilter::default;
    for filter in [
        ClientFilter { name_contains: Some("rare".to_owned()), ..any() },
        ClientFilter { destination: Some(leads_to("rare.example")), ..any() },
        ClientFilter { source: Some("198.51.100.0/24".parse().unwrap()), ..any() },
    ] {
        let first = store.look_for_clients(&filter, None, 10).await.unwrap();
        assert!(first.clients.is_empty() && first.next.is_some(), "{filter:?}: {first:?}");
        let (found, looks) = looked_for(&store, &filter, 10).await;
        assert_eq!((&found[..], looks), (&[rare.clone()][..], 3), "{filter:?}");

        let standing = Some(Standing::Suspended);
        for indexed in [
            ClientFilter { standing, ..filter.clone() },
            ClientFilter { flags: ClientFlags::LOOK_ALIKE, ..filter.clone() },
        ] {
            let (found, looks) = looked_for(&store, &indexed, 10).await;
            assert_eq!((&found[..], looks), (&[rare.clone()][..], 1), "{indexed:?}");
        }
    }
    let (found, _) = looked_for(&store, &any(), 700).await;
    assert_eq!(found, all);

    let by_name = ClientFilter { name_contains: Some("nothing".to_owned()), ..any() };
    let first = store.look_for_used_clients(&by_name, None, 10).await.unwrap();
    assert!(first.clients.is_empty() && first.next.is_some(), "{first:?}");
    let last = store.look_for_used_clients(&by_name, first.next, 10).await.unwrap();
    assert!(last.clients.is_empty() && last.next.is_none(), "{last:?}");
    let used_since = ClientFilter { used_from: Some(at(2)), ..any() };
    let found = store.look_for_used_clients(&used_since, None, 10).await.unwrap();
    assert_eq!((found.clients, found.next), (vec![rare], None));
}

pub(in crate::store) async fn clients_are_listed_by_their_last_use(store: Arc<Store>) {
    let mut all: Vec<ClientRecord> = four().into();
    let mut records = Records::new();
    let ties: Vec<ClientRecord> =
        (0..1_200).map(|_| ClientRecord { state: used(5), ..records.next() }).skip(4).collect();
    all.extend(ties);
    store.import_clients(all.clone()).await.unwrap();
    let by_use = async |filter: &ClientFilter, limit: usize| {
        let mut shown: Vec<ClientRecord> = Vec::new();
        loop {
            let after = shown.last().and_then(LastUsed::of);
            let page = store.clients_by_use(filter, after, limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                return shown;
            }
            shown.extend(page);
        }
    };

    let mut expected: Vec<_> = all.iter().filter(|it| it.state.used_at.is_some()).collect();
    expected.sort_by_key(|it| std::cmp::Reverse((it.state.used_at, it.client_id)));
    let shown = by_use(&ClientFilter::default(), 700).await;
    assert_eq!(shown.iter().collect::<Vec<_>>(), expected);

    let named = |name: &str| ClientFilter {
        name_contains: Some(name.to_owned()),
        ..ClientFilter::default()
    };
    assert_eq!(by_use(&named("o"), 1).await, [all[2].clone(), all[3].clone(), all[1].clone()]);
    let recent = ClientFilter { used_from: Some(at(20)), ..ClientFilter::default() };
    assert_eq!(by_use(&recent, 10).await, [all[2].clone(), all[3].clone()]);
    let unused = ClientFilter { is_unused: true, ..ClientFilter::default() };
    assert_eq!(by_use(&unused, 10).await, []);
}

pub(in crate::store) async fn clients_with_a_document_pass_the_filters_that_apply_to_them(
    store: Arc<Store>,
) {
    let document = |host: &str, number: u8, state: ClientState| DocumentClientRecord {
        url: format!("https://{host}/client.json"),
        document_client_id: DocumentClientId::from_bytes([number; 16]),
        first_allowed_at: at(u64::from(number)),
        allowed_at: at(100),
        metadata: metadata(host, &[&format!("https://{host}/cb")]),
        state,
    };
    let suspended = ClientState { standing: Standing::Suspended, ..used(50) };
    let all = [
        document("a.example", 1, ClientState::default()),
        document("b.example", 2, suspended),
        document("c.example", 3, used(60)),
    ];
    store.import_document_clients(all.to_vec()).await.unwrap();
    let [a, b, c] = &all;
    let any = ClientFilter::default;
    let by_url = async |filter: &ClientFilter| {
        let mut shown: Vec<DocumentClientRecord> = Vec::new();
        loop {
            let after = shown.last().map(|client| client.url.clone());
            let page = store.document_clients_behind(filter, after.as_deref(), 2).await.unwrap();
            if page.is_empty() {
                return shown;
            }
            shown.extend(page);
        }
    };
    for (filter, expected) in [
        (any(), vec![a, b, c]),
        (ClientFilter { name_contains: Some("B.".to_owned()), ..any() }, vec![b]),
        (ClientFilter { destination: Some(leads_to("c.example")), ..any() }, vec![c]),
        (ClientFilter { standing: Some(Standing::Suspended), ..any() }, vec![b]),
        (ClientFilter { standing: Some(Standing::Active), ..any() }, vec![a, c]),
        (ClientFilter { is_unused: true, ..any() }, vec![a]),
        (ClientFilter { used_from: Some(at(55)), ..any() }, vec![c]),
        (ClientFilter { issued_from: Some(at(2)), issued_until: Some(at(3)), ..any() }, vec![b]),
        (ClientFilter { source: Some("0.0.0.0/0".parse().unwrap()), ..any() }, vec![]),
        (ClientFilter { profile: Some(crate::client::ProfileName::Rfc7591), ..any() }, vec![]),
    ] {
        let shown = by_url(&filter).await;
        assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }

    let registered = ClientRecord { metadata: a.metadata.clone(), ..Records::new().next() };
    register_with_families(&store, std::slice::from_ref(&registered)).await;
    let suspended = ClientFilter { standing: Some(Standing::Suspended), ..any() };
    for (number, family) in [(1, None), (2, Some(family(&registered)))] {
        if let Some(family) = family {
            store.suspend_family(family, None, by(), &|_, _| {}).await.unwrap();
        }
        assert_eq!(by_url(&suspended).await.len(), number);
        let standings = store.document_standings().await.unwrap();
        assert_eq!(standings, Standings { suspended: number as u64, ..Standings::default() });
        let both = store.overview(at(0)).await.unwrap().standings;
        assert_eq!(both, standings + store.standings().await.unwrap());
    }
}
