CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT, bytes BLOB);
INSERT INTO doc VALUES
    (1, printf('%.3000000c', 'x'), zeroblob(2000000)),
    (2, replace(printf('%.1000000c', '-'), '-', 'é''' || char(10)), randomblob(10)),
    (3, 'short', x'');
