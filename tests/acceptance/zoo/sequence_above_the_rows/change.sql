INSERT INTO item (v) VALUES ('d');
DELETE FROM item WHERE id = 101;
INSERT INTO item (v) VALUES ('e');
