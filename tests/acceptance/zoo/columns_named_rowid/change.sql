INSERT INTO two VALUES ('x', 'x', 'c');
DELETE FROM two WHERE v = 'a';
INSERT INTO keyed VALUES (3, '1', '1', '1');
UPDATE keyed SET rowid = '9' WHERE id = 1;
INSERT INTO named VALUES ('c', 1, '', '');
UPDATE named SET rowid = 8 WHERE name = 'b';
