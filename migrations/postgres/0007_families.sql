-- The family of a client stands beside it from its registration on. It is absent for clients that earlier releases
-- registered, until a server has looked at them, and for those that come another way.
ALTER TABLE clients ADD COLUMN family uuid;
-- What families are not told of yet: clients of one family and name that registered together.
CREATE TABLE family_arrivals (
    client_id     uuid   NOT NULL PRIMARY KEY, -- the first of them
    family_id     uuid   NOT NULL,
    family_key    text   NOT NULL,
    name          text,
    clients       bigint NOT NULL, -- that exist
    removed       bigint NOT NULL, -- that existed
    flags         bigint NOT NULL,
    first_seen_at bigint NOT NULL,
    last_seen_at  bigint NOT NULL
);
CREATE INDEX arrivals_of_family ON family_arrivals (family_id, client_id);
