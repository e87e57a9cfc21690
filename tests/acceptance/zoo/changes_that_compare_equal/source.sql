CREATE TABLE word (
    id INTEGER PRIMARY KEY, fold TEXT COLLATE NOCASE, trim TEXT COLLATE RTRIM, untyped, declared TEXT
);
INSERT INTO word VALUES (1, 'a', 'a', 1, 1), (2, 'b', 'b  ', 2.0, 2.0), (3, 'c', 'c', '3', '3');
CREATE TABLE tag (name TEXT COLLATE NOCASE PRIMARY KEY, v TEXT);
INSERT INTO tag VALUES ('red', ''), ('blue', '');
