//! What webhooks read, and their cursors.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::{Records, by, register_all};
use crate::{
    audit::{Action, Author, EventId},
    client::ClientId,
    store::{ClientRecord, EventRecord, Store, TrailEntry, TrailPosition, WebhookCursor},
};

async fn cursor(store: &Store) -> WebhookCursor {
    let mut cursors = store.webhook_cursors().await.unwrap();
    assert_eq!(cursors.len(), 1, "{cursors:?}");
    cursors.remove(0)
}

async fn begun(store: &Store) -> TrailPosition {
    store.begin_webhooks(vec!["one".to_owned()]).await.unwrap();
    cursor(store).await.position
}

/// The next entries. In PostgreSQL, transactions of other tests hold them back for moments.
async fn read(store: &Store, position: &TrailPosition, count: usize) -> Vec<TrailEntry> {
    let reading = async {
        loop {
            let page = store.trail_behind(position, 100).await.unwrap();
            if page.len() >= count {
                return page;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let page = timeout(Duration::from_secs(20), reading).await.expect("the entries are read");
    assert_eq!(page.len(), count, "{page:?}");
    page
}

fn ids(page: &[TrailEntry]) -> Vec<EventId> {
    page.iter().map(|entry| entry.event.event_id).collect()
}

fn registration(client: &ClientRecord) -> EventId {
    EventId::from_bytes(*client.client_id.as_bytes())
}

/// Stores an event about a client, so many days before its registration.
async fn event(store: &Store, client: &ClientRecord, days_before: u64) -> EventId {
    let at = client.issued_at.before_seconds(days_before * 86_400);
    let event: EventRecord = Author { at, ..by() }.event(Action::ClientSuspended);
    let id = event.event_id;
    store.record_events(vec![event.about(&client.client_id.into())]).await.unwrap();
    id
}

async fn remove(store: &Store, id: ClientId) {
    store.remove_client(id, Action::ClientRemoved, "by_operator", by()).await.unwrap();
}

pub(in crate::store) async fn a_new_webhook_begins_behind_what_is_stored_and_a_dropped_one_is_forgotten(
    store: Arc<Store>,
) {
    let clients = Records::new().take(3);
    let before = begun(&store).await;
    register_all(&store, &clients[..1]).await;
    event(&store, &clients[0], 0).await;
    // What can be read was stored before every transaction that is under way.
    read(&store, &before, 2).await;
    store.begin_webhooks(Vec::new()).await.unwrap();
    let position = begun(&store).await;
    register_all(&store, &clients[1..2]).await;
    assert_eq!(begun(&store).await, position, "a cursor that is there stays");
    assert_eq!(ids(&read(&store, &position, 1).await), [registration(&clients[1])]);

    store.begin_webhooks(vec!["other".to_owned()]).await.unwrap();
    assert_eq!(cursor(&store).await.webhook, "other");
    store.begin_webhooks(Vec::new()).await.unwrap();
    assert!(store.webhook_cursors().await.unwrap().is_empty());
}

pub(in crate::store) async fn every_entry_is_read_once_in_pages_of_any_size(store: Arc<Store>) {
    let begin = begun(&store).await;
    let clients = Records::new().take(6);
    let mut expected = Vec::new();
    for client in &clients {
        register_all(&store, std::slice::from_ref(client)).await;
        expected.push(registration(client));
        if client.issued_at.as_seconds() % 2 == 0 {
            expected.push(event(&store, client, 0).await);
        }
    }
    read(&store, &begin, expected.len()).await;
    for limit in 1..=10 {
        let (mut found, mut position) = (Vec::new(), begin);
        loop {
            let page = store.trail_behind(&position, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            position = last.position;
            found.extend(ids(&page));
        }
        assert_eq!(found, expected, "pages of {limit}");
    }
}

pub(in crate::store) async fn what_is_stored_later_is_read_though_its_identifier_is_earlier(
    store: Arc<Store>,
) {
    let mut position = begun(&store).await;
    let client = Records::new().next();
    // Each node's clock is further behind than the one before.
    for days_before in 0..4 {
        let stored = event(&store, &client, days_before).await;
        let page = read(&store, &position, 1).await;
        assert_eq!(ids(&page), [stored], "{days_before} days behind");
        assert!(store.advance_webhook("one", position, page[0].position).await.unwrap());
        position = cursor(&store).await.position;
    }
    let mut clients = Records::new().take(3);
    clients.reverse();
    for client in clients {
        register_all(&store, std::slice::from_ref(&client)).await;
        let page = read(&store, &position, 1).await;
        assert_eq!(ids(&page), [registration(&client)]);
        position = page[0].position;
    }
}

pub(in crate::store) async fn a_registration_is_read_before_events_about_the_client_whatever_the_clocks_say(
    store: Arc<Store>,
) {
    let position = begun(&store).await;
    let clients = Records::new().take(2);
    register_all(&store, &clients).await;
    let about = event(&store, &clients[1], 9).await;
    let page = ids(&read(&store, &position, 3).await);
    let place = |id| page.iter().position(|one| *one == id);
    assert!(place(registration(&clients[1])) < place(about), "{page:?}");
}

pub(in crate::store) async fn a_row_that_follows_a_deleted_last_row_is_read(store: Arc<Store>) {
    let begin = begun(&store).await;
    let clients = Records::new().take(4);
    register_all(&store, &clients[..2]).await;
    let page = read(&store, &begin, 2).await;
    assert!(store.advance_webhook("one", begin, page[1].position).await.unwrap());

    // The row goes before another takes its place.
    remove(&store, clients[1].client_id).await;
    register_all(&store, &clients[2..3]).await;
    let position = cursor(&store).await.position;
    let page = read(&store, &position, 2).await;
    assert!(ids(&page).contains(&registration(&clients[2])), "{page:?}");

    // The same between the reading and the storing of its place.
    remove(&store, clients[2].client_id).await;
    register_all(&store, &clients[3..]).await;
    let last = page.last().unwrap().position;
    store.advance_webhook("one", position, last).await.unwrap();
    let position = cursor(&store).await.position;
    let found = async {
        loop {
            let page = store.trail_behind(&position, 100).await.unwrap();
            if ids(&page).contains(&registration(&clients[3])) {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), found).await.expect("the last client is read");
}

pub(in crate::store) async fn a_cursor_that_was_moved_in_between_stays(store: Arc<Store>) {
    let begin = begun(&store).await;
    let client = Records::new().next();
    for _ in 0..3 {
        event(&store, &client, 0).await;
    }
    let page = read(&store, &begin, 3).await;
    assert!(store.advance_webhook("one", begin, page[1].position).await.unwrap());
    for late in [&page[0], &page[2]] {
        assert!(!store.advance_webhook("one", begin, late.position).await.unwrap());
        assert_eq!(cursor(&store).await.position, page[1].position);
    }
    assert!(!store.advance_webhook("none", begin, page[1].position).await.unwrap());
}

pub(in crate::store) async fn failures_are_counted_until_the_cursor_moves(store: Arc<Store>) {
    let begin = begun(&store).await;
    let client = Records::new().next();
    event(&store, &client, 0).await;
    let page = read(&store, &begin, 1).await;
    let at = by().at;
    for (failures, failure) in [(1, "a"), (2, "b")] {
        let now = at.after_seconds(failures);
        store.note_webhook_failure("one", now, failure.to_owned()).await.unwrap();
        let noted = cursor(&store).await;
        assert_eq!((noted.failures, noted.failing_since), (failures, Some(at.after_seconds(1))));
        assert_eq!((noted.failure.as_deref(), noted.position), (Some(failure), begin));
    }
    assert!(store.advance_webhook("one", begin, page[0].position).await.unwrap());
    let moved = cursor(&store).await;
    assert_eq!((moved.failures, moved.failing_since, moved.failure), (0, None, None));
}

pub(in crate::store) async fn a_reader_follows_the_trail_though_last_rows_are_deleted(
    store: Arc<Store>,
) {
    let clients = Records::new().take(5);
    register_all(&store, &clients[..1]).await;
    let before = registration(&clients[0]);
    let mut place = store.trail_end().await.unwrap();
    let mut read = Vec::new();
    let mut seen = async |count: usize| {
        let reading = async {
            while read.len() < count {
                // As the cursor of a page.
                let kept = place.to_string().parse().unwrap();
                let page = store.follow_trail(kept, 100).await.unwrap().unwrap();
                place = page.place;
                let entries = ids(&page.entries).into_iter();
                // A reader that is taken back may get what was there before.
                let is_new = |id: &EventId| !read.contains(id) && *id != before;
                let new: Vec<_> = entries.filter(is_new).collect();
                read.extend(new);
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), reading).await.expect("the entries are read");
        read.clone()
    };
    event(&store, &clients[0], 0).await;
    register_all(&store, &clients[1..3]).await;
    let mut expected = 3;
    for (gone, next) in [(2, 3), (1, 4)] {
        seen(expected).await;
        remove(&store, clients[gone].client_id).await;
        register_all(&store, &clients[next..=next]).await;
        expected += 2;
        let last = seen(expected).await;
        assert_eq!(last.len(), expected, "{next}");
        assert!(last.contains(&registration(&clients[next])), "{next}");
    }
}
