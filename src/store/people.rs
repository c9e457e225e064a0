//! People: everyone who is signed in, has a grant, or has allowed a client before. No table has them: their subjects are
//! read from the indexes of sessions, grants, and consents, each once, however many records there are.

use std::time::Instant;

use tokio::time::sleep;

use super::{
    Store, StoreError, change, changes,
    column::{Record, Row, Value, columns},
    statements::people,
};
use crate::{audit::Author, clock::Timestamp};

columns! {
    /// A person, as their records show them.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Person {
        /// Who it is: the `sub` of access tokens.
        pub subject: String = "subject",
        /// Their name in their last session, while it lasts.
        pub name: Option<String> = "name",
        /// Their email address in the same.
        pub email: Option<String> = "email",
        /// How many clients have a live grant, of the first [`LOOKED_AT`] grants.
        pub apps: u64 = "apps",
        /// How many live grants there are, at most [`LOOKED_AT`].
        pub grants: u64 = "grants",
        /// How many sessions last, at most [`LOOKED_AT`].
        pub sessions: u64 = "sessions",
        /// How many decisions are remembered, at most [`LOOKED_AT`].
        pub consents: u64 = "consents",
        /// When they last signed in, allowed a client, or a client of theirs exchanged a code or a refresh token.
        pub used_at: Option<Timestamp> = "used_at",
    }
}

impl Person {
    /// A person of whom the store has events alone.
    pub const fn without_access(subject: String) -> Self {
        Self {
            subject,
            name: None,
            email: None,
            apps: 0,
            grants: 0,
            sessions: 0,
            consents: 0,
            used_at: None,
        }
    }
}

/// How many records of each kind are counted for one person.
pub const LOOKED_AT: u64 = 1_000;

/// No table has it.
impl Record for Person {
    const TABLE: &'static str = "person";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(row: &impl Row) -> String {
        format!("person {}", row.text(0).ok().flatten().unwrap_or("without a subject"))
    }
}

/// What becomes of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonChange {
    /// All access ends. The store still knows what the person allowed before.
    End,
    /// All access ends, and what the store has of the person is deleted, except for audit events.
    Forget,
}

/// What ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessEnded {
    /// How many sessions.
    pub sessions: usize,
    /// How many grants.
    pub grants: usize,
    /// How many remembered decisions.
    pub consents: usize,
}

/// How many sessions or grants end in one change.
const AT_ONCE: usize = 50;

impl Store {
    /// At most `limit` people by subject, beginning after `after`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn people(
        &self,
        now: Timestamp,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Person>, StoreError> {
        let parameters = vec![Value::text(after), Value::moment(now), Value::limit(limit)];
        self.select(&people::SELECT_PAGE, parameters).await
    }

    /// The person with this subject, if the store has a session, a grant, or a consent of theirs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn person(
        &self,
        subject: &str,
        now: Timestamp,
    ) -> Result<Option<Person>, StoreError> {
        self.select_one(&people::SELECT, vec![Value::text(subject), Value::moment(now)]).await
    }

    /// Ends all access of a person: sessions first, so that nothing new is allowed meanwhile, then remembered decisions,
    /// then grants, a few a change, each with its event. `progress` is told of what each change ended.
    ///
    /// # Errors
    /// [`StoreError`]; what fails halfway goes on when it is called again.
    pub async fn end_access(
        &self,
        subject: &str,
        person_change: PersonChange,
        by: &Author,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<AccessEnded, StoreError> {
        let sessions = end_in_steps(progress, || async {
            let (person, by) = (subject.to_owned(), by.clone());
            change!(self, whole deleting, |change| {
                changes::end_sessions_of_person(change, &person, person_change, AT_ONCE, &by)
            })
        });
        let sessions = sessions.await?;
        let (person, author) = (subject.to_owned(), by.clone());
        let consents = change!(self, whole deleting, |change| {
            changes::end_consents(change, &person, person_change, &author)
        })?;
        let grants = end_in_steps(progress, || async {
            let (person, by) = (subject.to_owned(), by.clone());
            change!(self, whole deleting, |change| {
                changes::end_grants_of_person(change, &person, person_change, AT_ONCE, &by)
            })
        });
        let grants = grants.await?;
        Ok(AccessEnded { sessions, grants, consents })
    }
}

/// Ends some at each step until none is left, and returns how many there were.
async fn end_in_steps<F: Future<Output = Result<usize, StoreError>>>(
    progress: &(dyn Fn(usize) + Sync),
    step: impl Fn() -> F,
) -> Result<usize, StoreError> {
    let mut ended = 0;
    loop {
        let began = Instant::now();
        let some = step().await?;
        if some == 0 {
            return Ok(ended);
        }
        ended += some;
        progress(some);
        // Others have the disk for at least as long as this had it.
        sleep(began.elapsed()).await;
    }
}
