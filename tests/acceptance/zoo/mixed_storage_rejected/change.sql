UPDATE item SET quantity = 3 WHERE id = 3;
DELETE FROM item WHERE id = 4;
UPDATE item SET paid = 2 WHERE id = 1;
