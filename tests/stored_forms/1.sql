-- A store as version 1 of the tables keeps it. Never edited: what a release has written must load.
PRAGMA page_size = 4096;
PRAGMA application_id = 1148153714;
PRAGMA user_version = 1;
BEGIN;
CREATE TABLE clients (
    client_id BLOB    NOT NULL PRIMARY KEY CHECK (length(client_id) = 16),
    issued_at INTEGER NOT NULL,
    profile   TEXT    NOT NULL,
    source    TEXT,
    flags     INTEGER NOT NULL,
    metadata  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO clients VALUES (x'0193a1b2c3d470008000000000000001', 1733563204564, 'datadog', '198.51.100.7', 0,
    '{"client_name":"Datadog MCP","redirect_uris":["http://127.0.0.1:8123/callback"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"response_types":["code"]}');
INSERT INTO clients VALUES (x'0193a1b2c3d57abcbdef0123456789ab', 1733563204565, 'rfc7591', '2001:db8::7', 5,
    '{"client_name":"Cl\u0430ude \"quoted\" ''single''","client_name#de":"Tür","redirect_uris":["com.example.app:/cb"]}');
INSERT INTO clients VALUES (x'0193a1b2c3d670008000000000000003', 0, 'rfc7591', NULL, 0, '{}');
COMMIT;
