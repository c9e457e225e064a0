//! Random walks over grants, sessions, imports, and sweeps, beside a model that keeps everything in two maps.
//! The model has its own statement of each rule: it does not call the code that the stores use.

use super::by;
use crate::audit::{Action, Author};
use std::{collections::BTreeMap, sync::Arc};

use super::{
    grants::{GRACE, Grants, NOW, purchase, rotation, shown, successor},
    sessions::session,
};
use crate::{
    entropy::Entropy,
    grant::{GrantId, RefreshToken},
    store::{
        Deleted, GrantFilter, GrantRecord, Redeemed, Rotated, SessionId, SessionRecord, Store,
        Swept,
    },
};

const STEPS: usize = 400;

/// How often the whole store is compared with the model.
const STEPS_BETWEEN_LOOKS: usize = 25;

/// A grant, and the tokens of its family from the first one on.
#[derive(Clone)]
struct Held {
    grant: GrantRecord,
    tokens: Vec<RefreshToken>,
    /// The position of the last valid token.
    current: usize,
    superseded_at: Option<u64>,
    /// The client was never registered and publishes no document.
    is_orphan: bool,
}

impl Held {
    /// What tells a later state of a grant from an earlier one.
    fn progress(&self) -> (bool, Option<u64>) {
        (self.grant.code.redeemed_at.is_some(), self.superseded_at)
    }
}

/// A store under test, the model of it, and what chose the steps so far.
struct Walk {
    store: Arc<Store>,
    entropy: Entropy,
    grants_made: Grants,
    /// Seconds since [`NOW`].
    now: u64,
    grants: BTreeMap<GrantId, Held>,
    sessions: BTreeMap<SessionId, SessionRecord>,
    /// Earlier states of grants and sessions, deleted ones too.
    old_grants: Vec<Held>,
    old_sessions: Vec<SessionRecord>,
    outcomes: BTreeMap<String, usize>,
}

pub(in crate::store) async fn random_walks_end_where_a_model_of_the_store_ends(store: Arc<Store>) {
    let mut outcomes = BTreeMap::new();
    for seed in 0..3 {
        let mut walk = Walk::new(Arc::clone(&store), seed);
        for step in 1..=STEPS {
            walk.step().await;
            if step % STEPS_BETWEEN_LOOKS == 0 {
                walk.compare().await;
            }
        }
        walk.clear().await;
        for (outcome, times) in walk.outcomes {
            *outcomes.entry(outcome).or_insert(0) += times;
        }
    }
    for outcome in [
        "Now",
        "Before",
        "Succeeded",
        "Repeated",
        "Refused",
        "Reused",
        "Forgotten",
        "NotThere",
        "imported",
        "swept",
    ] {
        assert!(outcomes.contains_key(outcome), "no walk came to {outcome}: {outcomes:?}");
    }
}

impl Walk {
    fn new(store: Arc<Store>, seed: u64) -> Self {
        Self {
            store,
            entropy: Entropy::seeded(seed),
            grants_made: Grants::seeded(100 + seed),
            now: 10,
            grants: BTreeMap::new(),
            sessions: BTreeMap::new(),
            old_grants: Vec::new(),
            old_sessions: Vec::new(),
            outcomes: BTreeMap::new(),
        }
    }

    /// A number below `end`.
    fn below(&self, end: usize) -> usize {
        usize::try_from(u64::from_be_bytes(self.entropy.bytes()) % end as u64).unwrap()
    }

    fn note(&mut self, outcome: &str) {
        *self.outcomes.entry(outcome.to_owned()).or_insert(0) += 1;
    }

    async fn step(&mut self) {
        match self.below(16) {
            0..=2 => self.keep_grant().await,
            3..=4 => self.redeem().await,
            5..=8 => self.rotate().await,
            9 => self.revoke().await,
            10 => self.import_grant().await,
            11 => self.keep_session().await,
            12 => self.use_session().await,
            13 => self.import_session().await,
            14 => self.sweep().await,
            _ => self.wait(),
        }
    }

    fn wait(&mut self) {
        self.now += match self.below(12) {
            0 => 31 * 24 * 3_600,
            1..=3 => GRACE + 1,
            _ => 5,
        };
    }

