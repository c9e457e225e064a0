-- The family of a client stands beside it from its registration on. It is absent for clients that earlier releases
-- registered, until the server has looked at them, and for those that come another way.
ALTER TABLE clients ADD COLUMN family BLOB;
CREATE INDEX clients_of_family ON clients (family, client_id) WHERE family IS NOT NULL;
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
CREATE INDEX arrivals_of_family ON family_arrivals (family_id, client_id);
