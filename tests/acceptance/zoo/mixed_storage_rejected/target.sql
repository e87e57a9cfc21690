CREATE TABLE item (id bigint PRIMARY KEY, quantity integer, at date, paid boolean);
CREATE TABLE number (id bigint PRIMARY KEY, v numeric);
