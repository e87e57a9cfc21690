INSERT INTO place VALUES ('JP', 'Osaka');
INSERT INTO visit VALUES (4, 'JP', 'Osaka', 5), (5, 'KR', 'Seoul', 4);
DELETE FROM place WHERE city = 'Boston';
UPDATE visit SET country = NULL WHERE city = 'Boston';
