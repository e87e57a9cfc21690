SELECT (SELECT coalesce(jsonb_agg(jsonb_build_object(
               'table', t.table_name, 'phase', t.phase, 'mark', t.mark, 'error', t.error,
               'rows', t.rows_applied + coalesce(p.rows, 0), 'rejects', coalesce(r.rejects, 0),
               'updated_at', to_char(t.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
               ORDER BY t.table_name), '[]')
          FROM syncd.checkpoint t
          LEFT JOIN (SELECT table_name, sum(rows_applied) AS rows FROM syncd.checkpoint
                      WHERE source_name = %(source)s AND part > 0 GROUP BY table_name) p USING (table_name)
          LEFT JOIN (SELECT table_name, count(*) AS rejects FROM syncd.reject
                      WHERE source_name = %(source)s GROUP BY table_name) r USING (table_name)
         WHERE t.source_name = %(source)s AND t.part = 0) AS tables,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
               'table', c.table_name, 'paused', c.paused, 'rows_per_second', c.rows_per_second, 'who', c.who,
               'since', to_char(c.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))), '[]')
          FROM syncd.control c WHERE c.source_name = %(source)s) AS controls,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
               'number', e.id, 'at', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'level', e.level,
               'event', e.event, 'table', e.table_name, 'detail', left(e.detail, 500)) ORDER BY e.id), '[]')
          FROM (SELECT * FROM syncd.event WHERE source_name = %(source)s AND id > %(after)s ORDER BY id DESC LIMIT 100) e
       ) AS events
