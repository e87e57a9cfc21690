CREATE TABLE account (id INTEGER PRIMARY KEY, email TEXT UNIQUE, v TEXT);
INSERT INTO account VALUES (1, 'a', 'old'), (2, 'b', 'old'), (3, 'c', 'old'), (4, 'd', 'old');
