//! A disk that fills up: registrations are refused whole, readiness goes off, and both come back by
//! themselves when there is room again.

use crate::harness::by;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use doorward::audit::Action;
use doorward::{
    client::ClientId,
    clock::Timestamp,
    config::Config,
    entropy::Entropy,
    grant::{CodeChallenge, GrantId},
    secret::SecretHash,
    store::{self, Access, CodeRecord, Deleted, FamilySaid, GrantRecord, Store, StoreError},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{left_out::left_out, records::record};

const NOW: u64 = 1_764_000_000_000;

/// A small file system, unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None`, said loudly, where this user may not mount.
    fn mount() -> Option<Self> {
        Self::of("12m")
    }

    fn of(size: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(folder)),
            refused => {
                left_out(&format!(
                    "the tests of a full disk (they need the right to mount: {refused:?})"
                ));
                None
            }
        }
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Leaves no byte.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.path().join("filler")).unwrap();
        for size in [64 << 10, 4 << 10, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn clear(&self) {
        fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a failed test leaves the store open.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "cannot unmount {:?}", self.0);
    }
}

fn open(folder: &Path) -> Arc<Store> {
    store::open_folder(folder, &Config::default().embedded, Access::Serve).unwrap()
}

#[tokio::test]
async fn a_full_disk_refuses_registrations_and_readiness_until_there_is_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let entropy = Entropy::seeded(1);
    let store = open(&disk.folder());
    let before = record(NOW, &entropy);
    store.register_client(Arc::new(before.clone()), None).await.unwrap();
    store.ready().await.unwrap();

    disk.fill();
    let mut kept = 1;
    let mut attempts = 0;
    // The log may have room for a little more, and again when it was moved into the file meanwhile.
    let refusals = loop {
        match store.register_client(Arc::new(record(NOW + 1, &entropy)), None).await {
            Ok(()) => kept += 1,
            Err(refused) => {
                if let Err(not_ready) = store.ready().await {
                    break [refused, not_ready];
                }
            }
        }
        attempts += 1;
        assert!(attempts < 10_000, "the disk is full");
    };
    for refused in refusals {
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    }
    assert_eq!(store.client(before.client_id).await.unwrap().as_ref(), Some(&before));
    assert_eq!(store.count_clients().await.unwrap(), kept);

    disk.clear();
    store.ready().await.unwrap();
    let after = record(NOW + 2, &entropy);
    store.register_client(Arc::new(after.clone()), None).await.unwrap();
    store.close().await.unwrap();

    let store = open(&disk.folder());
    assert_eq!(store.client(after.client_id).await.unwrap(), Some(after));
    assert_eq!(store.count_clients().await.unwrap(), kept + 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_disk_that_fills_under_load_keeps_exactly_what_was_answered() {
    let Some(disk) = SmallDisk::mount() else { return };
    let entropy = Entropy::seeded(2);
    let store = open(&disk.folder());
    let mut calls = JoinSet::new();
    for caller in 0..32 {
        let (store, entropy) = (Arc::clone(&store), entropy.clone());
        calls.spawn(async move {
            let mut kept = Vec::new();
            for turn in 0.. {
                let client = record(NOW + caller * 100_000 + turn, &entropy);
                match store.register_client(Arc::new(client.clone()), None).await {
                    Ok(()) => kept.push(client),
                    Err(error) => {
                        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
                        return (kept, client);
                    }
                }
            }
            unreachable!("the disk is small")
        });
    }

    let answered = calls.join_all().await;
    store.close().await.unwrap();
    drop(store);

    // Opened elsewhere: a full disk has no room to begin a log on.
    let roomy = TempDir::new().unwrap();
    for entry in fs::read_dir(disk.folder()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), roomy.path().join(entry.file_name())).unwrap();
    }
    let report = store::embedded::check(roomy.path()).unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    let store = open(roomy.path());
    let mut kept = 0;
    for (clients, refused) in answered {
        kept += clients.len() as u64;
        for client in clients {
            assert_eq!(store.client(client.client_id).await.unwrap(), Some(client));
        }
        assert_eq!(store.client(refused.client_id).await.unwrap(), None);
    }
    assert!(kept > 100, "{kept}");
    assert_eq!(store.count_clients().await.unwrap(), kept);
    store.close().await.unwrap();
}

