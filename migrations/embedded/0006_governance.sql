-- What operators and time make of clients, who did what, and what is needed to find both.
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
