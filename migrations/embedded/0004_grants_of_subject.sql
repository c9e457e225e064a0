-- What somebody has allowed is looked for by whoever has: written once a grant, when a person decides.
CREATE INDEX grants_of_subject ON grants (subject);
