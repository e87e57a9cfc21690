INSERT INTO note VALUES ('日本', '\.', x'', 2);
UPDATE note SET v = '부산' WHERE name = 'Seoul';
DELETE FROM note WHERE name = 'long';
