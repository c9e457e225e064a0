//! When clients expire, and how the sweep of clients and events finds what has.

use std::{fmt, str::FromStr};

use super::{
    ClientRecord, DocumentClientRecord, GrantRecord, MarkRecord, Standing, Store, StoreError,
    change, changes,
    column::{Value, first_after},
    parts::{ClientAge, EventKey},
    statements::{clients, events, grants, marks},
};
use crate::{
    audit::{Author, EventId, words},
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
};

/// How long a client stays dormant before it is removed, in days.
const DORMANT_DAYS: u64 = 90;

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// When clients expire. 0 days means never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Days after which a client that was never authorized is removed.
    pub unused_days: u64,
    /// Days after which an unused client becomes dormant.
    pub idle_days: u64,
    /// No time before this moment counts: earlier releases have not recorded uses.
    pub counts_from: Timestamp,
}

/// What decides when a client expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it was registered, or when a person first allowed it.
    pub began_at: Timestamp,
    /// When it was last used; `None` if it was never authorized.
    pub used_at: Option<Timestamp>,
    /// Its standing.
    pub standing: Standing,
    /// When its standing last changed.
    pub standing_at: Option<Timestamp>,
    /// Whether an operator made it, or an initial access token vouches for it.
    pub is_vouched: bool,
    /// When the rule that let it in has it removed, whatever its use.
    pub expires_at: Option<Timestamp>,
}

/// What a client is due for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It becomes dormant.
    Dormant,
    /// It is removed.
    Removal(Lapse),
}

words! {
    /// Why a client is removed.
    pub enum Lapse {
        /// It was never authorized.
        Unused = "unused",
        /// It was not used for a long time.
        Idle = "idle",
        /// The time is over that an admission rule gave it.
        Over = "expired",
    }
}

impl Expiry {
    /// Whether any client can expire.
    pub const fn is_on(&self) -> bool {
        self.unused_days > 0 || self.idle_days > 0
    }

    /// What a client is due for by `now`. The time that a rule gave it ends whatever else; otherwise an operator decides
    /// about pending and suspended clients, and a live grant keeps every client.
    pub fn due(&self, life: &Life, has_live_grant: bool, now: Timestamp) -> Option<Due> {
        if life.is_over(now) {
            return Some(Due::Removal(Lapse::Over));
        }
        if has_live_grant || life.is_vouched {
            return None;
        }
        let (days, due) = match (life.standing, life.used_at) {
            (Standing::Pending | Standing::Suspended, _) => return None,
            (Standing::Active, None) => (self.unused_days, Due::Removal(Lapse::Unused)),
            (Standing::Active, Some(_)) => (self.idle_days, Due::Dormant),
            (Standing::Dormant, _) if self.idle_days == 0 => return None,
            (Standing::Dormant, _) => (DORMANT_DAYS, Due::Removal(Lapse::Idle)),
        };
        let last_sign = self.last_sign(life);
        let counts_from = life.standing_at.map_or(last_sign, |at| at.max(last_sign));
        (days > 0 && counts_from.after_days(days) <= now).then_some(due)
    }

    /// For how many whole days a client has not been used, as far as uses are recorded.
    pub(super) fn unused_days(&self, life: &Life, now: Timestamp) -> u64 {
        now.as_millis().saturating_sub(self.last_sign(life).as_millis()) / DAY_MILLIS
    }

    fn last_sign(&self, life: &Life) -> Timestamp {
        let last_sign = life.used_at.map_or(life.began_at, |at| at.max(life.began_at));
        last_sign.max(self.counts_from)
    }
}

impl Life {
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

impl From<&ClientAge> for Life {
    fn from(client: &ClientAge) -> Self {
        let ClientAge { issued_at, standing, standing_at, used_at, .. } = client;
        Self {
            began_at: *issued_at,
            used_at: *used_at,
            standing: *standing,
            standing_at: *standing_at,
            is_vouched: client.registered_by.is_some(),
            expires_at: client.expires_at,
        }
    }
}

impl From<&ClientRecord> for Life {
    fn from(client: &ClientRecord) -> Self {
        let state = &client.state;
        Self {
            began_at: client.issued_at,
            used_at: state.used_at,
            standing: state.standing,
            standing_at: state.standing_at,
            is_vouched: client.registration.registered_by.is_some(),
            expires_at: state.terms.expires_at,
        }
    }
}

/// A person has allowed such a client, or has asked to.
impl From<&DocumentClientRecord> for Life {
    fn from(client: &DocumentClientRecord) -> Self {
        let state = &client.state;
        Self {
            began_at: client.first_allowed_at,
            used_at: state.used_at.max(Some(client.allowed_at)),
            standing: state.standing,
            standing_at: state.standing_at,
            is_vouched: false,
            expires_at: state.terms.expires_at,
        }
    }
}

/// How far a walk over all clients has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Among registered clients, behind this one.
    Registered(Option<ClientId>),
    /// Among clients with a document, behind the one with this URL.
    Documents(Option<String>),
}

impl Walk {
    /// Before every client.
    pub const START: Self = Self::Registered(None);
}

