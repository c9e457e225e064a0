//! The promises by which one store is brought into another; those of clients are in `clients.rs`.

use super::by;
use crate::audit::Action;
use std::sync::Arc;

use super::{
    grants::{Grants, NOW, consent, rotation, shown},
    sessions::{key, session},
};
use crate::{
    entropy::Entropy,
    secret::SecretHash,
    store::{
        ConsentRecord, GrantFilter, GrantRecord, KeyKept, KeyRecord, Rotated, SessionRecord, Store,
    },
};

pub(in crate::store) async fn grants_are_imported_and_shown_in_pages(store: Arc<Store>) {
    let mut wanted = Grants::new().take(7);
    wanted[1].scope = None;
    wanted[2].resources = Vec::new();
    wanted[3].client = "https://app.example/client.json".parse().unwrap();
    assert_eq!(store.import_grants(wanted.clone()).await.unwrap(), 7);
    assert_eq!(store.import_grants(wanted.clone()).await.unwrap(), 0);
    assert_eq!(store.import_grants(Vec::new()).await.unwrap(), 0);

    let mut found: Vec<GrantRecord> = Vec::new();
    loop {
        let after = found.last().map(|grant| grant.grant_id);
        let page = store.grants(&GrantFilter::default(), after, 3).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }

    let all = |grants: &[GrantRecord]| grants.iter().map(shown).collect::<Vec<_>>();
    assert_eq!(all(&found), all(&wanted));
}

pub(in crate::store) async fn an_imported_grant_goes_on_to_a_later_state_and_never_back(
    store: Arc<Store>,
) {
    let (given, token) = Grants::new().bought(&store).await;
    let id = given.grant_id;
    let find = async || store.grant(id).await.unwrap().unwrap();
    let redeemed = find().await;
    let rotated = store.rotate_refresh_token(id, rotation(&token, 10), &by()).await.unwrap();
    assert_eq!(rotated, Rotated::Succeeded);
    let last = find().await;
    store.revoke_grant(id, Action::GrantRevoked, "by_operator", by()).await.unwrap();

    for (state, changed, then) in [
        (&given, 1, &given),
        (&last, 1, &last),
        (&redeemed, 0, &last),
        (&given, 0, &last),
        (&last, 0, &last),
    ] {
        assert_eq!(store.import_grants(vec![state.clone()]).await.unwrap(), changed);
        assert_eq!(shown(&find().await), shown(then));
    }
    // A new grant that is kept likewise changes nothing either.
    store.keep_grant(given).await.unwrap();
    assert_eq!(shown(&find().await), shown(&last));
}

pub(in crate::store) async fn a_grant_is_not_taken_for_another_one_of_its_identifier(
    store: Arc<Store>,
) {
    let (grant, _) = Grants::new().bought(&store).await;
    let kept = shown(&store.grant(grant.grant_id).await.unwrap().unwrap());
    let mut another = grant;
    another.code.hash = SecretHash::of(b"of another code");
    another.code.redeemed_at = Some(NOW.after_days(1));

    assert_eq!(store.import_grants(vec![another.clone()]).await.unwrap(), 0);

    assert_eq!(shown(&store.grant(another.grant_id).await.unwrap().unwrap()), kept);
}

pub(in crate::store) async fn consents_are_imported_and_the_later_one_stays(store: Arc<Store>) {
    let first = consent(&Grants::new().next());
    let of = |subject: &str| ConsentRecord { subject: subject.to_owned(), ..first.clone() };
    let mut wanted = vec![of("a"), of("b"), of("c")];
    wanted[1].scope = None;
    wanted[2].client = "https://app.example/client.json".parse().unwrap();
    assert_eq!(store.import_consents(wanted.clone()).await.unwrap(), 3);

    let later = ConsentRecord { allowed_at: NOW.after_days(1), scope: None, ..wanted[0].clone() };
    assert_eq!(store.import_consents(vec![later.clone()]).await.unwrap(), 1);
    assert_eq!(store.import_consents(wanted.clone()).await.unwrap(), 0);
    wanted[0] = later;

    let key = |one: &ConsentRecord| ConsentRecord::key(&one.subject, &one.client);
    wanted.sort_by_key(key);
    let page = store.consents(None, 2).await.unwrap();
    assert_eq!(page, wanted[..2]);
    assert_eq!(store.consents(Some(key(&page[1])), 2).await.unwrap(), wanted[2..]);
    assert_eq!(store.consents(Some(key(&wanted[2])), 2).await.unwrap(), []);
}

pub(in crate::store) async fn sessions_are_imported_and_live_as_long_as_either(store: Arc<Store>) {
    let entropy = Entropy::seeded(3);
    let mut wanted: Vec<_> = (0..3).map(|_| session(&entropy)).collect();
    wanted[1].owner.name = None;
    wanted[1].owner.email = Some("ada@example.com".to_owned());
    assert_eq!(store.import_sessions(wanted.clone()).await.unwrap(), 3);

    let idle_at = NOW.after_seconds(90);
    let used = SessionRecord { idle_at, ..wanted[0].clone() };
    let stolen = SessionRecord { hash: SecretHash::of(b"another"), idle_at, ..wanted[1].clone() };
    assert_eq!(store.import_sessions(vec![used.clone(), stolen]).await.unwrap(), 1);
    assert_eq!(store.import_sessions(wanted.clone()).await.unwrap(), 0);
    wanted[0] = used;

    wanted.sort_by_key(|session| session.session_id);
    let mut found = store.sessions(None, None, 2).await.unwrap();
    found.extend(store.sessions(None, Some(wanted[1].session_id), 2).await.unwrap());
    assert_eq!(format!("{found:?}"), format!("{wanted:?}"));
    assert!(store.sessions(None, Some(wanted[2].session_id), 2).await.unwrap().is_empty());
}

pub(in crate::store) async fn imported_keys_stand_beside_those_that_are_there_and_are_followed(
    store: Arc<Store>,
) {
    let made = |key_id: &str, days| KeyRecord { made_at: NOW.after_days(days), ..key(key_id) };
    let own = made("own", 2);
    assert_eq!(store.keep_key(own.clone(), None, by()).await.unwrap(), KeyKept::Kept);
    let changed = KeyRecord { sealed: vec![9], ..own.clone() };
    let imported = [made("first", 0), made("second", 1), made("third", 3)];

    assert_eq!(store.import_keys([&imported[..], &[changed]].concat()).await.unwrap(), 3);
    assert_eq!(store.import_keys(imported.to_vec()).await.unwrap(), 0);

    let [first, second, third] = imported;
    let next = made("next", 4);
    for (newest, outcome) in [("own", KeyKept::TooLate), ("third", KeyKept::Kept)] {
        let kept = store.keep_key(next.clone(), Some(newest.to_owned()), by()).await.unwrap();
        assert_eq!(kept, outcome);
    }
    assert_eq!(store.keys().await.unwrap(), [first, second, own, third, next]);
}
