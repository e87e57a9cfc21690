INSERT OR REPLACE INTO account VALUES (5, 'a', 'took a');
INSERT OR REPLACE INTO account VALUES (2, 'd', 'took d');
