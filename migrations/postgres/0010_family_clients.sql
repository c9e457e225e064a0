-- What version 6 of the tables counted stands beside the client. The next step drops the table, which nodes of the last
-- release look into.
UPDATE clients SET family = counted.family_id FROM family_clients AS counted
WHERE clients.client_id = counted.client_id AND clients.family IS NULL;
DELETE FROM family_clients;
