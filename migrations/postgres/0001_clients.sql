-- What a registered client is: the columns that are looked up or swept, and one document beside them.
--
-- Identifiers grow with time, so that the rows of one time lie together in the index.
CREATE TABLE clients (
    client_id uuid   NOT NULL PRIMARY KEY,
    issued_at bigint NOT NULL, -- milliseconds since the Unix epoch
    profile   text   NOT NULL,
    source    text,            -- the caller's address; NULL when it is not kept
    flags     bigint NOT NULL, -- 32 bits without a sign
    metadata  text   NOT NULL  -- one JSON object of RFC 7591 members, byte for byte as it was registered
);

-- A row for each node to write to when it is asked whether it could keep a client now.
CREATE TABLE upkeep (
    name  text   NOT NULL PRIMARY KEY,
    times bigint NOT NULL
);
INSERT INTO upkeep (name, times) VALUES ('probe', 0);
