CREATE TABLE item (id bigint PRIMARY KEY, updated_at timestamp);
