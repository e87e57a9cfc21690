INSERT INTO syncd.checkpoint AS c
       (source_name, table_name, part, phase, fingerprint, definition, mark, base_snapshot, rows_applied, error, created)
SELECT %(source)s, r.table_name, r.part, r.phase, r.fingerprint, r.definition, r.mark, r.base_snapshot, r.rows_applied,
       r.error, r.created
  FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
       table_name text, part integer, phase text, fingerprint text, definition jsonb, mark jsonb, base_snapshot text,
       rows_applied bigint, error text, created boolean)
    ON CONFLICT (source_name, table_name, part) DO UPDATE
   SET phase = excluded.phase,
       fingerprint = excluded.fingerprint,
       definition = excluded.definition,
       mark = excluded.mark,
       base_snapshot = excluded.base_snapshot,
       rows_applied = excluded.rows_applied,
       error = excluded.error,
       created = c.created OR excluded.created,
       updated_at = clock_timestamp()
