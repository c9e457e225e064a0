-- What operators and time make of clients, who did what, and what is needed to find both.
ALTER TABLE clients
    ADD COLUMN standing    text,   -- NULL for an active client
    ADD COLUMN standing_at bigint,
    ADD COLUMN used_at     bigint,
    ADD COLUMN note        text;
CREATE INDEX clients_by_standing ON clients (standing, client_id) WHERE standing IS NOT NULL;

ALTER TABLE grants
    ADD COLUMN refreshes bigint NOT NULL DEFAULT 0,
    ADD COLUMN graced    bigint NOT NULL DEFAULT 0;
CREATE INDEX grants_of_client ON grants (client, grant_id);

CREATE TABLE document_clients (
    url                text   NOT NULL PRIMARY KEY,
    document_client_id uuid   NOT NULL UNIQUE,
    first_allowed_at   bigint NOT NULL,
    allowed_at         bigint NOT NULL,
    metadata           text   NOT NULL, -- when a person last allowed it
    standing           text,
    standing_at        bigint,
    used_at            bigint,
    note               text
);

CREATE TABLE events (
    event_id   uuid   NOT NULL PRIMARY KEY,
    at         bigint NOT NULL,
    action     text   NOT NULL,
    actor_kind text   NOT NULL,
    actor      text,
    client     text,
    family     uuid,
    grant_id   uuid,
    subject    text,
    source     text,
    request_id text,
    detail     text -- a JSON object
);
CREATE INDEX events_of_client ON events (client, event_id) WHERE client IS NOT NULL;
CREATE INDEX events_of_grant ON events (grant_id, event_id) WHERE grant_id IS NOT NULL;
CREATE INDEX events_of_subject ON events (subject, event_id) WHERE subject IS NOT NULL;
