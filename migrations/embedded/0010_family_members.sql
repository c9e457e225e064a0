-- What version 7 of the tables counted stands beside the client.
UPDATE clients SET family = counted.family_id FROM family_clients AS counted
WHERE clients.client_id = counted.client_id AND clients.family IS NULL;
DROP TABLE family_clients;
-- The clients of each family. An index would cost each registration a page of its own, since families lie anywhere in
-- it: so a client is listed when its family is told of it, or when a person allows it, whichever comes first.
CREATE TABLE family_members (
    family_id BLOB NOT NULL,
    client_id BLOB NOT NULL,
    PRIMARY KEY (family_id, client_id)
) STRICT, WITHOUT ROWID;
INSERT INTO family_members SELECT family, client_id FROM clients INDEXED BY clients_of_family
WHERE family IS NOT NULL ORDER BY family, client_id;
DROP INDEX clients_of_family;
-- An arrival counts clients of one family that registered together. Their identifiers begin with the time. How many it
-- counts says nothing of which they are: one may have left and come back.
CREATE TRIGGER family_is_told AFTER DELETE ON family_arrivals BEGIN
    INSERT OR IGNORE INTO family_members SELECT family, client_id FROM clients
    WHERE family = old.family_id AND client_id >= old.client_id
    AND client_id < unhex(printf('%012x', old.last_seen_at + 1));
END;
CREATE TRIGGER client_is_allowed AFTER INSERT ON grants BEGIN
    INSERT OR IGNORE INTO family_members SELECT family, client_id FROM clients
    WHERE client_id = unhex(replace(new.client, '-', '')) AND family IS NOT NULL;
END;
CREATE TRIGGER client_changes_family AFTER UPDATE OF family ON clients WHEN old.family IS NOT new.family BEGIN
    DELETE FROM family_members WHERE family_id = old.family AND client_id = old.client_id;
    INSERT OR IGNORE INTO family_members SELECT new.family, new.client_id WHERE new.family IS NOT NULL;
END;
CREATE TRIGGER client_leaves_family AFTER DELETE ON clients WHEN old.family IS NOT NULL BEGIN
    DELETE FROM family_members WHERE family_id = old.family AND client_id = old.client_id;
END;
