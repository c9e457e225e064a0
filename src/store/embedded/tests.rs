//! What is promised of the embedded store beyond the contract of every store.

mod damage;

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::{
    runtime::Handle,
    task::{self, JoinSet},
};

use super::{Access, BackupError, OpenError, backup, check, connection::PAGE_BYTES};
use crate::{
    config::{Config, EmbeddedConfig},
    store::{
        ClientFilter, Deleted, Store, StoreError,
        contract::{Records, arrivals, by, store_contract},
        open_folder,
    },
};

const REMOVED: crate::audit::Action = crate::audit::Action::ClientRemoved;

fn settings() -> EmbeddedConfig {
    Config::default().embedded
}

fn open(folder: &Path, access: Access) -> Result<Arc<Store>, OpenError> {
    open_folder(folder, &settings(), access)
}

fn refusal(folder: &Path, access: Access) -> String {
    let line = open(folder, access).err().expect("the store is refused").to_string();
    assert!(!line.contains('\n'), "one line: {line:?}");
    line
}

fn empty_store() -> (Arc<Store>, TempDir) {
    let folder = TempDir::new().unwrap();
    (open(folder.path(), Access::Serve).unwrap(), folder)
}

/// A folder with a closed store of `count` clients.
async fn closed_store(count: usize) -> TempDir {
    let (store, folder) = empty_store();
    store.import_clients(Records::new().take(count)).await.unwrap();
    store.close().await.unwrap();
    folder
}

mod contract {
    use std::future::{self, Ready};

    use super::{Arc, Store, TempDir};

    fn opened() -> Ready<Option<(Arc<Store>, TempDir)>> {
        future::ready(Some(super::empty_store()))
    }

    super::store_contract!(opened);
}

#[tokio::test]
async fn a_closed_store_is_one_file_and_holds_everything_when_opened_again() {
    let (store, folder) = empty_store();
    let clients = Records::new().take(500);
    for client in &clients {
        store.register_client(Arc::new(client.clone()), None).await.unwrap();
    }
    store.close().await.unwrap();
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["doorward.lock", "doorward.reserve", "doorward.sqlite3"]);

    let store = open(folder.path(), Access::Serve).unwrap();

    assert_eq!(store.clients(&ClientFilter::default(), None, 1_000).await.unwrap(), clients);
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_was_registered_is_in_the_log_when_nothing_is_closed() {
    let (store, folder) = empty_store();
    let clients = Records::new().take(20);
    for client in &clients {
        store.register_client(Arc::new(client.clone()), None).await.unwrap();
    }
    // The files as a crash would leave them: copied while the store is open.
    let left = TempDir::new().unwrap();
    for name in ["doorward.sqlite3-wal", "doorward.sqlite3"] {
        fs::copy(folder.path().join(name), left.path().join(name)).unwrap();
    }

    let store = open(left.path(), Access::Serve).unwrap();

    assert_eq!(store.clients(&ClientFilter::default(), None, 1_000).await.unwrap(), clients);
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_data_folder_is_made_for_its_owner_alone() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("a/b");

    open(&folder, Access::Serve).unwrap().close().await.unwrap();

    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_second_server_is_refused_until_the_first_has_closed() {
    let (store, folder) = empty_store();

    let line = refusal(folder.path(), Access::Serve);
    assert!(line.starts_with("another server uses the data folder"), "{line}");

    store.close().await.unwrap();
    open(folder.path(), Access::Serve).unwrap().close().await.unwrap();
}

#[tokio::test]
async fn only_a_server_or_an_import_makes_a_store() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("data");

    for access in [Access::Read, Access::Command] {
        let line = refusal(&folder, access);
        assert!(line.contains("holds no store"), "{line}");
        assert!(!folder.exists());
    }
    open(&folder, Access::Import).unwrap().close().await.unwrap();
    open(&folder, Access::Read).unwrap();
}

