UPDATE pair SET v = 'new' WHERE b % 100 = 1;
DELETE FROM pair WHERE b % 100 = 2;
INSERT INTO pair VALUES ('key 0', 0, 'first'), ('zzz', 1, 'last');
UPDATE pair SET a = 'moved' WHERE b = 3;
