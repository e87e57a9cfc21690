-- What each table of a schema asks of a row beside types and NOT NULL, with the statement that takes it away.
-- Triggers of TimescaleDB, which only keep rows out of a hypertable's root, are left out.
WITH RECURSIVE asked AS (
    SELECT c.oid, c.relname, format('%%I.%%I', n.nspname, c.relname) AS called
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p')
), typed (oid, attname, attnum, type) AS (
    SELECT a.attrelid, a.attname, a.attnum, a.atttypid
      FROM pg_attribute a JOIN asked ON asked.oid = a.attrelid
     WHERE a.attnum > 0 AND NOT a.attisdropped
     UNION ALL
    SELECT typed.oid, attname, attnum, t.typbasetype
      FROM typed JOIN pg_type t ON t.oid = typed.type
     WHERE t.typtype = 'd'
), named AS (
    SELECT typed.*, t.typtype, format('%%I.%%I', n.nspname, t.typname) AS called
      FROM typed JOIN pg_type t ON t.oid = typed.type JOIN pg_namespace n ON n.oid = t.typnamespace
)
SELECT asked.relname,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(attname, called,
                   (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = type))
                   ORDER BY attnum), '[]')
          FROM named WHERE named.oid = asked.oid AND typtype = 'e'),
       (SELECT coalesce(jsonb_agg(jsonb_build_array('domain', conname, jsonb_build_array(attname),
                   called || ' ' || pg_get_constraintdef(k.oid),
                   format('ALTER DOMAIN %%s DROP CONSTRAINT %%I', called, conname)) ORDER BY attnum, conname), '[]')
          FROM named JOIN pg_constraint k ON k.contypid = named.type
         WHERE named.oid = asked.oid AND k.contype = 'c')
    || (SELECT coalesce(jsonb_agg(jsonb_build_array('not null', t.typname, jsonb_build_array(attname),
                   called || ' NOT NULL', format('ALTER DOMAIN %%s DROP NOT NULL', called)) ORDER BY attnum), '[]')
          FROM named JOIN pg_type t ON t.oid = named.type
         WHERE named.oid = asked.oid AND t.typtype = 'd' AND t.typnotnull)
    || (SELECT coalesce(jsonb_agg(jsonb_build_array('check', conname,
                   (SELECT coalesce(jsonb_agg(a.attname ORDER BY place), '[]')
                      FROM unnest(k.conkey) WITH ORDINALITY AS member(attnum, place)
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = member.attnum),
                   pg_get_constraintdef(k.oid),
                   format('ALTER TABLE %%s DROP CONSTRAINT %%I', asked.called, conname)) ORDER BY conname), '[]')
          FROM pg_constraint k WHERE k.conrelid = asked.oid AND k.contype = 'c')
    || (SELECT coalesce(jsonb_agg(jsonb_build_array(CASE WHEN i.indisunique THEN 'unique' ELSE 'exclusion' END,
                   x.relname,
                   (SELECT jsonb_agg(coalesce(a.attname::text, '') ORDER BY place)
                      FROM generate_series(1, i.indnkeyatts) AS place
                      LEFT JOIN pg_attribute a
                        ON a.attrelid = i.indrelid AND a.attnum = i.indkey[place - 1] AND a.attnum > 0),
                   coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(i.indexrelid)),
                   CASE WHEN k.oid IS NULL THEN format('DROP INDEX %%I.%%I', %(schema)s, x.relname)
                        ELSE format('ALTER TABLE %%s DROP CONSTRAINT %%I', asked.called, k.conname) END)
                   ORDER BY x.relname), '[]')
          FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
          LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
         WHERE i.indrelid = asked.oid AND (i.indisunique OR k.contype = 'x')),
       (SELECT coalesce(jsonb_agg(jsonb_build_array(g.tgname, pg_get_triggerdef(g.oid),
                   format('ALTER TABLE %%s DISABLE TRIGGER %%I', asked.called, g.tgname)) ORDER BY g.tgname), '[]')
          FROM pg_trigger g
         WHERE g.tgrelid = asked.oid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype & 1 = 1
           AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                            WHERE d.classid = 'pg_proc'::regclass AND d.objid = g.tgfoid AND d.deptype = 'e'
                              AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'timescaledb'))
  FROM asked
