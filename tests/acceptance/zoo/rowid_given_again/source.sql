CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO item VALUES (1, 'a'), (2, 'b'), (3, 'old');
CREATE TABLE note (v TEXT);
INSERT INTO note VALUES ('a'), ('old');
