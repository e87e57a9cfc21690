SELECT f.conname, c.relname,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
          FROM unnest(f.conkey) WITH ORDINALITY AS k(attnum, place)
          JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
       pn.nspname, p.relname,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
          FROM unnest(f.confkey) WITH ORDINALITY AS k(attnum, place)
          JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum)
  FROM pg_constraint f
  JOIN pg_class c ON c.oid = f.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class p ON p.oid = f.confrelid
  JOIN pg_namespace pn ON pn.oid = p.relnamespace
 WHERE n.nspname = %(schema)s AND f.contype = 'f' AND f.conparentid = 0
 ORDER BY c.relname, f.conname
