CREATE TABLE place (country TEXT, city TEXT, PRIMARY KEY (country, city));
INSERT INTO place VALUES ('KR', 'Seoul'), ('US', 'Boston');
CREATE TABLE visit (
    id INTEGER PRIMARY KEY, country TEXT, city TEXT, before INTEGER REFERENCES visit,
    FOREIGN KEY (country, city) REFERENCES place
);
INSERT INTO visit VALUES (1, 'KR', 'Seoul', NULL), (2, 'US', 'Boston', 1), (3, 'US', NULL, 2);
CREATE TABLE stray (id INTEGER PRIMARY KEY, city TEXT, country TEXT,
    FOREIGN KEY (city, country) REFERENCES place (city, country));
INSERT INTO stray VALUES (1, 'Seoul', 'KR'), (2, 'Seoul', 'US'), (3, 'Atlantis', NULL);