/// A grant that nobody has used.
fn grant(client: ClientId, entropy: &Entropy) -> GrantRecord {
    let at = Timestamp::from_millis(NOW);
    GrantRecord {
        grant_id: GrantId::generate(at, entropy),
        client: client.into(),
        subject: "local:developer".to_owned(),
        scope: None,
        resources: Vec::new(),
        issued_at: at,
        expires_at: at.after_days(1),
        code: CodeRecord {
            hash: SecretHash::of(b"a code"),
            redirect_uri: "https://app.example/cb".to_owned(),
            challenge: CodeChallenge::from_bytes([7; 32]),
            expires_at: at.after_seconds(60),
            redeemed_at: None,
        },
        refreshes: 0,
        graced: 0,
        refresh: None,
        identity: None,
    }
}

#[tokio::test]
async fn a_full_disk_takes_revocations_and_deletions_and_nothing_else() {
    // Its log alone takes six megabytes, if nothing moves it into the file before the disk is filled.
    let Some(disk) = SmallDisk::of("16m") else { return };
    let entropy = Entropy::seeded(4);
    let store = open(&disk.folder());
    let clients: Vec<_> = (0..150).map(|turn| record(NOW + turn, &entropy)).collect();
    let mut grants = Vec::new();
    for client in &clients {
        let family = Arc::new(FamilySaid::by(&serde_json::from_str(&client.metadata).unwrap()));
        store.register_client(Arc::new(client.clone()), Some(family)).await.unwrap();
        let grant = grant(client.client_id, &entropy);
        grants.push(grant.grant_id);
        store.keep_grant(grant).await.unwrap();
    }
    disk.fill();

    let reserve = disk.folder().join("doorward.reserve");
    for (client, grant) in clients.iter().zip(&grants) {
        // Strangers take what room there is, until there is none.
        for turn in 0.. {
            let is_released = fs::metadata(&reserve).unwrap().len() == 0;
            let stranger = Arc::new(record(NOW + 1_000 + turn, &entropy));
            let registered = store.register_client(stranger, None).await;
            assert!(!(is_released && registered.is_ok()), "they cannot take the reserve");
            if registered.is_err() {
                break;
            }
            assert!(turn < 10_000, "the disk is full");
        }
        assert_eq!(
            store.revoke_grant(*grant, Action::GrantRevoked, "by_operator", by()).await.unwrap(),
            Deleted::Forgotten
        );
        assert_eq!(
            store
                .remove_client(client.client_id, Action::ClientRemoved, "by_operator", by())
                .await
                .unwrap(),
            Deleted::Forgotten
        );
        assert!(store.grant(*grant).await.unwrap().is_none());
    }

    disk.clear();
    while store.ready().await.is_err() {
        tokio::task::yield_now().await;
    }
    let after = record(NOW + 100_000, &entropy);
    store.register_client(Arc::new(after.clone()), None).await.unwrap();
    store.close().await.unwrap();
    let store = open(&disk.folder());
    assert!(store.client(after.client_id).await.unwrap().is_some());
    for grant in &grants {
        assert!(store.grant(*grant).await.unwrap().is_none());
    }
    assert_eq!(fs::metadata(&reserve).unwrap().len(), 4 << 20, "it is taken again");
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_to_a_full_disk_leaves_nothing_there() {
    let Some(disk) = SmallDisk::of("4m") else { return };
    let entropy = Entropy::seeded(3);
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let clients = (0..40_000).map(|turn| record(NOW + turn, &entropy)).collect();
    store.import_clients(clients).await.unwrap();
    let to = disk.0.path().join("backup");

    let refused = store::embedded::backup(folder.path(), &to, &mut |_, _| {}).unwrap_err();

    assert!(
        refused.to_string().contains("cannot be written: database or disk is full"),
        "{refused}"
    );
    let left = fs::read_dir(disk.0.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    store.close().await.unwrap();
}
