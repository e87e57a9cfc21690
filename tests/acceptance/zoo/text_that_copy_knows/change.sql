INSERT INTO note SELECT id + 20, v, again FROM note;
UPDATE note SET again = '\.' WHERE id = 5;
