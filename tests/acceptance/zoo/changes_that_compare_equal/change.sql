UPDATE word SET fold = 'A', trim = 'a  ', untyped = 1.0, declared = '1.0' WHERE id = 1;
UPDATE word SET trim = 'b', untyped = 2 WHERE id = 2;
UPDATE word SET untyped = 3 WHERE id = 3;
UPDATE tag SET name = 'RED' WHERE name = 'red';
