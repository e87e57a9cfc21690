-- The constraints of a table: kind as pg_constraint has it, whether it can be deferred, and a foreign key's actions.
SELECT k.conname, k.contype::text, k.condeferrable, k.confupdtype::text, k.confdeltype::text
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relname = %(table)s
