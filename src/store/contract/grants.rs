//! The promises of grants.

use super::{Records, by};
use crate::audit::{Action, Author};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::{
    client::{ClientId, Scope},
    clock::Timestamp,
    entropy::Entropy,
    grant::{CodeVerifier, GrantId, RefreshToken, ResourceIndicator},
    secret::SecretHash,
    store::{
        CodeRecord, ConsentRecord, Deleted, GrantFilter, GrantRecord, Purchase, Redeemed,
        RefreshRecord, Rotated, Rotation, Store,
    },
};

/// When everything begins here.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

/// How long a token that was superseded is graced, in seconds.
pub(super) const GRACE: u64 = 30;

/// Makes grants that differ.
pub(in crate::store) struct Grants(Entropy);

impl Grants {
    pub(in crate::store) fn new() -> Self {
        Self::seeded(9)
    }

    /// As [`Self::new`], from other chance.
    pub(in crate::store) fn seeded(seed: u64) -> Self {
        Self(Entropy::seeded(seed))
    }

    /// A grant whose code can be redeemed for a minute.
    pub(in crate::store) fn next(&self) -> GrantRecord {
        let verifier = CodeVerifier::generate(&self.0);
        GrantRecord {
            grant_id: GrantId::generate(NOW, &self.0),
            client: ClientId::generate(NOW, &self.0).into(),
            subject: "acme:7 \u{e9}".to_owned(),
            scope: Scope::parse("read write").unwrap(),
            resources: ["https://mcp.example/mcp", "urn:example:api"]
                .map(|text| ResourceIndicator::parse(text).unwrap())
                .to_vec(),
            issued_at: NOW,
            expires_at: NOW.after_seconds(60),
            code: CodeRecord {
                hash: SecretHash::of(verifier.as_str().as_bytes()),
                redirect_uri: "http://127.0.0.1:8123/cb?a=1".to_owned(),
                challenge: verifier.challenge(),
                expires_at: NOW.after_seconds(60),
                redeemed_at: None,
            },
            refreshes: 0,
            graced: 0,
            refresh: None,
            identity: Some(r#"{"email":"\u00e9@acme.example"}"#.to_owned()),
        }
    }

    /// So many of them, in the order of their identifiers.
    pub(in crate::store) fn take(&self, count: usize) -> Vec<GrantRecord> {
        let mut grants: Vec<_> = (0..count).map(|_| self.next()).collect();
        grants.sort_by_key(|grant| grant.grant_id);
        grants
    }

    /// A grant that is kept, and the refresh token that was bought with it.
    pub(in crate::store) async fn bought(&self, store: &Store) -> (GrantRecord, RefreshToken) {
        let grant = self.next();
        let token = RefreshToken::generate(grant.grant_id, &self.0);
        store.keep_grant(grant.clone()).await.unwrap();
        let redeemed = store
            .redeem_code(grant.grant_id, purchase(Some(&token)), by().event(Action::GrantRedeemed))
            .await
            .unwrap();
        assert_eq!(redeemed, Redeemed::Now);
        (grant, token)
    }
}

pub(in crate::store) fn purchase(token: Option<&RefreshToken>) -> Purchase {
    Purchase {
        at: NOW.after_seconds(1),
        expires_at: NOW.after_days(365),
        refresh: token.map(|token| RefreshRecord {
            family: token.family.hash(),
            current: token.secret.hash(),
            previous: None,
            expires_at: NOW.after_days(30),
        }),
    }
}

/// The token that follows `token`, which nobody else could tell.
pub(super) fn successor(token: &RefreshToken) -> RefreshToken {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"a key of this test");
    token.successor(&key)
}

pub(in crate::store) fn rotation(token: &RefreshToken, seconds: u64) -> Rotation {
    let at = NOW.after_seconds(seconds);
    Rotation {
        family: token.family.hash(),
        presented: token.secret.hash(),
        successor: successor(token).secret.hash(),
        at,
        expires_at: at.after_days(30),
        graced_from: at.before_seconds(GRACE),
    }
}

