INSERT INTO item (v) VALUES ('a random id');
UPDATE item SET v = 'largest yet' WHERE v = 'largest';
