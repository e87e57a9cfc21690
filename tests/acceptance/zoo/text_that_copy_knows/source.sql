CREATE TABLE note (id INTEGER PRIMARY KEY, v TEXT, again TEXT);
INSERT INTO note (id, v) VALUES
    (1, '\.'),
    (2, char(10) || '\.' || char(10)),
    (3, 'a' || char(13) || 'b' || char(13, 10) || 'c'),
    (4, char(0xFEFF) || 'bom'),
    (5, 'NULL'),
    (6, '\N'),
    (7, ''),
    (8, ' '),
    (9, '''quoted'', "twice"'),
    (10, char(9) || 'tab,comma;'),
    (11, NULL),
    (12, '\x41\'),
    (13, '$1 %s {} :name');
UPDATE note SET again = v;
