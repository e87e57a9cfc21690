CREATE TABLE log (line TEXT);
INSERT INTO log VALUES ('one'), ('two'), ('three'), ('four'), ('five');
CREATE TABLE doc (name TEXT PRIMARY KEY, line TEXT);
INSERT INTO doc SELECT line, line FROM log;
