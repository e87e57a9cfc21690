CREATE TABLE territory (name TEXT PRIMARY KEY);
INSERT INTO territory VALUES ('north');
CREATE TABLE employee (
    id INTEGER PRIMARY KEY,
    territory TEXT REFERENCES territory (id),
    boss INTEGER REFERENCES nobody (id)
);
INSERT INTO employee VALUES (1, 'north', NULL), (2, 'south', 1);
