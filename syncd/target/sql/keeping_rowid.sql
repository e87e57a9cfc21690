-- What depends on a column of these tables, or on a constraint over it, so that the column cannot be dropped: views, most
-- of all. What goes with the column by itself is not among it.
WITH keyed AS (
    SELECT c.oid, c.relname, a.attnum
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = %(column)s
     WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relname = ANY (%(tables)s))
SELECT DISTINCT k.relname, coalesce(r.ev_class::regclass::text, pg_describe_object(d.classid, d.objid, d.objsubid))
  FROM keyed k
  JOIN pg_depend d
    ON d.refclassid = 'pg_class'::regclass AND d.refobjid = k.oid AND d.refobjsubid = k.attnum
    OR d.refclassid = 'pg_constraint'::regclass
   AND d.refobjid IN (SELECT oid FROM pg_constraint WHERE conrelid = k.oid AND k.attnum = ANY (conkey))
  LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
 WHERE d.deptype = 'n'
 ORDER BY 1, 2
