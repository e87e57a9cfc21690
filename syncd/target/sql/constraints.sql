-- The constraints of a table: kind as pg_constraint has it, whether it can be deferred, a foreign key's actions, and the
-- name of the index that may take its place with whether that is built: NULL where there is none.
SELECT k.conname, k.contype::text, k.condeferrable, k.confupdtype::text, k.confdeltype::text, r.name, x.indisvalid
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
 CROSS JOIN LATERAL (SELECT 'syncd_final_' || k.oid AS name) r
  LEFT JOIN pg_class i ON i.relnamespace = c.relnamespace AND i.relname = r.name
  LEFT JOIN pg_index x ON x.indexrelid = i.oid AND x.indrelid = c.oid
 WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relname = %(table)s
