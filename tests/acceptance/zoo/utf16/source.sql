PRAGMA encoding = 'UTF-16';
CREATE TABLE note (name TEXT PRIMARY KEY, v TEXT, bytes BLOB, number REAL);
INSERT INTO note VALUES
    ('Seoul', '서울', x'ff00', 0.1),
    ('emoji', '😀 it''s', CAST('ab' AS BLOB), 1e300),
    ('accent', 'é' || char(13, 10) || 'ü', NULL, NULL),
    ('long', printf('%.100000c', 'x'), x'', 1);
