-- A store as version 10 of the tables keeps it. Never edited: what a release has written must load.
PRAGMA page_size = 4096;
PRAGMA application_id = 1148153714;
PRAGMA user_version = 10;
BEGIN;
CREATE TABLE grants (
    grant_id           BLOB    NOT NULL PRIMARY KEY CHECK (length(grant_id) = 16),
    client             TEXT    NOT NULL,
    subject            TEXT    NOT NULL,
    scope              TEXT,
    resources          TEXT    NOT NULL,
    issued_at          INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    code_hash          BLOB    NOT NULL,
    redirect_uri       TEXT    NOT NULL,
    code_challenge     BLOB    NOT NULL,
    code_expires_at    INTEGER NOT NULL,
    redeemed_at        INTEGER,
    refresh_family     BLOB,
    refresh_current    BLOB,
    refresh_previous   BLOB,
    superseded_at      INTEGER,
    refresh_expires_at INTEGER,
    refreshes          INTEGER NOT NULL DEFAULT 0,
    graced             INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE consents (
    consent_id    BLOB    NOT NULL PRIMARY KEY,
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
CREATE TABLE keys (
    key_id    TEXT    NOT NULL PRIMARY KEY,
    algorithm TEXT    NOT NULL,
    made_at   INTEGER NOT NULL,
    sealed    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO grants VALUES (x'0193a1b2c3d770008000000000000004', '0193a1b2-c3d4-7000-8000-000000000001', 'acme:7',
    'read write', 'https://mcp.example.com/mcp' || char(10) || 'urn:example:api', 1733563204567, 1765099204567,
    x'0101010101010101010101010101010101010101010101010101010101010101', 'http://127.0.0.1:8123/callback', x'0202020202020202020202020202020202020202020202020202020202020202', 1733563264567, 1733563205567,
    x'0303030303030303030303030303030303030303030303030303030303030303', x'0404040404040404040404040404040404040404040404040404040404040404', x'0505050505050505050505050505050505050505050505050505050505050505', 1733563206567, 1736155204567, 3, 1);
INSERT INTO grants VALUES (x'0193a1b2c3d870008000000000000005', 'https://app.example.com/client.json', 'acme:8',
    NULL, '', 1733563204568, 1733563264568, x'0606060606060606060606060606060606060606060606060606060606060606', 'com.example.app:/cb', x'0707070707070707070707070707070707070707070707070707070707070707', 1733563264568,
    NULL, NULL, NULL, NULL, NULL, NULL, 0, 0);
INSERT INTO consents VALUES (x'0808080808080808080808080808080808080808080808080808080808080808', 'acme:7', '0193a1b2-c3d4-7000-8000-000000000001', 'read',
    'http://127.0.0.1:8123/callback', x'0909090909090909090909090909090909090909090909090909090909090909', 1733563204567, 1741339204567);
INSERT INTO sessions VALUES (x'0193a1b2c3d970008000000000000006', x'0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 'acme:7', 'Ada', NULL, 1733563204569,
    1733566804569, 1733606404569);
INSERT INTO keys VALUES ('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs', 'ES256', 1733563204567, x'0d0e0f');
CREATE TABLE clients (
    client_id BLOB    NOT NULL PRIMARY KEY CHECK (length(client_id) = 16),
    issued_at INTEGER NOT NULL,
    profile   TEXT    NOT NULL,
    source    TEXT,
    flags     INTEGER NOT NULL,
    metadata  TEXT    NOT NULL,
    standing    TEXT,
    standing_at INTEGER,
    used_at     INTEGER,
    note        TEXT
) STRICT;
INSERT INTO clients VALUES (x'0193a1b2c3d470008000000000000001', 1733563204564, 'datadog', '198.51.100.7', 0,
    '{"client_name":"Datadog MCP","redirect_uris":["http://127.0.0.1:8123/callback"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"response_types":["code"]}', NULL, NULL, 1733563209999, NULL);
INSERT INTO clients VALUES (x'0193a1b2c3d57abcbdef0123456789ab', 1733563204565, 'rfc7591', '2001:db8::7', 5,
    '{"client_name":"Cl\u0430ude \"quoted\" ''single''","client_name#de":"Tür","redirect_uris":["com.example.app:/cb"]}', 'suspended', 1733563300000, NULL, 'seen before');
INSERT INTO clients VALUES (x'0193a1b2c3d670008000000000000003', 0, 'rfc7591', NULL, 0, '{}', NULL, NULL, NULL, NULL);
CREATE INDEX grants_of_subject ON grants (subject);
CREATE INDEX clients_by_standing ON clients (standing, client_id) WHERE standing IS NOT NULL;
CREATE INDEX grants_of_client ON grants (client);
CREATE TABLE document_clients (
    url                TEXT    NOT NULL PRIMARY KEY,
    document_client_id BLOB    NOT NULL UNIQUE CHECK (length(document_client_id) = 16),
    first_allowed_at   INTEGER NOT NULL,
    allowed_at         INTEGER NOT NULL,
    metadata           TEXT    NOT NULL,
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
    detail     TEXT
) STRICT;
CREATE INDEX events_of_client ON events (client, event_id) WHERE client IS NOT NULL;
CREATE INDEX events_of_grant ON events (grant_id, event_id) WHERE grant_id IS NOT NULL;
CREATE INDEX events_of_subject ON events (subject, event_id) WHERE subject IS NOT NULL;
INSERT INTO document_clients VALUES ('https://app.example.com/client.json', x'0193a1b2c3da70008000000000000007', 1733563204568,
    1733563204568, '{"client_name":"App"}', NULL, NULL, NULL, NULL);
INSERT INTO events VALUES (x'0193a1b2c3db70008000000000000008', 1733563204571, 'client.suspended', 'operator', 'uid:0',
    '0193a1b2-c3d5-7abc-bdef-0123456789ab', NULL, NULL, NULL, NULL, NULL, '{"from":"active"}');
COMMIT;
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
-- The family of a client stands beside it from its registration on. It is absent for clients that earlier releases
-- registered, until the server has looked at them, and for those that come another way.
ALTER TABLE clients ADD COLUMN family BLOB;
CREATE INDEX clients_without_family ON clients (client_id) WHERE family IS NULL;
-- What families are not told of yet: clients of one family and name that registered together.
CREATE TABLE family_arrivals (
    client_id     BLOB    NOT NULL PRIMARY KEY CHECK (length(client_id) = 16), -- the first of them
    family_id     BLOB    NOT NULL,
    family_key    TEXT    NOT NULL,
    name          TEXT,
    clients       INTEGER NOT NULL, -- that exist
    removed       INTEGER NOT NULL, -- that existed
    flags         INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
UPDATE clients SET family = x'd07038380ed3812fadc181307025d7be' WHERE client_id = x'0193a1b2c3d470008000000000000001';
INSERT INTO family_arrivals VALUES (x'0193a1b2c3d470008000000000000001', x'd07038380ed3812fadc181307025d7be',
    'datadog mcp@loopback', 'Datadog MCP', 1, 0, 0, 1733563204564, 1733563204564);
-- The clients of each family. An index would cost each registration a page of its own, since families lie anywhere in
-- it: so a client is listed when its family is told of it, or when a person allows it, whichever comes first.
CREATE TABLE family_members (
    family_id BLOB NOT NULL,
    client_id BLOB NOT NULL,
    PRIMARY KEY (family_id, client_id)
) STRICT, WITHOUT ROWID;
-- An arrival counts clients of one family that registered together. Their identifiers begin with the time. How many it
-- counts says nothing of which they are: one may have left and come back.
CREATE TRIGGER family_is_told AFTER DELETE ON family_arrivals BEGIN
    INSERT OR IGNORE INTO family_members SELECT family, client_id FROM clients
    WHERE family = old.family_id AND client_id >= old.client_id
    AND client_id < unhex(printf('%012x', old.last_seen_at + 1));
END;
CREATE TRIGGER client_is_allowed AFTER INSERT ON grants BEGIN
    INSERT OR IGNORE INTO family_members SELECT family, client_id FROM clients
    WHERE client_id = unhex(replace(new.client, '-', '')) AND family IS NOT NULL;
END;
CREATE TRIGGER client_changes_family AFTER UPDATE OF family ON clients WHEN old.family IS NOT new.family BEGIN
    DELETE FROM family_members WHERE family_id = old.family AND client_id = old.client_id;
    INSERT OR IGNORE INTO family_members SELECT new.family, new.client_id WHERE new.family IS NOT NULL;
END;
CREATE TRIGGER client_leaves_family AFTER DELETE ON clients WHEN old.family IS NOT NULL BEGIN
    DELETE FROM family_members WHERE family_id = old.family AND client_id = old.client_id;
END;
INSERT INTO family_members VALUES (x'd07038380ed3812fadc181307025d7be', x'0193a1b2c3d470008000000000000001');