/// A page of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuePage {
    /// The clients that are due.
    pub due: Vec<(ClientIdentifier, Due)>,
    /// Where to go on; `None` at the end.
    pub next: Option<Walk>,
}

/// What became of clients that were due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many are dormant now.
    pub dormant: usize,
    /// How many were removed.
    pub removed: usize,
}

words! {
    /// A moment that the store remembers.
    pub enum Mark {
        /// When clients first could expire in this store. No time before it counts.
        ExpiryBegan = "expiry.began",
        /// When clients were last imported. No time before it counts.
        ClientsImported = "clients.imported",
        /// When a node last began to look for expired clients.
        ExpiryClaimed = "expiry.claimed",
        /// When a node last came to the end.
        ExpiryEnded = "expiry.ended",
    }
}

impl Store {
    /// Looks for clients that are due by `now` among the next `limit` of a walk. [`Self::expire_clients`] decides.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_clients(
        &self,
        expiry: &Expiry,
        now: Timestamp,
        walk: Walk,
        limit: usize,
    ) -> Result<DuePage, StoreError> {
        let (lives, next) = match walk {
            Walk::Registered(after) => {
                let Some(first) = first_after(after) else {
                    return Ok(DuePage { due: Vec::new(), next: Some(Walk::Documents(None)) });
                };
                let parameters = vec![Value::Id(first), Value::limit(limit)];
                let page: Vec<ClientAge> = self.select(&clients::SELECT_AGES, parameters).await?;
                let next = page.last().filter(|_| page.len() == limit).map(|last| last.client_id);
                let next = next.map_or(Walk::Documents(None), |id| Walk::Registered(Some(id)));
                let lives: Vec<(ClientIdentifier, Life)> =
                    page.iter().map(|client| (client.client_id.into(), client.into())).collect();
                (lives, Some(next))
            }
            Walk::Documents(after) => {
                let page = self.document_clients(after.as_deref(), limit).await?;
                let next = page.last().filter(|_| page.len() == limit).map(|last| last.url.clone());
                let lives = page
                    .iter()
                    .filter_map(|client| Some((client.url.parse().ok()?, Life::from(client))));
                (lives.collect(), next.map(|url| Walk::Documents(Some(url))))
            }
        };
        let mut due = Vec::new();
        for (client, life) in lives {
            let Some(what) = expiry.due(&life, false, now) else { continue };
            if life.is_over(now)
                || life.used_at.is_none()
                || !self.has_live_grant(&client, now).await?
            {
                due.push((client, what));
            }
        }
        Ok(DuePage { due, next })
    }

    async fn has_live_grant(
        &self,
        client: &ClientIdentifier,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let client = Value::text(&client.to_string());
        let parameters = vec![client, Value::moment(now)];
        let live: Option<GrantRecord> =
            self.select_one(&grants::SELECT_LIVE_OF_CLIENT, parameters).await?;
        Ok(live.is_some())
    }

    /// Makes those of these clients dormant that are due for it, and removes those that are due for removal, in one change
    /// with its events. A client that a person has allowed since it was found stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expire_clients(
        &self,
        clients: Vec<ClientIdentifier>,
        expiry: Expiry,
        by: Author,
    ) -> Result<Expired, StoreError> {
        change!(self, whole deleting, |change| {
            changes::expire_clients(change, &clients, &expiry, &by)
        })
    }

    /// Deletes the events before `before` among the next `limit` after `after`, but for removals of clients that are not
    /// before `removals_before`. Returns how many were deleted, and where to go on; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_events(
        &self,
        before: Timestamp,
        removals_before: Timestamp,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<(usize, Option<EventId>), StoreError> {
        let Some(first) = first_after(after) else { return Ok((0, None)) };
        let end = Value::Id(*EventId::first_of(before).as_bytes());
        let parameters = vec![Value::Id(first), end, Value::limit(limit)];
        let page: Vec<EventKey> = self.select(&events::SELECT_KEYS, parameters).await?;
        let Some(EventKey { event_id: last }) = page.last().cloned() else { return Ok((0, None)) };
        let first = EventId::from_bytes(first);
        let removals_before = EventId::first_of(removals_before);
        let forgotten = change!(self, one deleting, |change| {
            changes::forget_events(change, first, last, removals_before)
        });
        Ok((forgotten?, Some(last).filter(|_| page.len() == limit)))
    }

    /// The moments that the store remembers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn marks(&self) -> Result<Vec<MarkRecord>, StoreError> {
        self.select(&marks::SELECT, Vec::new()).await
    }

    /// Remembers a moment, in the place of an earlier one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_mark(&self, mark: Mark, at: Timestamp) -> Result<(), StoreError> {
        let mark = MarkRecord { name: mark.as_str().to_owned(), at };
        change!(self, one, |change| changes::put_mark(change, &mark))
    }

    /// Remembers `now`, unless a moment since `before` is remembered: of the nodes that try at once, one succeeds. A later
    /// moment than `now` is of a clock that was wrong, and does not count.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_mark(
        &self,
        mark: Mark,
        now: Timestamp,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        let mark = MarkRecord { name: mark.as_str().to_owned(), at: now };
        change!(self, one, |change| changes::claim_mark(change, &mark, before))
    }
}

