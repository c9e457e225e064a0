//! Sessions of people who signed in.

use super::{
    Deleted, SessionId, SessionRecord, Store, StoreError, change, changes,
    column::{Value, first_after},
    statements::sessions,
};
use crate::{audit::Author, clock::Timestamp};

impl Store {
    /// Stores a new session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_session(
        &self,
        session: SessionRecord,
        by: Author,
    ) -> Result<(), StoreError> {
        change!(self, whole, |change| changes::begin_session(change, &session, &by))
    }

    /// The session with this identifier, expired or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        self.select_one(&sessions::SELECT, vec![Value::Id(*id.as_bytes())]).await
    }

    /// The session of a person that began last, of those that live at this moment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn newest_session(
        &self,
        subject: &str,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        self.select_one(&sessions::SELECT_NEWEST, vec![Value::text(subject), Value::moment(now)])
            .await
    }

    /// At most `limit` sessions, of one subject where `subject` is given, expired or not, in the order of their
    /// identifiers (which is the order in which they began), beginning after `after`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sessions(
        &self,
        subject: Option<&str>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let Some(first) = first_after(after) else { return Ok(Vec::new()) };
        let mut parameters = vec![Value::Id(first), Value::limit(limit)];
        let Some(subject) = subject else {
            return self.select(&sessions::SELECT_PAGE, parameters).await;
        };
        parameters.push(Value::text(subject));
        self.select(&sessions::SELECT_PAGE_OF_SUBJECT, parameters).await
    }

    /// Prolongs a session until `idle_at`, unless it has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prolong_session(
        &self,
        id: SessionId,
        idle_at: Timestamp,
    ) -> Result<(), StoreError> {
        change!(self, one, |change| changes::prolong_session(change, id, idle_at))
    }

    /// Ends a session, durably.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_session(&self, id: SessionId, by: Author) -> Result<Deleted, StoreError> {
        change!(self, whole deleting, |change| changes::end_session(change, id, &by))
    }

    /// Stores sessions of another store, no two of them with one identifier, as one change. An existing session lives
    /// as long as the imported one, if that is longer. Returns how many were changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_sessions(&self, sessions: Vec<SessionRecord>) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::keep_sessions(change, &sessions))
    }
}
