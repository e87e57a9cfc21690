UPDATE note SET v = 'ab' WHERE id = 2;
