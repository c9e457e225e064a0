//! Damaged files: what a check finds, and what becomes of a store whose file is restored.

use super::*;
use crate::store::contract::grants::{Grants, consent};

#[tokio::test]
async fn a_backup_of_a_damaged_store_is_not_kept() {
    let folder = closed_store(2_000).await;
    damage(folder.path());
    let to = folder.path().join("backup");

    let refused = backup(folder.path(), &to, &mut |_, _| {}).unwrap_err();

    assert!(matches!(refused, BackupError::Copy { .. } | BackupError::Unsound { .. }), "{refused}");
    assert!(!to.exists() && !folder.path().join("backup.partial").exists());
}

/// Overwrites a page in the middle of the tree.
fn damage(folder: &Path) {
    let file = folder.join("doorward.sqlite3");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(&file, bytes).unwrap();
}

#[tokio::test]
async fn a_check_of_a_sound_store_finds_no_fault() {
    let (store, folder) = empty_store();
    store.import_clients(Records::new().take(100)).await.unwrap();

    let report = check(folder.path()).unwrap();

    assert_eq!((report.clients, report.version), (100, 10));
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(report.advice(), None);
    assert!(report.database_bytes + report.log_bytes > 4096);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_check_names_damage_and_records_that_do_not_load() {
    let folder = closed_store(2_000).await;
    let connection = Connection::open(folder.path().join("doorward.sqlite3")).unwrap();
    connection
        .execute_batch(
            "UPDATE clients SET profile = 'unheard-of'
                WHERE client_id = (SELECT min(client_id) FROM clients);
             UPDATE clients SET metadata = '[]'
                WHERE client_id = (SELECT max(client_id) FROM clients);",
        )
        .unwrap();
    drop(connection);

    let report = check(folder.path()).unwrap();
    assert_eq!(report.clients, 2_000);
    assert_eq!(report.faults.len(), 2, "{:?}", report.faults);
    assert!(report.faults[0].contains("unheard-of"), "{:?}", report.faults);
    assert!(report.faults[1].contains("no JSON object"), "{:?}", report.faults);

    damage(folder.path());
    let report = check(folder.path()).unwrap();
    let is_damage = |fault: &String| fault.contains("in database main");
    assert!(report.faults.iter().any(is_damage), "{:?}", report.faults);
    assert!(report.advice().unwrap().contains("backup"));
}

#[tokio::test]
async fn a_store_recovers_by_itself_when_its_file_is_mended() {
    let folder = closed_store(2_000).await;
    let file = folder.path().join("doorward.sqlite3");
    let sound = fs::read(&file).unwrap();
    damage(folder.path());
    let store = open(folder.path(), Access::Serve).unwrap();
    let clients = Records::new().take(2_000);
    let mut hidden = Vec::new();
    for client in &clients {
        match store.client(client.client_id).await {
            Ok(there) => assert_eq!(there.as_ref(), Some(client)),
            Err(StoreError::Corrupt { .. }) => hidden.push(client.client_id),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(!hidden.is_empty() && hidden.len() < clients.len(), "{}", hidden.len());
    let refused = store.remove_client(hidden[0], REMOVED, "", by()).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");

    fs::OpenOptions::new().write(true).open(&file).unwrap().write_all(&sound).unwrap();

    assert!(store.client(hidden[0]).await.unwrap().is_some());
    assert_eq!(
        store.remove_client(hidden[0], REMOVED, "", by()).await.unwrap(),
        Deleted::Forgotten
    );
    store.ready().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(check(folder.path()).unwrap().faults, Vec::<String>::new());
}

#[tokio::test]
async fn a_change_that_fails_in_the_middle_leaves_nothing_behind() {
    let (store, folder) = empty_store();
    let (grants, allowed) = (Grants::new(), Grants::new().next());
    let grant = grants.next();
    store.keep_grant(grant.clone()).await.unwrap();
    store.import_consents(vec![consent(&allowed)]).await.unwrap();
    let before = store.consent(&grant.subject, &allowed.client).await.unwrap();
    let other = Connection::open(folder.path().join("doorward.sqlite3")).unwrap();
    let client = allowed.client.to_string();
    let damaged = "UPDATE grants SET resources = 'no URI', client = ?1";
    assert_eq!(other.execute(damaged, [&client]).unwrap(), 1);

    let refused = store.disconnect(&grant.subject, &allowed.client, by()).await;

    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert!(before.is_some());
    assert_eq!(store.consent(&grant.subject, &allowed.client).await.unwrap(), before);
    store.close().await.unwrap();
}
