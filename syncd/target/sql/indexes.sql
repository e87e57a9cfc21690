SELECT i.relname::text, t.relname::text, x.indisunique, x.indisvalid,
       EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')),
       x.indisprimary,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(coalesce(a.attname, ''), o.option & 1 = 1) ORDER BY o.place), '[]')
          FROM unnest(x.indkey::smallint[], x.indoption::smallint[]) WITH ORDINALITY AS o(attnum, option, place)
          LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = o.attnum AND o.attnum > 0
         WHERE o.place <= x.indnkeyatts)
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE n.nspname = %(schema)s
 ORDER BY t.relname, i.relname
