DELETE FROM log WHERE line IN ('one', 'three');
DELETE FROM doc WHERE name IN ('one', 'three');
VACUUM;
INSERT INTO log VALUES ('six');
