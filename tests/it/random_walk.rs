//! Random operations against the store and against a map, with reopening in between: they must never
//! differ. A failure prints its seed; `seed` alone repeats it.

use crate::harness::by;
use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use doorward::audit::Action;
use doorward::{
    client::{ClientId, ProfileName},
    config::{Config, StoreLocation},
    entropy::Entropy,
    store::{self, Access, ClientFilter, ClientFlags, ClientRecord, Deleted, Imported, Store},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{postgres, records::record};

/// How long walks are begun, and how many there are on a machine that is too slow for more.
const TIME: Duration = Duration::from_secs(2);
const WALKS_MIN: u64 = 3;
const STEPS: u32 = 120;

#[tokio::test]
async fn the_store_equals_a_map_whatever_is_done_to_it() {
    let begun = Instant::now();
    let mut seed = 0;
    while seed < WALKS_MIN || begun.elapsed() < TIME {
        // Captured unless the test fails, and then the last line is the seed of the failure.
        println!("seed {seed}");
        Walk::begin(seed).await.go().await;
        seed += 1;
    }
}

struct Walk {
    chance: Entropy,
    now: u64,
    config: Config,
    /// Gone with the walk.
    _folder: TempDir,
    store: Arc<Store>,
    model: BTreeMap<ClientId, ClientRecord>,
}

impl Walk {
    async fn begin(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let location = match postgres::new_database() {
            Some(url) => StoreLocation::Postgres(url.parse().unwrap()),
            None => StoreLocation::Folder(folder.path().to_owned()),
        };
        let config = Config { store: location, ..Config::default() };
        Self {
            chance: Entropy::seeded(seed),
            now: 1_764_000_000_000,
            store: store::open(&config, Access::Serve).await.unwrap(),
            config,
            _folder: folder,
            model: BTreeMap::new(),
        }
    }

    async fn go(mut self) {
        for _ in 0..STEPS {
            match self.below(16) {
                0..6 => self.register().await,
                6..8 => self.delete().await,
                8..10 => self.import().await,
                10..12 => self.list().await,
                12 => self.command().await,
                13 => self.store.ready().await.unwrap(),
                14 => self.read().await,
                _ => self.reopen().await,
            }
        }
        self.reopen().await;
        self.list().await;
        self.store.close().await.unwrap();
    }

    /// A number below `bound`.
    fn below(&self, bound: u64) -> u64 {
        u64::from_le_bytes(self.chance.bytes()) % bound
    }

    fn new_client(&mut self) -> ClientRecord {
        self.now += self.below(3);
        let mut client = record(self.now, &self.chance);
        client.profile =
            if self.below(2) == 0 { ProfileName::Datadog } else { ProfileName::Rfc7591 };
        client.source =
            (self.below(3) > 0).then(|| std::net::IpAddr::from(self.chance.bytes::<16>()));
        client.flags = ClientFlags::from_bits(u32::from_le_bytes(self.chance.bytes()) & 3);
        let name = "n".repeat(usize::try_from(self.below(3_000)).unwrap());
        client.metadata = format!(r#"{{"client_name":"{name}{}"}}"#, self.below(10));
        client
    }

    /// A client that is there, if there is any.
    fn one_of_them(&self) -> Option<ClientRecord> {
        let place = self.below(self.model.len().max(1) as u64);
        self.model.values().nth(usize::try_from(place).unwrap()).cloned()
    }

    async fn register(&mut self) {
        let mut calls = JoinSet::new();
        for _ in 0..=self.below(20) {
            let client = self.new_client();
            self.model.insert(client.client_id, client.clone());
            let store = Arc::clone(&self.store);
            calls.spawn(async move { store.register_client(Arc::new(client), None).await });
        }
        for answer in calls.join_all().await {
            answer.unwrap();
        }
    }

    async fn delete(&mut self) {
        let there = self.one_of_them().map(|client| client.client_id);
        let id = if self.below(4) == 0 { None } else { there };
        let id = id.unwrap_or_else(|| self.new_client().client_id);
        let expected =
            if self.model.remove(&id).is_some() { Deleted::Forgotten } else { Deleted::NotThere };
        assert_eq!(
            self.store.remove_client(id, Action::ClientRemoved, "by_operator", by()).await.unwrap(),
            expected
        );
    }

    async fn import(&mut self) {
        let mut clients = Vec::new();
        for _ in 0..self.below(30) {
            let client = match (self.below(3), self.one_of_them()) {
                (0, Some(there)) => there,
                (1, Some(there)) => ClientRecord { metadata: "{}".to_owned(), ..there },
                _ => self.new_client(),
            };
            clients.push(client);
        }
        let expected: Vec<_> = clients.iter().map(|client| self.keep(client)).collect();
        assert_eq!(self.store.import_clients(clients).await.unwrap(), expected);
    }

    fn keep(&mut self, client: &ClientRecord) -> Imported {
        match self.model.get(&client.client_id) {
            Some(there) if there == client => Imported::AlreadyThere,
            Some(_) => Imported::Differs,
            None => {
                self.model.insert(client.client_id, client.clone());
                Imported::Kept
            }
        }
    }

    async fn list(&self) {
        let filter = ClientFilter {
            profile: (self.below(2) == 0).then_some(ProfileName::Datadog),
            flags: ClientFlags::from_bits(u32::try_from(self.below(4)).unwrap()),
            name_contains: (self.below(2) == 0).then(|| format!("N{}", self.below(10))),
            ..ClientFilter::default()
        };
        let after = if self.below(2) == 0 { None } else { self.one_of_them() };
        let after = after.map(|client| client.client_id);
        let limit = usize::try_from(1 + self.below(50)).unwrap();
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let expected: Vec<_> = self
            .model
            .range((begin, Bound::Unbounded))
            .map(|(_, client)| client)
            .filter(|client| passes(client, &filter))
            .take(limit)
            .cloned()
            .collect();

        assert_eq!(self.store.clients(&filter, after, limit).await.unwrap(), expected);
        assert_eq!(self.store.count_clients().await.unwrap(), self.model.len() as u64);
    }

    async fn read(&mut self) {
        let id = match self.one_of_them() {
            Some(there) if self.below(4) > 0 => there.client_id,
            _ => self.new_client().client_id,
        };
        assert_eq!(self.store.client(id).await.unwrap(), self.model.get(&id).cloned());
    }

    /// Another process writes to the same folder.
    async fn command(&mut self) {
        let command = store::open(&self.config, Access::Command).await.unwrap();
        let client = self.new_client();
        self.model.insert(client.client_id, client.clone());
        command.register_client(Arc::new(client), None).await.unwrap();
        if let Some(there) = self.one_of_them() {
            self.model.remove(&there.client_id);
            assert_eq!(
                command
                    .remove_client(there.client_id, Action::ClientRemoved, "by_operator", by())
                    .await
                    .unwrap(),
                Deleted::Forgotten
            );
        }
        command.close().await.unwrap();
    }

    async fn reopen(&mut self) {
        self.store.close().await.unwrap();
        self.store = store::open(&self.config, Access::Serve).await.unwrap();
    }
}

fn passes(client: &ClientRecord, filter: &ClientFilter) -> bool {
    let named =
        |text: &String| client.metadata.to_ascii_lowercase().contains(&text.to_ascii_lowercase());
    filter.profile.is_none_or(|profile| profile == client.profile)
        && client.flags.contains(filter.flags)
        && filter.name_contains.as_ref().is_none_or(named)
}
