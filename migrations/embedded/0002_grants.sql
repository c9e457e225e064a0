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
