CREATE TABLE item (id INTEGER PRIMARY KEY, quantity INTEGER, at DATE, paid BOOLEAN);
INSERT INTO item VALUES
    (1, 1, '2024-01-01', 0),
    (2, 2.5, '2024-01-02', 1),
    (3, 'three', '2024-01-03', 1),
    (4, 4, 'now', 1),
    (5, 5, '2024-01-05 23:59:59', 1),
    (6, 6, '2024-01-06', 'ye'),
    (7, x'37', '2024-01-07', 1),
    (8, '8', '2024-01-08 00:00:00', 'true');
CREATE TABLE number (id INTEGER PRIMARY KEY, v REAL);
INSERT INTO number VALUES (1, 0.1), (2, 9e999), (3, -9e999), (4, 1e300), (5, 0.1 + 0.2);
