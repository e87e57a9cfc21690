CREATE TABLE tickers (ticker TEXT PRIMARY KEY, region TEXT);
INSERT INTO tickers VALUES ('A', 'US'), ('B', 'KR'), ('C', 'JP');
CREATE TABLE etf (id INTEGER PRIMARY KEY, ticker TEXT);
INSERT INTO etf VALUES (1, 'A'), (2, 'B'), (3, 'C'), (4, 'D');
CREATE TABLE bar (id INTEGER PRIMARY KEY, ticker TEXT, close REAL);
INSERT INTO bar VALUES (1, 'A', 1.5), (2, 'C', 2.5);