    /// A grant that was made in this walk, now deleted or not.
    fn any_grant(&self) -> Option<Held> {
        let old = self.old_grants.get(self.below(self.old_grants.len().max(1)))?;
        Some(self.grants.get(&old.grant.grant_id).unwrap_or(old).clone())
    }

    async fn keep_grant(&mut self) {
        let mut grant = self.grants_made.next();
        grant.expires_at = NOW.after_seconds(self.now + 60);
        let is_orphan = self.below(4) == 0;
        if !is_orphan {
            grant.client = "https://app.example/client.json".parse().unwrap();
        }
        let token = RefreshToken::generate(grant.grant_id, &self.entropy);
        let held = Held { grant, tokens: vec![token], current: 0, superseded_at: None, is_orphan };
        self.store.keep_grant(held.grant.clone()).await.unwrap();
        self.old_grants.push(held.clone());
        self.grants.insert(held.grant.grant_id, held);
    }

    async fn redeem(&mut self) {
        let Some(held) = self.any_grant() else { return };
        let bought = purchase(Some(&held.tokens[0]));
        let id = held.grant.grant_id;
        let expected = match self.grants.get_mut(&id) {
            None => Redeemed::NotThere,
            Some(held) if held.grant.code.redeemed_at.is_some() => Redeemed::Before,
            Some(held) => {
                held.grant.code.redeemed_at = Some(bought.at);
                held.grant.expires_at = bought.expires_at;
                held.grant.refresh.clone_from(&bought.refresh);
                Redeemed::Now
            }
        };
        assert_eq!(
            self.store.redeem_code(id, bought, by().event(Action::GrantRedeemed)).await.unwrap(),
            expected
        );
        self.note(&format!("{expected:?}"));
        self.old_grants.extend(self.grants.get(&id).cloned());
    }

    async fn rotate(&mut self) {
        let Some(held) = self.any_grant() else { return };
        let (id, age) = (held.grant.grant_id, [0, 0, 0, 1, 1, 2][self.below(6)]);
        let presented = held.current.saturating_sub(age);
        let token = held.tokens[presented].clone();
        let rotation = rotation(&token, self.now);
        let expected = self.rotated(id, presented);
        if expected == "Reused" {
            self.grants.remove(&id);
        }
        if expected == "Succeeded"
            && let Some(held) = self.grants.get_mut(&id)
            && let Some(refresh) = &mut held.grant.refresh
        {
            held.current += 1;
            held.superseded_at = Some(self.now);
            held.tokens.truncate(held.current);
            held.tokens.push(successor(&token));
            refresh.previous = Some((rotation.presented, rotation.at));
            refresh.current = rotation.successor;
            refresh.expires_at = rotation.expires_at;
            held.grant.refreshes += 1;
        }
        if expected == "Repeated"
            && let Some(held) = self.grants.get_mut(&id)
        {
            held.grant.graced += 1;
        }
        let outcome = match self.store.rotate_refresh_token(id, rotation, &by()).await.unwrap() {
            Rotated::Succeeded => "Succeeded",
            Rotated::Repeated => "Repeated",
            Rotated::Refused => "Refused",
            Rotated::Reused => "Reused",
        };
        assert_eq!(outcome, expected);
        self.note(outcome);
        self.old_grants.extend(self.grants.get(&id).cloned());
    }

