//! What one person has allowed one client, as the live grants between both show it; and the clients that somebody has
//! allowed something.

use super::{
    ClientRecord, ConsentRecord, DocumentClientRecord, Store, StoreError,
    column::{Record, Row, Value, columns},
    sql::{Statement, sql},
};
use crate::{client::ClientIdentifier, clock::Timestamp, id::Id};

columns! {
    /// All live grants of one person to one client.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Authorization {
        /// The client.
        pub client: ClientIdentifier = "client",
        /// The person.
        pub subject: String = "subject",
        /// The scopes of every grant, one after the other.
        pub scopes: Option<String> = "scopes",
        /// When the first of them was issued.
        pub created_at: Timestamp = "created_at",
        /// When the last of them was issued.
        pub modified_at: Timestamp = "modified_at",
        /// When a code or refresh token of them was last exchanged.
        pub used_at: Option<Timestamp> = "used_at",
        /// The person's name in their last session, while it lasts.
        pub name: Option<String> = "name",
        /// Their email address in the same.
        pub email: Option<String> = "email",
    }
}

/// Names an authorization: the same for as long as the client and the person are the same.
pub type AuthorizationId = Id<AuthorizationKind>;

/// What an [`AuthorizationId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthorizationKind {}

impl Authorization {
    /// Its identifier: a UUID of version 8 (RFC 9562 §5.8) from a hash of person and client.
    pub fn id(&self) -> AuthorizationId {
        let key = ConsentRecord::key(&self.subject, &self.client);
        let first = key.first_chunk::<16>().copied().unwrap_or_default();
        AuthorizationId::from_bytes(
            uuid::Builder::from_custom_bytes(first).into_uuid().into_bytes(),
        )
    }

    /// Each scope once, sorted.
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> =
            self.scopes.as_deref().unwrap_or_default().split_whitespace().collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }
}

/// No table has it: its row is put together from grants.
impl Record for Authorization {
    const TABLE: &'static str = "grants";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(row: &impl Row) -> String {
        format!("an authorization of {}", row.text(0).ok().flatten().unwrap_or("a client"))
    }
}

columns! {
    /// A number of records.
    struct Number {
        /// How many.
        pub number: u64 = "number",
    }
}

/// No table has it: the row is counted.
impl Record for Number {
    const TABLE: &'static str = "grants";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(_: &impl Row) -> String {
        "a number".to_owned()
    }
}

/// The columns of an [`Authorization`] over a group of grants.
macro_rules! authorizations {
    ($($which:tt)+) => {
        sql!(
            sqlite: ["SELECT client, subject, group_concat(scope, ' ') AS scopes, ", TIMES, $($which)+],
            postgres: ["SELECT client, subject, string_agg(scope, ' ') AS scopes, ", TIMES, $($which)+],
        )
    };
}

const TIMES: &str = "min(issued_at) AS created_at, max(issued_at) AS modified_at, \
    max(coalesce(superseded_at, redeemed_at)) AS used_at, \
    (SELECT name FROM sessions WHERE sessions.subject = grants.subject \
     ORDER BY session_id DESC LIMIT 1) AS name, \
    (SELECT email FROM sessions WHERE sessions.subject = grants.subject \
     ORDER BY session_id DESC LIMIT 1) AS email FROM grants ";

const OF_CLIENT: Statement = authorizations!(
    "WHERE client = $1 AND expires_at > $2 AND subject > $3 \
     GROUP BY client, subject ORDER BY subject LIMIT $4"
);

const OF_PERSON: Statement = authorizations!(
    "WHERE subject = $1 AND expires_at > $2 AND client > $3 \
     GROUP BY client, subject ORDER BY client LIMIT $4"
);

const PEOPLE: Statement = sql!(
    "SELECT count(DISTINCT subject) AS number FROM grants WHERE client = $1 AND expires_at > $2"
);

/// Clients that registered have identifiers of hexadecimal digits, and sort before every URL.
const REGISTERED: Statement = sql!(
    sqlite: [
        "SELECT ", <ClientRecord as Record>::NAMES, " FROM clients WHERE client_id IN \
         (SELECT unhex(replace(client, '-', '')) FROM (SELECT DISTINCT client FROM grants \
         WHERE client > $1 AND client < 'g' AND expires_at > $2 ORDER BY client LIMIT $3)) \
         ORDER BY client_id"
    ],
    postgres: [
        "SELECT ", <ClientRecord as Record>::NAMES, " FROM clients WHERE client_id IN \
         (SELECT client::uuid FROM (SELECT DISTINCT client FROM grants \
         WHERE client > $1 AND client < 'g' AND expires_at > $2 ORDER BY client LIMIT $3) AS found) \
         ORDER BY client_id"
    ],
);

const DOCUMENTS: Statement = sql!(
    "SELECT ",
    <DocumentClientRecord as Record>::NAMES,
    " FROM document_clients \
     WHERE url > $1 AND (standing = 'suspended' OR EXISTS \
     (SELECT 1 FROM grants WHERE grants.client = url AND expires_at > $2)) ORDER BY url LIMIT $3"
);

impl Store {
    /// At most `limit` authorizations of a client, by subject, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn authorizations_of_client(
        &self,
        client: &ClientIdentifier,
        now: Timestamp,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Authorization>, StoreError> {
        let client = Value::text(&client.to_string());
        let parameters = vec![client, Value::moment(now), Value::text(after), Value::limit(limit)];
        self.select(&OF_CLIENT, parameters).await
    }

    /// At most `limit` authorizations by a person, by client, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn authorizations_of_person(
        &self,
        subject: &str,
        now: Timestamp,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Authorization>, StoreError> {
        let parameters =
            vec![Value::text(subject), Value::moment(now), Value::text(after), Value::limit(limit)];
        self.select(&OF_PERSON, parameters).await
    }

    /// How many people have a live grant to a client.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn people_of_client(
        &self,
        client: &ClientIdentifier,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let parameters = vec![Value::text(&client.to_string()), Value::moment(now)];
        let counted: Option<Number> = self.select_one(&PEOPLE, parameters).await?;
        Ok(counted.map_or(0, |counted| counted.number))
    }

    /// At most `limit` registered clients with a live grant, in the order of their identifiers, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn authorized_clients(
        &self,
        now: Timestamp,
        after: Option<&ClientRecord>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let after = after.map(|client| client.client_id.to_string()).unwrap_or_default();
        self.select(&REGISTERED, vec![Value::text(&after), Value::moment(now), Value::limit(limit)])
            .await
    }

    /// At most `limit` clients with a document that have a live grant or are suspended, by URL, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn authorized_document_clients(
        &self,
        now: Timestamp,
        after: &str,
        limit: usize,
    ) -> Result<Vec<DocumentClientRecord>, StoreError> {
        self.select(&DOCUMENTS, vec![Value::text(after), Value::moment(now), Value::limit(limit)])
            .await
    }
}
