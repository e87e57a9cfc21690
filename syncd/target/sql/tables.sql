-- Of a column whose type is a domain the type below it is told: it decides what a value may become.
-- A key that compares by another collation than its column does cannot be asked for: it is left out.
SELECT c.oid, c.relname,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(
                   a.attname, format_type(below.type, below.modifier), a.attnotnull, a.attgenerated <> '',
                   a.atthasdef OR a.attidentity <> '' OR (SELECT typdefault IS NOT NULL FROM pg_type WHERE oid = a.atttypid),
                   CASE WHEN below.is_enum THEN true
                        WHEN EXISTS (SELECT FROM pg_collation o WHERE o.oid = a.attcollation AND NOT o.collisdeterministic)
                        THEN false END)
                   ORDER BY a.attnum), '[]')
          FROM pg_attribute a
         CROSS JOIN LATERAL (
               WITH RECURSIVE d(type, modifier) AS (
                   SELECT a.atttypid, a.atttypmod
                   UNION ALL
                   SELECT t.typbasetype, t.typtypmod FROM d JOIN pg_type t ON t.oid = d.type WHERE t.typtype = 'd')
               SELECT d.type, d.modifier, t.typtype = 'e' AS is_enum FROM d JOIN pg_type t ON t.oid = d.type WHERE t.typtype <> 'd') AS below
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       (SELECT coalesce(jsonb_agg(members ORDER BY is_primary DESC, name), '[]')
          FROM (SELECT i.indisprimary AS is_primary, i.indexrelid::regclass::text AS name,
                       jsonb_agg(a.attname ORDER BY k.place) AS members,
                       bool_and(a.attnotnull AND (k.collated = a.attcollation OR NOT EXISTS (
                           SELECT FROM pg_collation o WHERE o.oid = k.collated AND NOT o.collisdeterministic))) AS usable
                  FROM pg_index i
                 CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1], i.indcollation[0:i.indnkeyatts - 1])
                       WITH ORDINALITY AS k(attnum, collated, place)
                  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                 WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
                   AND i.indpred IS NULL AND i.indexprs IS NULL
                 GROUP BY i.indexrelid, i.indisprimary) AS unique_keys
         WHERE usable) AS keys,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(
                   f.conname,
                   (SELECT jsonb_agg(a.attname ORDER BY k.place)
                      FROM unnest(f.conkey) WITH ORDINALITY AS k(attnum, place)
                      JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
                   p.relname,
                   (SELECT jsonb_agg(a.attname ORDER BY k.place)
                      FROM unnest(f.confkey) WITH ORDINALITY AS k(attnum, place)
                      JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum))
                   ORDER BY f.conname), '[]')
          FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid
         WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0) AS foreign_keys
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p')
 ORDER BY c.relname