/// What goes with a grant.
pub(in crate::store) fn consent(grant: &GrantRecord) -> ConsentRecord {
    ConsentRecord {
        subject: grant.subject.clone(),
        client: grant.client.clone(),
        scope: grant.scope.clone(),
        redirect_uri: "https://app.example/cb".to_owned(),
        metadata_hash: [3; 32],
        allowed_at: NOW,
        expires_at: NOW.after_days(90),
    }
}

/// Everything of a grant that can be compared.
pub(super) fn shown(grant: &GrantRecord) -> String {
    format!("{grant:?}")
}

pub(in crate::store) async fn a_grant_is_read_back_as_it_was(store: Arc<Store>) {
    let grants = Grants::new();
    let mut other = grants.next();
    other.scope = None;
    other.resources = Vec::new();
    other.client = "https://app.example/client.json".parse().unwrap();
    let unknown = grants.next();
    for grant in [grants.next(), other] {
        store.keep_grant(grant.clone()).await.unwrap();
        let kept = store.grant(grant.grant_id).await.unwrap().unwrap();
        assert_eq!(shown(&kept), shown(&grant));
    }
    assert!(store.grant(unknown.grant_id).await.unwrap().is_none());
}

pub(in crate::store) async fn of_all_who_redeem_a_code_one_does(store: Arc<Store>) {
    let grant = Grants::new().next();
    store.keep_grant(grant.clone()).await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (store, id) = (Arc::clone(&store), grant.grant_id);
        calls.spawn(async move {
            store.redeem_code(id, purchase(None), by().event(Action::GrantRedeemed)).await.unwrap()
        });
    }

    let outcomes = calls.join_all().await;

    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Redeemed::Now).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Redeemed::Before).count(), 19);
    let kept = store.grant(grant.grant_id).await.unwrap().unwrap();
    assert_eq!(kept.code.redeemed_at, Some(NOW.after_seconds(1)));
    assert_eq!(kept.expires_at, NOW.after_days(365));
}

pub(in crate::store) async fn a_code_without_its_grant_buys_nothing(store: Arc<Store>) {
    let grant = Grants::new().next();
    let redeemed = store
        .redeem_code(grant.grant_id, purchase(None), by().event(Action::GrantRedeemed))
        .await
        .unwrap();
    assert_eq!(redeemed, Redeemed::NotThere);
}

pub(in crate::store) async fn of_fifty_who_present_one_token_all_get_one_successor(
    store: Arc<Store>,
) {
    let (grant, token) = Grants::new().bought(&store).await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (store, rotation) = (Arc::clone(&store), rotation(&token, 10));
        calls.spawn(async move {
            store.rotate_refresh_token(grant.grant_id, rotation, &by()).await.unwrap()
        });
    }

    let outcomes = calls.join_all().await;

    let count = |of| outcomes.iter().filter(|outcome| **outcome == of).count();
    let counts = (count(Rotated::Succeeded), count(Rotated::Repeated));
    assert_eq!(counts, (1, 49), "{outcomes:?}");
    let kept = store.grant(grant.grant_id).await.unwrap().unwrap().refresh.unwrap();
    assert!(kept.current.matches(&successor(&token).secret.hash()));
    let (previous, superseded_at) = kept.previous.unwrap();
    assert!(previous.matches(&token.secret.hash()));
    assert_eq!(superseded_at, NOW.after_seconds(10));
}

pub(in crate::store) async fn a_token_that_is_used_again_after_its_grace_ends_the_grant(
    store: Arc<Store>,
) {
    let (grant, token) = Grants::new().bought(&store).await;
    let id = grant.grant_id;
    let rotate = async |token: &RefreshToken, seconds| {
        store.rotate_refresh_token(id, rotation(token, seconds), &by()).await.unwrap()
    };
    assert_eq!(rotate(&token, 10).await, Rotated::Succeeded);
    assert_eq!(rotate(&token, 10 + GRACE).await, Rotated::Repeated);
    assert_eq!(rotate(&token, 11 + GRACE).await, Rotated::Reused);
    assert!(store.grant(id).await.unwrap().is_none());
    assert_eq!(rotate(&successor(&token), 12 + GRACE).await, Rotated::Refused);
}

