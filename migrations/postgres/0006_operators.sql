-- What operators decide in advance, and what happens with time.
CREATE TABLE marks (
    name text   NOT NULL PRIMARY KEY,
    at   bigint NOT NULL
);
