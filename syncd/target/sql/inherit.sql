-- That syncd created the table stays known, so that a promotion gives it its final form.
INSERT INTO syncd.checkpoint AS c (source_name, table_name, part, phase, fingerprint, definition, created)
SELECT %(heir)s, %(heirs_table)s, 0, 'load', fingerprint, definition, created
  FROM syncd.checkpoint
 WHERE source_name = %(source)s AND table_name = %(table)s AND part = 0
    ON CONFLICT (source_name, table_name, part) DO UPDATE
   SET fingerprint = excluded.fingerprint,
       definition = excluded.definition,
       created = c.created OR excluded.created
