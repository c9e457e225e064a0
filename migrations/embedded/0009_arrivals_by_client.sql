-- An arrival of a family is found from its clients: one page less for each family that a commit tells of clients.
DROP INDEX arrivals_of_family;
