-- The constraints of a temporary table that speak of one of these columns; NOT NULL, one itself since version 18, last.
SELECT k.conname
  FROM pg_constraint k
 WHERE k.conrelid = %(table)s::regclass
   AND k.conkey && (SELECT array_agg(a.attnum) FROM pg_attribute a
                     WHERE a.attrelid = k.conrelid AND a.attname = ANY (%(columns)s))
 ORDER BY k.contype = 'n'
