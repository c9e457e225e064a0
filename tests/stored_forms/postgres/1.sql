-- What the release of version 1 writes. Never edited: see CONTRIBUTING.md.
INSERT INTO clients (client_id, issued_at, profile, source, flags, metadata) VALUES
    ('019aa7b4-5a1c-7bd1-b0ff-000000000001', 1763769600000, 'datadog', '192.0.2.1', 1,
     '{"client_name":"T\u00e9 \"ü\"","redirect_uris":["https://a.example/cb"]}'),
    ('019aa7b4-5a1c-7bd1-b0ff-000000000002', 0, 'rfc7591', NULL, 4294967295, '{}');
