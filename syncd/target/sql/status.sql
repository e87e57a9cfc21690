SELECT t.table_name, t.phase,
       t.rows_applied + coalesce((SELECT sum(p.rows_applied)::bigint FROM syncd.checkpoint p
                                   WHERE p.source_name = t.source_name AND p.table_name = t.table_name AND p.part > 0), 0),
       t.mark,
       (SELECT count(*) FROM syncd.reject r WHERE r.source_name = t.source_name AND r.table_name = t.table_name),
       t.error,
       to_char(t.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  FROM syncd.checkpoint t
 WHERE t.source_name = %(source)s AND t.part = 0
 ORDER BY t.table_name
