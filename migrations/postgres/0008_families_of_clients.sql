-- A step of its own: clients can be read while the indexes are made.
CREATE INDEX clients_of_family ON clients (family, client_id) WHERE family IS NOT NULL;
CREATE INDEX clients_without_family ON clients (client_id) WHERE family IS NULL;
