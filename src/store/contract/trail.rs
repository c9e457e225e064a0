//! The trail: events and registrations in one order.

use std::{net::IpAddr, sync::Arc};

use super::{Records, by, register_all};
use crate::{
    audit::{Action, Author, EventId},
    client::ClientIdentifier,
    store::{ClientRecord, EventRecord, EventsOf, Store},
};

/// Clients, and an event about each half a second after its registration: both in the order of the trail.
async fn story(store: &Store, count: usize) -> (Vec<ClientRecord>, Vec<EventId>) {
    let clients = Records::new().take(count);
    register_all(store, &clients).await;
    let mut ids = Vec::new();
    for client in &clients {
        let at = crate::clock::Timestamp::from_millis(client.issued_at.as_millis() + 500);
        let event = Author { at, ..by() }.event(Action::ClientSuspended);
        ids.extend([EventId::from_bytes(*client.client_id.as_bytes()), event.event_id]);
        store.record_events(vec![event.about(&client.client_id.into())]).await.unwrap();
    }
    (clients, ids)
}

fn ids(events: &[EventRecord]) -> Vec<EventId> {
    events.iter().map(|event| event.event_id).collect()
}

pub(in crate::store) async fn the_trail_merges_registrations_and_events_in_both_directions(
    store: Arc<Store>,
) {
    let (clients, mut expected) = story(&store, 3).await;
    assert_eq!(ids(&store.trail(None, None, None, 100).await.unwrap()), expected);
    let between = store.trail(None, Some(expected[0]), Some(expected[3]), 100).await.unwrap();
    assert_eq!(ids(&between), expected[1..4]);
    let registered = Some(Action::ClientRegistered);
    let registrations = [expected[0], expected[2], expected[4]];
    assert_eq!(ids(&store.trail(registered, None, None, 100).await.unwrap()), registrations);
    let suspended = store.trail(Some(Action::ClientSuspended), None, None, 100).await.unwrap();
    assert_eq!(ids(&suspended), [expected[1], expected[3], expected[5]]);

    let of = EventsOf::Client(ClientIdentifier::Registered(clients[1].client_id));
    let about = store.newest_trail(Some(&of), None, None, 100).await.unwrap();
    assert_eq!(ids(&about), [expected[3], expected[2]]);
    let earlier = store.newest_trail(Some(&of), None, Some(expected[2]), 100).await.unwrap();
    assert_eq!(ids(&earlier), []);
    let nobody = EventsOf::Subject("nobody".to_owned());
    assert_eq!(ids(&store.newest_trail(Some(&nobody), None, None, 100).await.unwrap()), []);
    let newest = store.newest_trail(None, registered, Some(expected[4]), 1).await.unwrap();
    assert_eq!(ids(&newest), [expected[2]]);
    expected.reverse();
    assert_eq!(ids(&store.newest_trail(None, None, None, 100).await.unwrap()), expected);
    let next = store.newest_trail(None, None, Some(expected[1]), 2).await.unwrap();
    assert_eq!(ids(&next), expected[2..4]);
}

pub(in crate::store) async fn a_page_of_the_trail_skips_nothing_whichever_table_it_comes_from(
    store: Arc<Store>,
) {
    let (_, mut expected) = story(&store, 4).await;
    // Events without a registration between them, and registrations without an event.
    let late = Author { at: by().at.after_days(1), ..by() };
    let events: Vec<EventRecord> = (0..5).map(|_| late.event(Action::KeyMade)).collect();
    let mut last = ids(&events);
    last.sort_unstable();
    expected.extend(last);
    store.record_events(events).await.unwrap();
    for limit in 1..=7 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.trail(None, after, None, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.event_id);
            found.extend(ids(&page));
        }
        assert_eq!(found, expected, "pages of {limit}");
    }
}

pub(in crate::store) async fn a_registration_is_told_by_the_record_of_the_client(
    store: Arc<Store>,
) {
    let client = Records::new().next();
    register_all(&store, std::slice::from_ref(&client)).await;
    let told = store.trail(None, None, None, 10).await.unwrap().remove(0);
    assert_eq!(told.action, Action::ClientRegistered);
    assert_eq!((told.at, told.actor), (client.issued_at, Some(client.client_id.to_string())));
    assert_eq!(told.client, Some(client.client_id.into()));
    assert_eq!(told.source, Some(IpAddr::from([192, 0, 2, 1])));
    assert!(told.family.is_some());
    let detail: serde_json::Value = serde_json::from_str(&told.detail.unwrap()).unwrap();
    assert_eq!(detail["name"], "Example");
    assert_eq!(detail["profile"], "rfc7591");
}