/// From when on time counts in a store with these marks, where `now` is the first look if there was none.
pub fn counts_from(marks: &[MarkRecord], now: Timestamp) -> Timestamp {
    let began = moment(marks, Mark::ExpiryBegan).unwrap_or(now);
    moment(marks, Mark::ClientsImported).map_or(began, |imported| imported.max(began))
}

/// The moment of a mark, if the store remembers one.
pub fn moment(marks: &[MarkRecord], mark: Mark) -> Option<Timestamp> {
    marks.iter().find(|record| record.name == mark.as_str()).map(|record| record.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const EXPIRY: Expiry =
        Expiry { unused_days: 30, idle_days: 400, counts_from: Timestamp::from_millis(0) };
    const UNUSED: Option<Due> = Some(Due::Removal(Lapse::Unused));
    const IDLE: Option<Due> = Some(Due::Removal(Lapse::Idle));

    fn ago(days: u64) -> Timestamp {
        NOW.before_days(days)
    }

    fn never_expiring() -> Expiry {
        Expiry { unused_days: 0, idle_days: 0, ..EXPIRY }
    }

    #[test]
    fn a_client_is_due_by_its_standing_its_age_and_its_last_use() {
        use Standing::{Active, Dormant, Pending, Suspended};
        // Standing, days since it changed, since the registration, since the last use.
        for (standing, changed, began, used, expected) in [
            (Active, None, 29, None, None),
            (Active, None, 30, None, UNUSED),
            (Active, Some(29), 900, None, None),
            (Active, Some(30), 900, None, UNUSED),
            (Active, None, 900, Some(399), None),
            (Active, None, 900, Some(400), Some(Due::Dormant)),
            (Active, Some(399), 900, Some(400), None),
            (Active, Some(400), 900, Some(400), Some(Due::Dormant)),
            (Dormant, Some(89), 900, Some(490), None),
            (Dormant, Some(90), 900, Some(490), IDLE),
            (Dormant, Some(90), 900, Some(89), None),
            (Dormant, Some(90), 900, None, IDLE),
            (Dormant, None, 900, None, IDLE),
            (Pending, Some(900), 900, None, None),
            (Pending, Some(900), 900, Some(900), None),
            (Suspended, Some(900), 900, None, None),
            (Suspended, Some(900), 900, Some(900), None),
        ] {
            let life = Life {
                began_at: ago(began),
                used_at: used.map(ago),
                standing,
                standing_at: changed.map(ago),
                is_vouched: false,
                expires_at: None,
            };
            assert_eq!(EXPIRY.due(&life, false, NOW), expected, "{life:?}");
            assert_eq!(EXPIRY.due(&life, true, NOW), None, "a live grant keeps {life:?}");
            let never = Expiry { unused_days: 0, idle_days: 0, ..EXPIRY };
            assert_eq!(never.due(&life, false, NOW), None, "{life:?}");
            let vouched = Life { is_vouched: true, ..life };
            assert_eq!(EXPIRY.due(&vouched, false, NOW), None, "{vouched:?}");
            for has_live_grant in [false, true] {
                let over = Life { expires_at: Some(NOW), ..vouched };
                let removal = Some(Due::Removal(Lapse::Over));
                assert_eq!(never_expiring().due(&over, has_live_grant, NOW), removal, "{over:?}");
                let later = Life { expires_at: Some(NOW.after_seconds(1)), ..vouched };
                assert_eq!(EXPIRY.due(&later, has_live_grant, NOW), None, "{later:?}");
            }
            // No time counts from before the first look at a store.
            let young = Expiry { counts_from: ago(29), ..EXPIRY };
            assert_eq!(young.due(&life, false, NOW), None, "{life:?}");
        }
    }

    #[test]
    fn each_setting_turns_off_its_own_expiry() {
        let unused = Life {
            began_at: ago(900),
            used_at: None,
            standing: Standing::Active,
            standing_at: None,
            is_vouched: false,
            expires_at: None,
        };
        let idle = Life { used_at: Some(ago(900)), ..unused };
        let dormant = Life { standing: Standing::Dormant, ..idle };
        let keeps_unused = Expiry { unused_days: 0, ..EXPIRY };
        let keeps_idle = Expiry { idle_days: 0, ..EXPIRY };
        for (life, by_unused, by_idle) in
            [(unused, None, UNUSED), (idle, Some(Due::Dormant), None), (dormant, IDLE, None)]
        {
            assert_eq!(keeps_unused.due(&life, false, NOW), by_unused);
            assert_eq!(keeps_idle.due(&life, false, NOW), by_idle);
        }
    }

    #[test]
    fn a_use_that_is_not_recorded_is_not_counted_as_unused_days() {
        let life = Life {
            began_at: ago(900),
            used_at: None,
            standing: Standing::Active,
            standing_at: None,
            is_vouched: false,
            expires_at: None,
        };
        assert_eq!(EXPIRY.unused_days(&life, NOW), 900);
        assert_eq!(Expiry { counts_from: ago(30), ..EXPIRY }.unused_days(&life, NOW), 30);
    }
}
