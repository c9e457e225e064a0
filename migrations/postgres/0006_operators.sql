-- What operators decide in advance, and what happens with time.
CREATE TABLE marks (
    name text   NOT NULL PRIMARY KEY,
    at   bigint NOT NULL
);
-- Lists in the order of last use. Registrations write nothing to it.
CREATE INDEX clients_by_use ON clients (used_at, client_id) WHERE used_at IS NOT NULL;
-- Few clients have a flag.
CREATE INDEX clients_flagged ON clients (client_id) WHERE flags <> 0;
-- How far clients have changed their own registration (RFC 7592): NULL until the first change.
ALTER TABLE clients ADD COLUMN generation bigint;
ALTER TABLE clients ADD COLUMN changed_at bigint;
ALTER TABLE clients ADD COLUMN ceiling text;
ALTER TABLE document_clients ADD COLUMN ceiling text;
-- What the admission rule that let a client in says of it.
ALTER TABLE clients ADD COLUMN label text;
ALTER TABLE clients ADD COLUMN rule_ceiling text;
ALTER TABLE clients ADD COLUMN expires_at bigint;
ALTER TABLE document_clients ADD COLUMN label text;
ALTER TABLE document_clients ADD COLUMN rule_ceiling text;
ALTER TABLE document_clients ADD COLUMN expires_at bigint;
CREATE INDEX clients_by_label ON clients (label, client_id) WHERE label IS NOT NULL;
CREATE INDEX document_clients_by_standing ON document_clients (standing, url) WHERE standing IS NOT NULL;
-- The transaction that stored a row: cursors of webhooks follow it. Rows from before have none, and are sent to nobody.
ALTER TABLE events ADD COLUMN stored_by bigint;
ALTER TABLE events ALTER COLUMN stored_by SET DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX events_by_transaction ON events (stored_by, event_id) WHERE stored_by IS NOT NULL;
ALTER TABLE clients ADD COLUMN stored_by bigint;
ALTER TABLE clients ALTER COLUMN stored_by SET DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX clients_by_transaction ON clients (stored_by, client_id) WHERE stored_by IS NOT NULL;
-- Where each webhook is: everything up to these rows is delivered.
CREATE TABLE webhook_cursors (
    webhook       text   NOT NULL PRIMARY KEY,
    events_at     bigint NOT NULL, -- the transaction that stored an event, and its identifier
    event_id      uuid   NOT NULL,
    clients_at    bigint NOT NULL, -- the transaction that stored a client, and its identifier
    client_id     uuid   NOT NULL,
    failures      bigint NOT NULL,
    failing_since bigint,
    failure       text
);
CREATE TABLE rules (
    rule_id    text   NOT NULL PRIMARY KEY,
    position   bigint NOT NULL,
    rule       text   NOT NULL, -- a JSON object
    changed_at bigint NOT NULL,
    changed_by text
);
CREATE TABLE operator_tokens (
    operator_token_id uuid   NOT NULL PRIMARY KEY,
    name              text   NOT NULL UNIQUE,
    role              text   NOT NULL,
    hash              bytea  NOT NULL,
    created_at        bigint NOT NULL,
    expires_at        bigint,
    used_at           bigint
);
-- With which clients register (RFC 7591 section 3), and who registered a client that is no stranger.
CREATE TABLE initial_access_tokens (
    initial_access_token_id uuid   NOT NULL PRIMARY KEY,
    name                    text   NOT NULL UNIQUE,
    policy                  text   NOT NULL,
    hash                    bytea  NOT NULL,
    created_at              bigint NOT NULL,
    expires_at              bigint,
    uses_max                bigint NOT NULL,
    uses                    bigint NOT NULL,
    used_at                 bigint
);
ALTER TABLE clients ADD COLUMN registered_by text;
-- Families of clients, counted aside, and the clients that are counted.
CREATE TABLE families (
    family_id     uuid   NOT NULL PRIMARY KEY,
    family_key    text   NOT NULL,
    names         text   NOT NULL, -- a JSON array
    clients       bigint NOT NULL, -- that exist
    removed       bigint NOT NULL, -- that existed
    people        bigint NOT NULL, -- with a live grant, when last counted
    flags         bigint NOT NULL,
    first_seen_at bigint NOT NULL,
    last_seen_at  bigint NOT NULL,
    used_at       bigint,
    standing      text,
    standing_at   bigint,
    ceiling       text
);
CREATE INDEX families_by_size ON families (clients, family_id);
CREATE INDEX families_by_time ON families (last_seen_at, family_id);
CREATE INDEX families_decided ON families (family_id) WHERE standing_at IS NOT NULL OR ceiling IS NOT NULL;
CREATE TABLE family_clients (
    family_id uuid NOT NULL,
    client_id uuid NOT NULL,
    PRIMARY KEY (family_id, client_id)
);
CREATE INDEX events_of_family ON events (family, event_id) WHERE family IS NOT NULL;
-- What servers behind the guard are told of a person, as JSON.
ALTER TABLE sessions ADD COLUMN identity text;
ALTER TABLE grants ADD COLUMN identity text;
-- Which role a person has is asked of their newest session.
CREATE INDEX sessions_by_subject ON sessions (subject, session_id);
-- People are listed from what the store has of them.
CREATE INDEX consents_of_subject ON consents (subject);
-- Refused requests, counted aside.
CREATE TABLE attempts (
    reason     text   NOT NULL,
    target     text   NOT NULL, -- empty if it is not known
    network    text   NOT NULL, -- empty if addresses are not kept
    attempts   bigint NOT NULL,
    first_at   bigint NOT NULL,
    last_at    bigint NOT NULL,
    request_id text   NOT NULL,
    PRIMARY KEY (reason, target, network)
);
-- With which role, and by which client, a person acts at the operator API.
ALTER TABLE events ADD COLUMN actor_role text;
ALTER TABLE events ADD COLUMN actor_client text;
