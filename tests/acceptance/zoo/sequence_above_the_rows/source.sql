CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
INSERT INTO item (v) VALUES ('a'), ('b'), ('c');
DELETE FROM item WHERE id = 3;
UPDATE sqlite_sequence SET seq = 100 WHERE name = 'item';
