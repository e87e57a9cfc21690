CREATE TABLE two (rowid TEXT, oid TEXT, v TEXT);
INSERT INTO two VALUES ('r', 'o', 'a'), ('r', 'o', 'b');
CREATE TABLE keyed (id INTEGER PRIMARY KEY, rowid TEXT, oid TEXT, _rowid_ TEXT);
INSERT INTO keyed VALUES (1, 'r', 'o', '_'), (2, 'r', 'o', '_');
CREATE TABLE named (name TEXT PRIMARY KEY, rowid INTEGER, oid TEXT, _rowid_ TEXT);
INSERT INTO named VALUES ('a', 7, 'o', '_'), ('b', 7, 'o', '_');
CREATE TABLE hidden (rowid INTEGER, oid TEXT, _rowid_ TEXT);
INSERT INTO hidden VALUES (7, 'o', '_'), (7, 'o', '_');
