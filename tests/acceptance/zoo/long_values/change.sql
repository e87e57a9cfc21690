UPDATE doc SET body = substr(body, 1, 2999999) || 'y' WHERE id = 1;
UPDATE doc SET bytes = CAST(substr(bytes, 1, 1999999) || x'01' AS BLOB) WHERE id = 1;