/// Every kind of access is refused with a line that holds `words`, and the file stays as it is.
fn assert_refused_untouched(folder: &Path, words: &str) {
    let file = folder.join("doorward.sqlite3");
    let before = fs::read(&file).unwrap();
    for access in [Access::Serve, Access::Import, Access::Command, Access::Read] {
        let line = refusal(folder, access);
        assert!(line.contains(words), "{line}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_store_of_a_later_release_is_refused_and_left_as_it_is() {
    let folder = closed_store(1).await;
    let file = folder.path().join("doorward.sqlite3");
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert_refused_untouched(folder.path(), "version 99");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("doorward.sqlite3");
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert_refused_untouched(folder.path(), "is not a store of Doorward");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("doorward.sqlite3");
    fs::write(&file, "clients, one a line\n".repeat(1_000)).unwrap();
    assert_refused_untouched(folder.path(), "is not a store of Doorward");
}

#[tokio::test]
async fn a_truncated_database_is_refused() {
    let folder = closed_store(1_000).await;
    let file = folder.path().join("doorward.sqlite3");
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(3 * 4096).unwrap();

    for access in [Access::Serve, Access::Command, Access::Read] {
        let line = refusal(folder.path(), access);
        assert!(line.contains("is damaged") && line.contains("backup"), "{line}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_refused_with_its_name() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("file/data");
    fs::write(parent.path().join("file"), "").unwrap();

    for access in [Access::Serve, Access::Import, Access::Command, Access::Read] {
        let line = refusal(&folder, access);
        assert!(line.contains(&*folder.to_string_lossy()), "{line}");
    }
}

#[tokio::test]
async fn a_store_opened_for_reading_refuses_changes() {
    let folder = closed_store(3).await;
    let store = open(folder.path(), Access::Read).unwrap();

    assert_eq!(store.count_clients().await.unwrap(), 3);
    let refused = store.register_client(Arc::new(Records::new().next()), None).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_reads_and_writes_while_a_server_writes_without_a_pause() {
    let (server, folder) = empty_store();
    let mut records = Records::new();
    let (theirs, ours) = (records.take(100), records.take(4_000));
    let mut calls = JoinSet::new();
    for part in ours.chunks(250).map(<[_]>::to_vec) {
        let server = Arc::clone(&server);
        calls.spawn(async move {
            for client in part {
                server.register_client(Arc::new(client), None).await.unwrap();
            }
        });
    }

    let command = open(folder.path(), Access::Command).unwrap();
    for client in &theirs {
        command.register_client(Arc::new(client.clone()), None).await.unwrap();
    }
    command.remove_client(theirs[0].client_id, REMOVED, "", by()).await.unwrap();
    command.close().await.unwrap();
    let reading = open(folder.path(), Access::Read).unwrap();
    assert_eq!(reading.client(theirs[0].client_id).await.unwrap(), None);
    assert_eq!(reading.client(theirs[99].client_id).await.unwrap().as_ref(), theirs.last());
    reading.close().await.unwrap();
    calls.join_all().await;

    assert_eq!(server.count_clients().await.unwrap(), 4_099);
    server.close().await.unwrap();
}

/// Holds the write lock of the database as a command would, until it is dropped.
fn other_writer(folder: &Path) -> Connection {
    let other = Connection::open(folder.join("doorward.sqlite3")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once_and_stores_nothing_of_what_it_refused() {
    let folder = TempDir::new().unwrap();
    let settings = EmbeddedConfig { queue_max: 4, ..settings() };
    let store = open_folder(folder.path(), &settings, Access::Serve).unwrap();
    let other = other_writer(folder.path());
    let clients = Records::new().take(2_000);
    let mut calls = JoinSet::new();
    for client in clients {
        let store = Arc::clone(&store);
        calls.spawn(async move {
            let id = client.client_id;
            (id, store.register_client(Arc::new(client), None).await)
        });
    }
    // Whoever is answered while the writer waits was refused.
    let (id, refused) = calls.join_next().await.unwrap().unwrap();
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(store.client(id).await.unwrap().is_none());

    let (mut kept, mut busy) = (0, 0);
    for (id, answer) in calls.join_all().await {
        let there = store.client(id).await.unwrap().is_some();
        match answer {
            Ok(()) => kept += 1,
            Err(StoreError::Busy) => busy += 1,
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(there, answer.is_ok());
    }
    assert!(kept >= 4 && busy > 0, "{kept} kept, {busy} refused");
    store.close().await.unwrap();
}

#[tokio::test]
async fn callers_who_wait_together_share_a_commit() {
    let (store, folder) = empty_store();
    let other = other_writer(folder.path());
    let mut calls = JoinSet::new();
    for client in Records::new().take(200) {
        let store = Arc::clone(&store);
        calls.spawn(async move { store.register_client(Arc::new(client), None).await });
    }
    task::yield_now().await;
    other.execute_batch("ROLLBACK").unwrap();
    calls.join_all().await.into_iter().for_each(|answer| answer.unwrap());

    // A commit of its own writes two pages or more for each; together they fill about ten.
    let pages: i64 =
        other.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get("log")).unwrap();
    assert!(pages < 100, "{pages}");
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_room_of_what_was_deleted_is_used_again() {
    let mut records = Records::new();
    let folder = TempDir::new().unwrap();
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let store = open(folder.path(), Access::Serve).unwrap();
        let clients = records.take(2_000);
        store.import_clients(clients.clone()).await.unwrap();
        let mut deletions = JoinSet::new();
        for client in clients {
            let store = Arc::clone(&store);
            deletions.spawn(async move {
                store.remove_client(client.client_id, REMOVED, "", by()).await.unwrap()
            });
        }
        assert_eq!(deletions.join_all().await, [Deleted::Forgotten; 2_000]);
        store.close().await.unwrap();
        sizes.push(fs::metadata(folder.path().join("doorward.sqlite3")).unwrap().len());
    }
    // What stays of each client is the event of its removal, in indexes whose pages split by chance.
    let page = u64::from(PAGE_BYTES);
    let (first, second) = (sizes[1] - sizes[0], sizes[2] - sizes[1]);
    assert!(sizes[0] > 20 * page && second <= first + 20 * page, "{sizes:?}");
}

#[tokio::test]
async fn a_client_whose_caller_has_left_is_not_kept() {
    let (store, folder) = empty_store();
    let other = other_writer(folder.path());
    let mut records = Records::new();
    let (first, left, stays) = (records.next(), records.next(), records.next());
    let mut calls = JoinSet::new();
    // The first keeps the writer waiting for its transaction while the second goes.
    for client in [first, stays] {
        let store = Arc::clone(&store);
        calls.spawn(async move { store.register_client(Arc::new(client), None).await });
    }
    task::yield_now().await;
    let id = left.client_id;
    let gone =
        tokio::time::timeout(Duration::ZERO, store.register_client(Arc::new(left), None)).await;
    assert!(gone.is_err());
    other.execute_batch("ROLLBACK").unwrap();
    calls.join_all().await.into_iter().for_each(|answer| answer.unwrap());

    assert_eq!(store.client(id).await.unwrap(), None);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_under_constant_writing_is_a_whole_store() {
    let (store, folder) = empty_store();
    let mut records = Records::new();
    let before = records.take(5_000);
    store.import_clients(before.clone()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (writing, stopped) = (Arc::clone(&store), Arc::clone(&stop));
    let writing = task::spawn_blocking(move || {
        let mut written = 0;
        while !stopped.load(Ordering::Relaxed) {
            let client = Arc::new(records.next());
            Handle::current().block_on(writing.register_client(client, None)).unwrap();
            written += 1;
        }
        written
    });
    let (from, to) = (folder.path().to_owned(), folder.path().join("backup"));
    let target = to.clone();
    let (report, seen) = task::spawn_blocking(move || {
        let mut seen = Vec::new();
        let report = backup(&from, &target, &mut |done, total| seen.push((done, total))).unwrap();
        (report, seen)
    })
    .await
    .unwrap();
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 0);
    store.close().await.unwrap();

    let (done, total) = *seen.last().unwrap();
    assert_eq!(done, total);
    assert_eq!(total * u64::from(PAGE_BYTES), report.bytes);
    assert!(report.clients >= 5_000);
    assert_eq!(report.bytes, fs::metadata(&to).unwrap().len());
    let restored = TempDir::new().unwrap();
    fs::copy(&to, restored.path().join("doorward.sqlite3")).unwrap();
    let store = open(restored.path(), Access::Serve).unwrap();
    let kept = store.clients(&ClientFilter::default(), None, 5_000).await.unwrap();
    assert_eq!(kept, before);
    assert_eq!(store.count_clients().await.unwrap(), report.clients);
    store.ready().await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_never_replaces_a_file() {
    let folder = closed_store(3).await;
    let to = folder.path().join("backup");
    fs::write(&to, "precious").unwrap();

    let refused = backup(folder.path(), &to, &mut |_, _| {}).unwrap_err();

    assert!(matches!(refused, BackupError::Exists { .. }), "{refused}");
    assert_eq!(fs::read(&to).unwrap(), b"precious");
    assert!(!folder.path().join("backup.partial").exists());
}

#[tokio::test]
async fn counting_goes_on_beside_rows_that_cannot_be_read() {
    let (store, folder) = empty_store();
    let other = Connection::open(folder.path().join("doorward.sqlite3")).unwrap();
    let run = async |sql: &str| other.execute_batch(sql).unwrap();
    arrivals::counting_goes_on_beside_rows_that_cannot_be_read(&store, run).await;
    store.close().await.unwrap();
}