pub(in crate::store) async fn a_token_of_another_family_changes_nothing(store: Arc<Store>) {
    let grants = Grants::new();
    let (grant, token) = grants.bought(&store).await;
    let made_up = RefreshToken::generate(grant.grant_id, &grants.0);
    let before = shown(&store.grant(grant.grant_id).await.unwrap().unwrap());

    let id = grant.grant_id;
    let refused = store.rotate_refresh_token(id, rotation(&made_up, 10), &by()).await.unwrap();
    assert_eq!(refused, Rotated::Refused);

    assert_eq!(shown(&store.grant(id).await.unwrap().unwrap()), before);
    let rotated = store.rotate_refresh_token(id, rotation(&token, 10), &by()).await.unwrap();
    assert_eq!(rotated, Rotated::Succeeded);
}

pub(in crate::store) async fn a_token_that_has_expired_is_refused_and_nothing_is_forgotten(
    store: Arc<Store>,
) {
    let (grant, token) = Grants::new().bought(&store).await;
    let late = rotation(&token, 30 * 24 * 60 * 60);

    let refused = store.rotate_refresh_token(grant.grant_id, late, &by()).await.unwrap();

    assert_eq!(refused, Rotated::Refused);
    assert!(store.grant(grant.grant_id).await.unwrap().is_some());
}

pub(in crate::store) async fn revocation_ends_a_grant_for_whoever_comes_with_it_or_later(
    store: Arc<Store>,
) {
    let (grant, token) = Grants::new().bought(&store).await;
    let id = grant.grant_id;
    let (first, second) = (rotation(&token, 10), rotation(&token, 10));
    let author = by();
    let (_, revoked, _) = tokio::join!(
        store.rotate_refresh_token(id, first, &author),
        store.revoke_grant(id, Action::GrantRevoked, "by_operator", author.clone()),
        store.rotate_refresh_token(id, second, &author),
    );

    assert_eq!(revoked.unwrap(), Deleted::Forgotten);
    assert!(store.grant(id).await.unwrap().is_none());
    let late =
        store.rotate_refresh_token(id, rotation(&successor(&token), 11), &by()).await.unwrap();
    assert_eq!(late, Rotated::Refused);
    assert_eq!(
        store.revoke_grant(id, Action::GrantRevoked, "by_operator", by()).await.unwrap(),
        Deleted::NotThere
    );
}

/// Thirty grants, one a second, every third to one client, by two resource owners in turn.
async fn thirty_kept(store: &Store) -> Vec<GrantRecord> {
    let grants = Grants::new();
    let client = grants.next().client;
    let all: Vec<GrantRecord> = (0..30)
        .map(|nth| GrantRecord {
            grant_id: GrantId::generate(NOW.after_seconds(nth), &grants.0),
            client: if nth % 3 == 0 { client.clone() } else { grants.next().client },
            subject: if nth % 2 == 0 { "acme:7".to_owned() } else { "acme:8 \u{e9}".to_owned() },
            ..grants.next()
        })
        .collect();
    for grant in all.iter().rev() {
        store.keep_grant(grant.clone()).await.unwrap();
    }
    all
}

pub(in crate::store) async fn the_grants_of_a_subject_are_listed_from_the_newest(
    store: Arc<Store>,
) {
    let all = thirty_kept(&store).await;
    for subject in ["acme:8 \u{e9}", "acme:%"] {
        let of_subject = all.iter().rev().filter(|grant| grant.subject == subject);
        let expected: Vec<_> = of_subject.map(shown).collect();
        let (mut listed, mut before) = (Vec::new(), None);
        loop {
            let page = store.newest_grants(subject, before, 4).await.unwrap();
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            before = Some(last.grant_id);
            listed.extend(page.iter().map(shown));
        }
        assert_eq!(listed, expected, "{subject}");
    }
}

