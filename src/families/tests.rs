//! Counting on a node: what commits late, in another order, or with another clock.

use std::sync::Arc;

use super::*;
use crate::{
    client::ProfileName,
    config::Config,
    entropy::Entropy,
    store::{self, Access, ClientFlags, ClientRegistration},
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
    counting: Counting,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let config = Config::default();
        let store = store::open_folder(folder.path(), &config.embedded, Access::Serve).unwrap();
        let clock = Clock::held_at(NOW);
        let (entropy, counting) = (Entropy::seeded(3), Counting::default());
        Self { _folder: folder, store, clock, entropy, counting }
    }

    async fn register(&self, at: Timestamp) {
        self.store.register_client(Arc::new(client(&self.entropy, at))).await.unwrap();
    }

    /// How many clients are counted by a step so many seconds later.
    async fn step(&mut self, seconds: u64) -> u64 {
        self.clock.advance(Duration::from_secs(seconds));
        self.counting.step(&self.store, &self.clock, &FamilyMetrics::default()).await.unwrap();
        let families = self.store.families_by_id(None, 10).await.unwrap();
        families.iter().map(|family| family.clients).sum()
    }
}

#[tokio::test]
async fn registrations_that_commit_late_or_with_another_clock_are_counted_once() {
    let mut node = Node::new();
    node.register(NOW).await;
    assert_eq!(node.step(0).await, 0, "another one of this moment may commit later");
    assert_eq!(node.step(2).await, 1);
    // Of a node whose clock is behind, and of one whose clock is ahead.
    node.register(NOW.before_seconds(50)).await;
    node.register(NOW.after_seconds(50)).await;
    assert_eq!(node.step(LATE_EVERY_SECONDS).await, 2);
    assert_eq!(node.step(30).await, 3, "its time has come");
    node.register(NOW.after_seconds(1)).await;
    node.register(NOW.after_seconds(49)).await;
    assert_eq!(node.step(LATE_EVERY_SECONDS).await, 5);
    assert_eq!(node.step(LATE_EVERY_SECONDS).await, 5);

    // Another node begins where the mark is, and counts nothing twice.
    node.counting.begin_again();
    assert_eq!(node.step(0).await, 5);
    let mark = node.store.families_mark().await.unwrap().unwrap();
    assert!(mark <= NOW, "{mark:?}");
}

#[tokio::test]
async fn a_registration_of_a_far_future_hides_none_of_the_present() {
    let mut node = Node::new();
    node.register(NOW.after_seconds(48 * 3_600)).await;
    assert_eq!(node.step(2).await, 0);
    node.register(NOW.after_seconds(1)).await;
    assert_eq!(node.step(2).await, 1);
    assert_eq!(node.step(48 * 3_600).await, 2, "its time has come");
}

#[tokio::test]
async fn what_is_remembered_stays_within_the_margin() {
    let mut node = Node::new();
    for second in 0..200 {
        node.register(NOW.after_seconds(second)).await;
    }

    assert_eq!(node.step(202).await, 200);

    assert!(node.counting.read.len() <= 61, "{}", node.counting.read.len());
}

#[tokio::test]
async fn a_suspended_family_is_known_after_the_next_look() {
    let mut node = Node::new();
    node.register(NOW).await;
    node.step(2).await;
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
