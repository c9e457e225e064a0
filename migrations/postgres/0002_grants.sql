-- What clients were allowed, who allowed it, and what signs their tokens. Each table is looked up by its key
-- alone, which grows with time where it is a UUID.
CREATE TABLE grants (
    grant_id           uuid   NOT NULL PRIMARY KEY,
    client             text   NOT NULL, -- the client_id: a UUID, or the URL of a document
    subject            text   NOT NULL,
    scope              text,
    resources          text   NOT NULL, -- one a line
    issued_at          bigint NOT NULL, -- milliseconds since the Unix epoch, as all moments here
    expires_at         bigint NOT NULL,
    code_hash          bytea  NOT NULL,
    redirect_uri       text   NOT NULL,
    code_challenge     bytea  NOT NULL,
    code_expires_at    bigint NOT NULL,
    redeemed_at        bigint,
    refresh_family     bytea,           -- with it, refresh_current and refresh_expires_at
    refresh_current    bytea,
    refresh_previous   bytea,           -- with it, superseded_at
    superseded_at      bigint,
    refresh_expires_at bigint
);

CREATE TABLE consents (
    consent_id    bytea  NOT NULL PRIMARY KEY, -- a hash of client and subject
    subject       text   NOT NULL,
    client        text   NOT NULL,
    scope         text,
    redirect_uri  text   NOT NULL,
    metadata_hash bytea  NOT NULL,
    allowed_at    bigint NOT NULL,
    expires_at    bigint NOT NULL
);

CREATE TABLE sessions (
    session_id   uuid   NOT NULL PRIMARY KEY,
    hash         bytea  NOT NULL,
    subject      text   NOT NULL,
    name         text,
    email        text,
    signed_in_at bigint NOT NULL,
    idle_at      bigint NOT NULL,
    expires_at   bigint NOT NULL
);

CREATE TABLE sign_ins (
    sign_in_id            uuid   NOT NULL PRIMARY KEY,
    hash                  bytea  NOT NULL,
    browser               bytea  NOT NULL,
    provider              text   NOT NULL,
    nonce                 text   NOT NULL,
    verifier              text   NOT NULL,
    authorization_request text   NOT NULL,
    expires_at            bigint NOT NULL
);

CREATE TABLE keys (
    key_id    text   NOT NULL PRIMARY KEY,
    algorithm text   NOT NULL,
    made_at   bigint NOT NULL,
    sealed    bytea  NOT NULL,       -- the private key, by a key that is not in the database
    follows   text   NOT NULL UNIQUE -- the newest one before it: of nodes that make one at once, one does
);
