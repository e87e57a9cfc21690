-- The unique indexes and exclusion constraints of a table, but for its key: of each the columns, NULL where it is an
-- expression, the expressions, the operators, and the condition.
SELECT array_agg(a.attname::text ORDER BY place),
       array_agg(pg_get_indexdef(x.indexrelid, place, true) ORDER BY place),
       array_agg(coalesce((SELECT format('OPERATOR(%%I.%%s)', s.nspname, o.oprname)
                             FROM pg_operator o JOIN pg_namespace s ON s.oid = o.oprnamespace
                            WHERE o.oid = k.conexclop[place]), '=') ORDER BY place),
       pg_get_expr(x.indpred, x.indrelid, true)
  FROM pg_index x
 CROSS JOIN generate_series(1, x.indnkeyatts) AS place
  LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype = 'x'
  LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[place - 1] AND a.attnum > 0
 WHERE x.indrelid = %(table)s::regclass
   AND (x.indisunique OR k.oid IS NOT NULL)
 GROUP BY x.indexrelid, x.indpred, x.indrelid
HAVING bool_or(k.oid IS NOT NULL)
    OR array_agg(a.attname::text ORDER BY a.attname) IS DISTINCT FROM %(key)s::text[]
 ORDER BY x.indexrelid
