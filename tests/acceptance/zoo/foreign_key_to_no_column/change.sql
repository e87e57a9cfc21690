INSERT INTO employee VALUES (3, 'east', 99);
DELETE FROM employee WHERE id = 1;
