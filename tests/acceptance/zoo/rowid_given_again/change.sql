DELETE FROM item WHERE id = 3;
INSERT INTO item (v) VALUES ('new');
DELETE FROM note WHERE v = 'old';
INSERT INTO note VALUES ('new');
