UPDATE tickers SET region = 'CN' WHERE ticker = 'B';
INSERT INTO tickers VALUES ('D', 'VN');
DELETE FROM tickers WHERE ticker = 'A';
UPDATE tickers SET region = 'HK' WHERE ticker = 'C';
DELETE FROM bar WHERE id = 1;
