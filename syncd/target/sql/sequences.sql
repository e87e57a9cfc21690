-- Every column of these tables that takes its values from a sequence: identities, serials, and defaults with nextval().
WITH used AS (
    SELECT d.refobjid AS relation, d.refobjsubid AS column, d.objid AS sequence
      FROM pg_depend d
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
     UNION
    SELECT f.adrelid, f.adnum, d.refobjid
      FROM pg_attrdef f JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
     WHERE d.refclassid = 'pg_class'::regclass)
SELECT c.relname, a.attname, n.nspname, s.relname,
       has_sequence_privilege(s.oid, 'SELECT') AND has_sequence_privilege(s.oid, 'UPDATE')
  FROM used u
  JOIN pg_class c ON c.oid = u.relation
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.column AND NOT a.attisdropped
  JOIN pg_class s ON s.oid = u.sequence AND s.relkind = 'S'
  JOIN pg_namespace n ON n.oid = s.relnamespace
  JOIN pg_sequence q ON q.seqrelid = s.oid
 WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relname = ANY (%(tables)s) AND c.relkind IN ('r', 'p')
   AND q.seqincrement > 0
 ORDER BY c.relname, a.attnum
