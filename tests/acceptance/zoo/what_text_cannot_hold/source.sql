CREATE TABLE note (id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO note VALUES
    (1, 'good'),
    (2, 'a' || char(0) || 'b'),
    (3, x'616263'),
    (4, CAST(x'ff41' AS TEXT)),
    (5, char(0)),
    (6, '');
