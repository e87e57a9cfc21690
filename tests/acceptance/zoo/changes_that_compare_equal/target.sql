CREATE TABLE word (id bigint PRIMARY KEY, fold text, trim text, untyped text, declared text);
