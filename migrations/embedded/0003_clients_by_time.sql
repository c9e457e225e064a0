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
