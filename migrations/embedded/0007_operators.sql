-- What operators decide in advance, and what happens with time.
CREATE TABLE marks (
    name TEXT    NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Lists in the order of last use. Registrations write nothing to it.
CREATE INDEX clients_by_use ON clients (used_at, client_id) WHERE used_at IS NOT NULL;
-- Few clients have a flag.
CREATE INDEX clients_flagged ON clients (client_id) WHERE flags <> 0;
-- How far clients have changed their own registration (RFC 7592): NULL until the first change.
ALTER TABLE clients ADD COLUMN generation INTEGER;
ALTER TABLE clients ADD COLUMN changed_at INTEGER;
ALTER TABLE clients ADD COLUMN ceiling TEXT;
ALTER TABLE document_clients ADD COLUMN ceiling TEXT;
-- What the admission rule that let a client in says of it.
ALTER TABLE clients ADD COLUMN label TEXT;
ALTER TABLE clients ADD COLUMN rule_ceiling TEXT;
ALTER TABLE clients ADD COLUMN expires_at INTEGER;
ALTER TABLE document_clients ADD COLUMN label TEXT;
ALTER TABLE document_clients ADD COLUMN rule_ceiling TEXT;
ALTER TABLE document_clients ADD COLUMN expires_at INTEGER;
CREATE INDEX clients_by_label ON clients (label, client_id) WHERE label IS NOT NULL;
CREATE INDEX document_clients_by_standing ON document_clients (standing, url) WHERE standing IS NOT NULL;
-- Where each webhook is: everything up to these rows is delivered.
CREATE TABLE webhook_cursors (
    webhook       TEXT    NOT NULL PRIMARY KEY,
    events_at     INTEGER NOT NULL, -- the rowid of an event, and its identifier
    event_id      BLOB    NOT NULL CHECK (length(event_id) = 16),
    clients_at    INTEGER NOT NULL, -- the rowid of a client, and its identifier
    client_id     BLOB    NOT NULL CHECK (length(client_id) = 16),
    failures      INTEGER NOT NULL,
    failing_since INTEGER,
    failure       TEXT
) STRICT, WITHOUT ROWID;
-- The next row gets the rowid of a last row that was deleted: no cursor may stay behind the last row.
CREATE TRIGGER events_deleted AFTER DELETE ON events BEGIN
    UPDATE webhook_cursors SET events_at = (SELECT coalesce(max(rowid), 0) FROM events)
    WHERE events_at > (SELECT coalesce(max(rowid), 0) FROM events);
END;
CREATE TRIGGER clients_deleted AFTER DELETE ON clients BEGIN
    UPDATE webhook_cursors SET clients_at = (SELECT coalesce(max(rowid), 0) FROM clients)
    WHERE clients_at > (SELECT coalesce(max(rowid), 0) FROM clients);
END;
CREATE TABLE rules (
    rule_id    TEXT    NOT NULL PRIMARY KEY,
    position   INTEGER NOT NULL,
    rule       TEXT    NOT NULL, -- a JSON object
    changed_at INTEGER NOT NULL,
    changed_by TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE operator_tokens (
    operator_token_id BLOB    NOT NULL PRIMARY KEY CHECK (length(operator_token_id) = 16),
    name              TEXT    NOT NULL UNIQUE,
    role              TEXT    NOT NULL,
    hash              BLOB    NOT NULL,
    created_at        INTEGER NOT NULL,
    expires_at        INTEGER,
    used_at           INTEGER
) STRICT, WITHOUT ROWID;
-- With which clients register (RFC 7591 section 3), and who registered a client that is no stranger.
CREATE TABLE initial_access_tokens (
    initial_access_token_id BLOB    NOT NULL PRIMARY KEY CHECK (length(initial_access_token_id) = 16),
    name                    TEXT    NOT NULL UNIQUE,
    policy                  TEXT    NOT NULL,
    hash                    BLOB    NOT NULL,
    created_at              INTEGER NOT NULL,
    expires_at              INTEGER,
    uses_max                INTEGER NOT NULL,
    uses                    INTEGER NOT NULL,
    used_at                 INTEGER
) STRICT, WITHOUT ROWID;
ALTER TABLE clients ADD COLUMN registered_by TEXT;
-- Families of clients, counted aside, and the clients that are counted.
CREATE TABLE families (
    family_id     BLOB    NOT NULL PRIMARY KEY CHECK (length(family_id) = 16),
    family_key    TEXT    NOT NULL,
    names         TEXT    NOT NULL, -- a JSON array
    clients       INTEGER NOT NULL, -- that exist
    removed       INTEGER NOT NULL, -- that existed
    people        INTEGER NOT NULL, -- with a live grant, when last counted
    flags         INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    used_at       INTEGER,
    standing      TEXT,
    standing_at   INTEGER,
    ceiling       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX families_by_size ON families (clients, family_id);
CREATE INDEX families_by_time ON families (last_seen_at, family_id);
CREATE INDEX families_decided ON families (family_id) WHERE standing_at IS NOT NULL OR ceiling IS NOT NULL;
CREATE TABLE family_clients (
    family_id BLOB NOT NULL,
    client_id BLOB NOT NULL,
    PRIMARY KEY (family_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_of_family ON events (family, event_id) WHERE family IS NOT NULL;
-- What servers behind the guard are told of a person, as JSON.
ALTER TABLE sessions ADD COLUMN identity TEXT;
ALTER TABLE grants ADD COLUMN identity TEXT;
-- Which role a person has is asked of their newest session.
CREATE INDEX sessions_by_subject ON sessions (subject, session_id);
-- People are listed from what the store has of them.
CREATE INDEX consents_of_subject ON consents (subject);
-- Refused requests, counted aside.
CREATE TABLE attempts (
    reason     TEXT    NOT NULL,
    target     TEXT    NOT NULL, -- empty if it is not known
    network    TEXT    NOT NULL, -- empty if addresses are not kept
    attempts   INTEGER NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    request_id TEXT    NOT NULL,
    PRIMARY KEY (reason, target, network)
) STRICT, WITHOUT ROWID;
-- With which role, and by which client, a person acts at the operator API.
ALTER TABLE events ADD COLUMN actor_role TEXT;
ALTER TABLE events ADD COLUMN actor_client TEXT;
