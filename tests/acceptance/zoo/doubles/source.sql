CREATE TABLE number (id INTEGER PRIMARY KEY, v, declared REAL);
INSERT INTO number (id, v) VALUES
    (1, 0.1 + 0.2),
    (2, 0.5),
    (3, 1.7976931348623157e308),
    (4, -0.0),
    (5, 2.2250738585072014e-308),
    (6, 9e999),
    (7, -9e999);
-- Half of the smallest normal number, again and again, down to the last bit.
WITH RECURSIVE n (x, v) AS (SELECT 0, 2.2250738585072014e-308 UNION ALL SELECT x + 1, v / 2 FROM n WHERE x < 52)
INSERT INTO number (id, v) SELECT 8, v FROM n WHERE x = 52;
UPDATE number SET declared = v;