    /// What becomes of presenting the token at a position of a family.
    fn rotated(&self, id: GrantId, presented: usize) -> &'static str {
        let Some(held) = self.grants.get(&id) else { return "Refused" };
        let Some(refresh) = &held.grant.refresh else { return "Refused" };
        let now = NOW.after_seconds(self.now);
        if held.grant.expires_at <= now || refresh.expires_at <= now {
            "Refused"
        } else if presented == held.current {
            "Succeeded"
        } else if presented + 1 == held.current
            && held.superseded_at.is_some_and(|at| at + GRACE >= self.now)
        {
            "Repeated"
        } else {
            "Reused"
        }
    }

    async fn revoke(&mut self) {
        let Some(held) = self.any_grant() else { return };
        let id = held.grant.grant_id;
        let expected = match self.grants.remove(&id) {
            Some(_) => Deleted::Forgotten,
            None => Deleted::NotThere,
        };
        assert_eq!(
            self.store.revoke_grant(id, Action::GrantRevoked, "by_operator", by()).await.unwrap(),
            expected
        );
        self.note(&format!("{expected:?}"));
    }

    /// Imports an earlier state of a grant, as a copy from another store does.
    async fn import_grant(&mut self) {
        let Some(old) = self.old_grants.get(self.below(self.old_grants.len().max(1))) else {
            return;
        };
        let old = old.clone();
        let there = self.grants.get(&old.grant.grant_id);
        let is_later = there.is_none_or(|there| old.progress() > there.progress());
        let imported = self.store.import_grants(vec![old.grant.clone()]).await.unwrap();
        assert_eq!(imported, usize::from(is_later));
        if is_later {
            self.grants.insert(old.grant.grant_id, old);
            self.note("imported");
        }
    }

    async fn keep_session(&mut self) {
        let mut new = session(&self.entropy);
        new.signed_in_at = NOW.after_seconds(self.now);
        new.idle_at = NOW.after_seconds(self.now + 60);
        new.expires_at = NOW.after_seconds(self.now + 600);
        self.store.begin_session(new.clone(), by()).await.unwrap();
        self.old_sessions.push(new.clone());
        self.sessions.insert(new.session_id, new);
    }

    async fn use_session(&mut self) {
        let Some(old) = self.old_sessions.get(self.below(self.old_sessions.len().max(1))) else {
            return;
        };
        let id = old.session_id;
        if self.below(3) == 0 {
            let expected = match self.sessions.remove(&id) {
                Some(_) => Deleted::Forgotten,
                None => Deleted::NotThere,
            };
            assert_eq!(self.store.end_session(id, by()).await.unwrap(), expected);
            return;
        }
        let idle_at = NOW.after_seconds(self.now + 90);
        self.store.prolong_session(id, idle_at).await.unwrap();
        if let Some(there) = self.sessions.get_mut(&id) {
            there.idle_at = idle_at;
            self.old_sessions.push(there.clone());
        }
    }

    async fn import_session(&mut self) {
        let Some(old) = self.old_sessions.get(self.below(self.old_sessions.len().max(1))) else {
            return;
        };
        let old = old.clone();
        let there = self.sessions.get(&old.session_id);
        let lives_longer = there.is_none_or(|there| old.idle_at > there.idle_at);
        let imported = self.store.import_sessions(vec![old.clone()]).await.unwrap();
        assert_eq!(imported, usize::from(lives_longer));
        if lives_longer {
            self.sessions.insert(old.session_id, old);
        }
    }

    async fn sweep(&mut self) {
        let now = NOW.after_seconds(self.now);
        let by = Author { at: now, ..by() };
        let before = self.grants.len() + self.sessions.len();
        self.grants.retain(|_, held| held.grant.is_live(now) && !held.is_orphan);
        self.sessions.retain(|_, one| one.expires_at > now && one.idle_at > now);
        let expected = before - self.grants.len() - self.sessions.len();
        let mut forgotten = 0;
        for kind in Swept::ALL {
            let mut after = None;
            loop {
                let page = self.store.sweep(kind, after, 7, &by).await.unwrap();
                forgotten += page.forgotten;
                after = page.after;
                if after.is_none() {
                    break;
                }
            }
        }
        assert_eq!(forgotten, expected);
        if forgotten > 0 {
            self.note("swept");
        }
    }

    /// Compares every record of the store with the model.
    async fn compare(&self) {
        let (mut grants, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.grants(&GrantFilter::default(), after, 11).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.grant_id);
            grants.extend(page.iter().map(shown));
        }
        let expected: Vec<_> = self.grants.values().map(|held| shown(&held.grant)).collect();
        assert_eq!(grants, expected);

        let sessions = self.store.sessions(None, None, 1_000).await.unwrap();
        let written = |session: &SessionRecord| format!("{session:?}");
        let expected: Vec<_> = self.sessions.values().map(written).collect();
        assert_eq!(sessions.iter().map(written).collect::<Vec<_>>(), expected);
    }

    /// Deletes everything, for the next walk.
    async fn clear(&mut self) {
        self.now += 1_000 * 24 * 3_600;
        self.sweep().await;
        self.compare().await;
        assert!(self.grants.is_empty() && self.sessions.is_empty());
    }
}
