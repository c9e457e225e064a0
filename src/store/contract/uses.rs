//! The promises about the last use of clients.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Records, register_all};
use crate::{
    client::ClientId,
    clock::Timestamp,
    store::{
        ClientState, ClientUse, DocumentClientId, DocumentClientRecord, DocumentClientUse, Store,
    },
};

const URL: &str = "https://app.example/client.json";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_764_000_000_000).after_seconds(seconds)
}

async fn used_at(store: &Store, id: ClientId) -> Option<Timestamp> {
    store.client(id).await.unwrap().unwrap().state.used_at
}

pub(in crate::store) async fn the_latest_use_of_a_client_stays(store: Arc<Store>) {
    let clients = Records::new().take(3);
    register_all(&store, &clients).await;
    let [used, unused, gone] = [0, 1, 2].map(|index| clients[index].client_id);
    let by = super::by();
    let action = crate::audit::Action::ClientRemoved;
    store.remove_client(gone, action, "by_operator", by).await.unwrap();
    let of = |client_id, used_at| ClientUse { client_id, used_at };

    let noted = store.note_client_uses(vec![of(used, at(2)), of(gone, at(2))]).await.unwrap();
    assert_eq!((noted, used_at(&store, used).await), (1, Some(at(2))));
    assert_eq!(store.note_client_uses(vec![of(used, at(1))]).await.unwrap(), 0);
    assert_eq!(used_at(&store, used).await, Some(at(2)));
    assert_eq!(store.note_client_uses(vec![of(used, at(3))]).await.unwrap(), 1);
    assert_eq!(used_at(&store, used).await, Some(at(3)));
    assert_eq!(store.note_client_uses(Vec::new()).await.unwrap(), 0);

    assert_eq!(used_at(&store, unused).await, None);
    assert_eq!(store.client(gone).await.unwrap(), None);
}

pub(in crate::store) async fn uses_that_several_nodes_note_at_once_end_with_the_latest(
    store: Arc<Store>,
) {
    let clients = Records::new().take(20);
    register_all(&store, &clients).await;
    let mut nodes = JoinSet::new();
    for node in 0..8 {
        let mut uses: Vec<_> = clients
            .iter()
            .map(|client| ClientUse { client_id: client.client_id, used_at: at(node) })
            .collect();
        if node % 2 == 0 {
            uses.reverse();
        }
        let store = Arc::clone(&store);
        nodes.spawn(async move { store.note_client_uses(uses).await });
    }
    for noted in nodes.join_all().await {
        noted.unwrap();
    }

    for client in &clients {
        assert_eq!(used_at(&store, client.client_id).await, Some(at(7)));
    }
}

pub(in crate::store) async fn the_latest_use_of_a_client_with_a_document_stays(store: Arc<Store>) {
    let record = DocumentClientRecord {
        url: URL.to_owned(),
        document_client_id: DocumentClientId::from_bytes([7; 16]),
        first_allowed_at: at(0),
        allowed_at: at(0),
        metadata: "{}".to_owned(),
        state: ClientState::default(),
    };
    store.import_document_clients(vec![record]).await.unwrap();
    let note = |url: &str, used_at| {
        store.note_document_client_uses(vec![DocumentClientUse { url: url.to_owned(), used_at }])
    };

    assert_eq!(note(URL, at(2)).await.unwrap(), 1);
    assert_eq!(note(URL, at(1)).await.unwrap(), 0);
    assert_eq!(note("https://other.example/client.json", at(3)).await.unwrap(), 0);

    let stored = store.document_client(&URL.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.state.used_at, Some(at(2)));
}
