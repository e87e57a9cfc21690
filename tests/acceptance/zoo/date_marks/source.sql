CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT, at TEXT);
INSERT INTO item VALUES
    (1, 'a', '2024-01-01 10:00:00'),
    (2, 'b', '2024-01-01 11:00:00'),
    (3, 'c', '2024-01-01 12:00:00'),
    (4, 'd', NULL);
