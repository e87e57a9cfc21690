UPDATE number SET v = 0.0 WHERE id = 4;
UPDATE number SET v = 0.3 WHERE id = 1;
UPDATE number SET v = -0.0 WHERE id = 2;
