CREATE TABLE pair (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
-- Enough for interior pages, on which such a table keeps rows as well.
WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000)
INSERT INTO pair SELECT 'key ' || (x % 7), x, printf('%.60c', 'v') FROM n;
