//! The tables, and how a file of an earlier release comes to have them. Forward only: a release reads
//! what earlier ones wrote and refuses what later ones did.

use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as a store of ours (`PRAGMA application_id`): "Door" in ASCII.
const APPLICATION_ID: i64 = 0x446F_6F72;

/// Step `n` leads from version `n` to version `n + 1`. What has been released is never edited.
///
/// The clients are a tree in the order of their registration, with an index of their identifiers beside it.
/// SQLite appends to such a tree by starting a page when the last one is full; a tree in the order of the
/// identifiers it balances at every page, which takes longer than to write the index. Identifiers grow with
/// time, so the index is appended to as well. What changes after it was written, as grants and sessions do,
/// is one tree in the order of its identifiers.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE clients (
        client_id BLOB    NOT NULL PRIMARY KEY CHECK (length(client_id) = 16),
        issued_at INTEGER NOT NULL, -- milliseconds since the Unix epoch
        profile   TEXT    NOT NULL,
        source    TEXT,             -- the caller's address; NULL when it is not kept
        flags     INTEGER NOT NULL,
        metadata  TEXT    NOT NULL  -- one JSON object of RFC 7591 members
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE grants (
        grant_id           BLOB    NOT NULL PRIMARY KEY CHECK (length(grant_id) = 16),
        client             TEXT    NOT NULL, -- the client_id: a UUID, or the URL of a document
        subject            TEXT    NOT NULL,
        scope              TEXT,
        resources          TEXT    NOT NULL, -- one a line
        issued_at          INTEGER NOT NULL,
        expires_at         INTEGER NOT NULL,
        code_hash          BLOB    NOT NULL,
        redirect_uri       TEXT    NOT NULL,
        code_challenge     BLOB    NOT NULL,
        code_expires_at    INTEGER NOT NULL,
        redeemed_at        INTEGER,
        refresh_family     BLOB,             -- with it, refresh_current and refresh_expires_at
        refresh_current    BLOB,
        refresh_previous   BLOB,             -- with it, superseded_at
        superseded_at      INTEGER,
        refresh_expires_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE consents (
        consent_id    BLOB    NOT NULL PRIMARY KEY, -- a hash of client and subject
        subject       TEXT    NOT NULL,
        client        TEXT    NOT NULL,
        scope         TEXT,
        redirect_uri  TEXT    NOT NULL,
        metadata_hash BLOB    NOT NULL,
        allowed_at    INTEGER NOT NULL,
        expires_at    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (
        session_id   BLOB    NOT NULL PRIMARY KEY CHECK (length(session_id) = 16),
        hash         BLOB    NOT NULL,
        subject      TEXT    NOT NULL,
        name         TEXT,
        email        TEXT,
        signed_in_at INTEGER NOT NULL,
        idle_at      INTEGER NOT NULL,
        expires_at   INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sign_ins (
        sign_in_id            BLOB    NOT NULL PRIMARY KEY CHECK (length(sign_in_id) = 16),
        hash                  BLOB    NOT NULL,
        browser               BLOB    NOT NULL,
        provider              TEXT    NOT NULL,
        nonce                 TEXT    NOT NULL,
        verifier              TEXT    NOT NULL,
        authorization_request TEXT    NOT NULL,
        expires_at            INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE keys (
        key_id    TEXT    NOT NULL PRIMARY KEY,
        algorithm TEXT    NOT NULL,
        made_at   INTEGER NOT NULL,
        sealed    BLOB    NOT NULL -- the private key, by a key that is not in the store
    ) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE clients RENAME TO clients_before;
    CREATE TABLE clients (
        client_id BLOB    NOT NULL PRIMARY KEY CHECK (length(client_id) = 16),
        issued_at INTEGER NOT NULL, -- milliseconds since the Unix epoch
        profile   TEXT    NOT NULL,
        source    TEXT,             -- the caller's address; NULL when it is not kept
        flags     INTEGER NOT NULL,
        metadata  TEXT    NOT NULL  -- one JSON object of RFC 7591 members
    ) STRICT;
    INSERT INTO clients SELECT * FROM clients_before ORDER BY client_id;
    DROP TABLE clients_before;
",
    // What somebody has allowed is looked for by whoever has: written once a grant, when a person decides.
    "
    CREATE INDEX grants_of_subject ON grants (subject);
",
    // Browsers hold their own sign-ins under way, sealed in a cookie.
    "
    DROP TABLE sign_ins;
",
    // What operators and time make of clients, who did what, and what is needed to find both.
    "
    ALTER TABLE clients ADD COLUMN standing    TEXT;    -- NULL for an active client
    ALTER TABLE clients ADD COLUMN standing_at INTEGER;
    ALTER TABLE clients ADD COLUMN used_at     INTEGER;
    ALTER TABLE clients ADD COLUMN note        TEXT;
    CREATE INDEX clients_by_standing ON clients (standing, client_id) WHERE standing IS NOT NULL;
    ALTER TABLE grants ADD COLUMN refreshes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE grants ADD COLUMN graced    INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX grants_of_client ON grants (client);
    CREATE TABLE document_clients (
        url                TEXT    NOT NULL PRIMARY KEY,
        document_client_id BLOB    NOT NULL UNIQUE CHECK (length(document_client_id) = 16),
        first_allowed_at   INTEGER NOT NULL,
        allowed_at         INTEGER NOT NULL,
        metadata           TEXT    NOT NULL, -- when a person last allowed it
        standing           TEXT,
        standing_at        INTEGER,
        used_at            INTEGER,
        note               TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE events (
        event_id   BLOB    NOT NULL PRIMARY KEY CHECK (length(event_id) = 16),
        at         INTEGER NOT NULL,
        action     TEXT    NOT NULL,
        actor_kind TEXT    NOT NULL,
        actor      TEXT,
        client     TEXT,
        family     BLOB,
        grant_id   BLOB,
        subject    TEXT,
        source     TEXT,
        request_id TEXT,
        detail     TEXT -- a JSON object
    ) STRICT;
    CREATE INDEX events_of_client ON events (client, event_id) WHERE client IS NOT NULL;
    CREATE INDEX events_of_grant ON events (grant_id, event_id) WHERE grant_id IS NOT NULL;
    CREATE INDEX events_of_subject ON events (subject, event_id) WHERE subject IS NOT NULL;
",
];

/// The version that this release reads and writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// What a database file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// A store of this version, which is not later than [`VERSION`].
    Version(usize),
    /// A store that a later release wrote.
    Newer(i64),
    /// Something of another program.
    Foreign,
}

/// Looks at a file without changing it.
pub(super) fn look(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    Ok(match usize::try_from(version) {
        Ok(0) if tables == 0 => Found::Nothing,
        Ok(known @ 1..=VERSION) if application == APPLICATION_ID => Found::Version(known),
        Ok(1..) if application == APPLICATION_ID => Found::Newer(version),
        _ => Found::Foreign,
    })
}

/// Brings a file that holds nothing or an earlier version to [`VERSION`], entirely or not at all.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Looked at again under the lock: another process may have been quicker.
    let done = match look(&change)? {
        Found::Nothing => 0,
        Found::Version(version) => version,
        Found::Newer(_) | Found::Foreign => return Ok(()),
    };
    for step in MIGRATIONS.iter().skip(done) {
        change.execute_batch(step)?;
    }
    change.pragma_update(None, "application_id", APPLICATION_ID)?;
    change.pragma_update(None, "user_version", i64::try_from(VERSION).expect("a few steps"))?;
    change.commit()
}

/// What SQLite finds wrong with the file, at most `faults_max` lines and why it stopped, if it did. Reads
/// all of it.
pub(super) fn faults(connection: &Connection, faults_max: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let asked = connection.prepare(&format!("PRAGMA integrity_check({faults_max})")).and_then(
        |mut statement| {
            let mut lines = statement.query([])?;
            while let Some(line) = lines.next()? {
                faults.push(line.get(0)?);
            }
            Ok(())
        },
    );
    faults.retain(|line| line != "ok");
    faults.extend(asked.err().map(|error| error.to_string()));
    faults
}
