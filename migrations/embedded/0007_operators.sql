-- What operators decide in advance, and what happens with time.
CREATE TABLE marks (
    name TEXT    NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Lists in the order of last use. Registrations write nothing to it.
CREATE INDEX clients_by_use ON clients (used_at, client_id) WHERE used_at IS NOT NULL;
-- How far clients have changed their own registration (RFC 7592): NULL until the first change.
ALTER TABLE clients ADD COLUMN generation INTEGER;
ALTER TABLE clients ADD COLUMN changed_at INTEGER;
ALTER TABLE clients ADD COLUMN ceiling TEXT;
ALTER TABLE document_clients ADD COLUMN ceiling TEXT;
CREATE INDEX document_clients_by_standing ON document_clients (standing, url) WHERE standing IS NOT NULL;