pub(in crate::store) async fn a_grant_is_found_with_its_client_as_long_as_that_is_there(
    store: Arc<Store>,
) {
    let (grants, client) = (Grants::new(), Records::new().next());
    store.register_client(Arc::new(client.clone()), None).await.unwrap();
    let of_client = GrantRecord { client: client.client_id.into(), ..grants.next() };
    let of_none = grants.next();
    for grant in [&of_client, &of_none] {
        store.keep_grant(grant.clone()).await.unwrap();
    }
    let found = async |id| store.grant_of_client(id).await.unwrap();

    let whole = found(of_client.grant_id).await.unwrap();

    assert_eq!((shown(&whole.grant), whole.client), (shown(&of_client), Some(client)));
    assert_eq!(found(of_none.grant_id).await.unwrap().client, None);
    assert!(found(grants.next().grant_id).await.is_none());
}

pub(in crate::store) async fn grants_are_listed_in_their_order_by_client_and_by_subject(
    store: Arc<Store>,
) {
    let grants = Grants::new();
    let mut all = thirty_kept(&store).await;
    let client = all[0].client.clone();
    let (token, id) = (RefreshToken::generate(all[4].grant_id, &grants.0), all[4].grant_id);
    store.redeem_code(id, purchase(Some(&token)), by().event(Action::GrantRedeemed)).await.unwrap();
    all[4] = store.grant(id).await.unwrap().unwrap();

    for filter in [
        GrantFilter::default(),
        GrantFilter { client: Some(client.clone()), subject: None },
        GrantFilter { client: None, subject: Some("acme:8 \u{e9}".to_owned()) },
        GrantFilter { client: Some(client.clone()), subject: Some("acme:7".to_owned()) },
        GrantFilter { client: None, subject: Some("acme:%".to_owned()) },
    ] {
        let passes = |grant: &&GrantRecord| {
            filter.client.as_ref().is_none_or(|client| *client == grant.client)
                && filter.subject.as_ref().is_none_or(|subject| *subject == grant.subject)
        };
        let expected: Vec<_> = all.iter().filter(passes).map(shown).collect();
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store.grants(&filter, after, 4).await.unwrap();
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            after = Some(last.grant_id);
            listed.extend(page.iter().map(shown));
        }
        assert_eq!(listed, expected, "{filter:?}");
    }
}

pub(in crate::store) async fn a_consent_replaces_the_one_before_of_the_same_two(store: Arc<Store>) {
    let grant = Grants::new().next();
    let first = consent(&grant);
    let second = ConsentRecord { scope: None, allowed_at: NOW.after_days(1), ..first.clone() };
    let others = ConsentRecord { subject: "acme:8".to_owned(), ..first.clone() };
    for consent in [&first, &others, &second] {
        store.import_consents(vec![consent.clone()]).await.unwrap();
    }
    let find = async |subject: &str| store.consent(subject, &grant.client).await.unwrap();
    assert_eq!(find(&first.subject).await, Some(second));
    assert_eq!(find("acme:8").await, Some(others));
    assert_eq!(find("acme:9").await, None);
}

pub(in crate::store) async fn disconnecting_ends_the_consent_and_every_grant_of_one_subject_and_client(
    store: Arc<Store>,
) {
    let all = thirty_kept(&store).await;
    let (subject, client) = (&all[0].subject, &all[0].client);
    let of_another = all.iter().find(|grant| grant.client == *client && grant.subject != *subject);
    for grant in [&all[0], &all[2], of_another.unwrap()] {
        store.import_consents(vec![consent(grant)]).await.unwrap();
    }
    let at = NOW.after_seconds(40);

    store.disconnect(subject, client, Author { at, ..by() }).await.unwrap();

    let left = store.grants(&GrantFilter::default(), None, 100).await.unwrap();
    let is_ended = |grant: &&GrantRecord| grant.subject == *subject && grant.client == *client;
    let expected = all.iter().filter(|grant| !is_ended(grant)).map(shown);
    assert_eq!(left.iter().map(shown).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    for (grant, expires_at) in
        [(&all[0], at), (&all[2], NOW.after_days(90)), (of_another.unwrap(), NOW.after_days(90))]
    {
        let kept = store.consent(&grant.subject, &grant.client).await.unwrap().unwrap();
        assert_eq!(kept, ConsentRecord { expires_at, ..consent(grant) });
    }
}
