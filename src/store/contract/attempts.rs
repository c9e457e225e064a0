//! The promises of counted attempts.

use std::sync::Arc;

use super::grants::NOW;
use crate::store::{ATTEMPTS_MAX, AttemptRecord, Store};

fn attempts(target: &str, network: &str, attempts: u64) -> AttemptRecord {
    AttemptRecord {
        reason: "registration.redirect_uri".to_owned(),
        target: target.to_owned(),
        network: network.to_owned(),
        attempts,
        first_at: NOW,
        last_at: NOW,
        request_id: "a".to_owned(),
    }
}

pub(in crate::store) async fn attempts_of_all_nodes_add_up(store: Arc<Store>) {
    let first = attempts("app.example", "192.0.2.0/24", 2);
    let later = AttemptRecord {
        first_at: NOW.after_seconds(5),
        last_at: NOW.after_seconds(9),
        request_id: "b".to_owned(),
        ..first.clone()
    };
    let other = AttemptRecord { reason: "of.a.later.release".to_owned(), ..first.clone() };
    // A batch may come late.
    store.note_attempts(vec![later.clone(), other.clone()]).await.unwrap();
    store.note_attempts(vec![first.clone()]).await.unwrap();

    let sum = AttemptRecord { attempts: 4, first_at: NOW, ..later };
    assert_eq!(store.attempts().await.unwrap(), [sum.clone(), other]);
    store.trim_attempts(Some(NOW.after_seconds(9))).await.unwrap();
    assert_eq!(store.attempts().await.unwrap(), [sum], "old rows go");
}

pub(in crate::store) async fn surplus_attempts_are_those_of_the_network_with_the_most(
    store: Arc<Store>,
) {
    let max = usize::try_from(ATTEMPTS_MAX).unwrap();
    let flood = (0..max).map(|nth| attempts(&format!("{nth:05}.example"), "203.0.113.0/24", 9));
    let flood: Vec<AttemptRecord> = flood.collect();
    let quiet: Vec<AttemptRecord> =
        (0..20).map(|nth| attempts("app.example", &format!("192.0.{nth}.0/24"), 1)).collect();
    store.note_attempts(quiet.clone()).await.unwrap();
    for batch in flood.chunks(500) {
        store.note_attempts(batch.to_vec()).await.unwrap();
    }
    let often = attempts("00000.example", "203.0.113.0/24", 1);
    store.note_attempts(vec![often]).await.unwrap();

    store.trim_attempts(None).await.unwrap();

    let kept = store.attempts().await.unwrap();
    assert_eq!(kept.len(), max);
    assert!(quiet.iter().all(|row| kept.contains(row)), "each other network keeps its row");
    let most = kept.iter().find(|row| row.target == "00000.example");
    assert_eq!(most.map(|row| row.attempts), Some(10), "the most frequent row of a network stays");
    store.trim_attempts(None).await.unwrap();
    assert_eq!(store.attempts().await.unwrap().len(), max);
}
