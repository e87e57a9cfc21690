UPDATE item SET v = 'tie', at = '2024-01-01 12:00:00' WHERE id = 1;
INSERT INTO item VALUES (5, 'no date', NULL);
UPDATE item SET v = 'late', at = '2024-01-01 11:55:00' WHERE id = 3;
UPDATE item SET v = 'too late', at = '2024-01-01 11:30:00' WHERE id = 2;
UPDATE item SET v = 'undated' WHERE id = 4;
