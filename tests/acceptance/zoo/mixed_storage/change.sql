INSERT INTO item VALUES (6, 'six', 6, 6), (7, 7, 'seven', 7);
