//! Counting on a node, and what it knows of decisions.

use std::sync::Arc;

use super::*;
use crate::{
    client::{ClientId, ProfileName},
    config::Config,
    entropy::Entropy,
    store::{
        self, Access, ClientFilter, ClientFlags, ClientRecord, ClientRegistration, FamilySaid,
    },
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn client(entropy: &Entropy, at: Timestamp) -> ClientRecord {
    ClientRecord {
        client_id: ClientId::generate(at, entropy),
        issued_at: at,
        profile: ProfileName::Rfc7591,
        source: None,
        flags: ClientFlags::default(),
        metadata: r#"{"redirect_uris":["https://app.example/cb"],"client_name":"App"}"#.to_owned(),
        state: ClientState::default(),
        registration: ClientRegistration::default(),
    }
}

/// A store in a folder of its own, and a node that counts.
struct Node {
    _folder: tempfile::TempDir,
    store: Arc<Store>,
    clock: Clock,
    entropy: Entropy,
    metrics: FamilyMetrics,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let config = Config::default();
        let store = store::open_folder(folder.path(), &config.embedded, Access::Serve).unwrap();
        let (clock, metrics) = (Clock::held_at(NOW), FamilyMetrics::default());
        Self { _folder: folder, store, clock, entropy: Entropy::seeded(3), metrics }
    }

    async fn register(&self, at: Timestamp) {
        let client = client(&self.entropy, at);
        let metadata: ClientMetadata = serde_json::from_str(&client.metadata).unwrap();
        let family = Arc::new(FamilySaid::by(&metadata));
        self.store.register_client(Arc::new(client), Some(family)).await.unwrap();
    }

    /// A client whose family is left for later.
    async fn add(&self, at: Timestamp) {
        self.store.register_client(Arc::new(client(&self.entropy, at)), None).await.unwrap();
    }

    /// How many clients are counted now.
    async fn count(&self) -> u64 {
        count(&self.store, &self.clock, &self.metrics).await.unwrap();
        let families = self.store.families_by_id(None, 10).await.unwrap();
        families.iter().map(|family| family.clients).sum()
    }
}

#[tokio::test]
async fn a_client_is_counted_once_however_it_came_and_whatever_its_clock_says() {
    let node = Node::new();
    node.register(NOW).await;
    node.add(NOW.after_seconds(1)).await;
    assert_eq!(node.count().await, 2);
    node.register(NOW.before_seconds(50)).await;
    node.register(NOW.after_seconds(48 * 3_600)).await;
    node.add(NOW.before_seconds(70)).await;
    assert_eq!(node.count().await, 5);
    assert_eq!(node.count().await, 5, "each once");
}

#[tokio::test]
async fn more_than_one_change_holds_are_counted() {
    let node = Node::new();
    for nth in 0..u64::try_from(CLIENTS_AT_ONCE).unwrap() + 3 {
        node.register(NOW.after_seconds(nth)).await;
        node.add(NOW.after_seconds(nth)).await;
    }

    assert_eq!(node.count().await, 2 * (CLIENTS_AT_ONCE as u64 + 3));
}

#[tokio::test]
async fn the_lag_is_the_age_of_the_first_client_that_its_family_is_not_told_of() {
    let node = Node::new();
    node.register(NOW).await;
    node.register(NOW.after_seconds(6)).await;
    node.clock.advance(Duration::from_secs(9));

    node.count().await;

    assert_eq!(node.metrics.behind_seconds.value(), 9);
    node.count().await;
    assert_eq!(node.metrics.behind_seconds.value(), 0);
}

/// While the store does not answer, the lag is the time since no client waited, at most.
#[tokio::test]
async fn the_lag_grows_while_nothing_is_counted() {
    let node = Node::new();
    node.register(NOW).await;
    node.count().await;
    node.count().await;
    node.store.close().await.unwrap();
    node.clock.advance(Duration::from_secs(42));

    count(&node.store, &node.clock, &node.metrics).await.unwrap_err();

    assert_eq!(node.metrics.behind_seconds.value(), 42);
}

#[tokio::test]
async fn a_suspended_family_is_known_after_the_next_look() {
    let node = Node::new();
    node.register(NOW).await;
    node.count().await;
    let [family] = &*node.store.families_by_id(None, 10).await.unwrap() else { panic!("one") };
    let record = node.store.clients(&ClientFilter::default(), None, 1).await.unwrap().remove(0);
    let metadata: ClientMetadata = serde_json::from_str(&record.metadata).unwrap();
    let families = Families::default();
    let by = crate::audit::Author::new(crate::audit::Actor::System, NOW, Entropy::seeded(4));
    node.store.suspend_family(family.family_id, None, by, &|_, _| {}).await.unwrap();
    let state = families.state_of_stored(&record.metadata, record.state.clone());
    assert_eq!(state.standing, Standing::Active, "not looked yet");

    families.refresh(&node.store).await.unwrap();

    let state = families.state_of_stored(&record.metadata, record.state);
    assert_eq!(state.standing, Standing::Suspended);
    let own = ClientState { standing: Standing::Dormant, ..ClientState::default() };
    let state = families.state_of(&metadata, own.clone());
    assert_eq!((state.standing, state.standing_at), (Standing::Suspended, Some(NOW)));
    let other = serde_json::from_str(r#"{"redirect_uris":["https://b.example/cb"]}"#).unwrap();
    assert_eq!(families.state_of(&other, own.clone()), own);
}
