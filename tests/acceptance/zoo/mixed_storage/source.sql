CREATE TABLE item (id INTEGER PRIMARY KEY, quantity INTEGER, price REAL, anything);
INSERT INTO item VALUES
    (1, 1, 1, 1),
    (2, 2.5, 2.5, 2.5),
    (3, 'three', 'n/a', 'three'),
    (4, '004', '1e3', '004'),
    (5, NULL, NULL, NULL);
