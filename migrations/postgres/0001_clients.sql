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

-- Rows for nodes to write to when they are asked whether they could keep a client now: enough of them that no
-- two nodes often wait for each other.
CREATE TABLE probes (
    slot  bigint NOT NULL PRIMARY KEY,
    times bigint NOT NULL
);
INSERT INTO probes (slot, times) SELECT slot, 0 FROM generate_series(0, 63) AS slots (slot);
