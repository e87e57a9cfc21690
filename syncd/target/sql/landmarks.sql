SELECT event, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), detail
  FROM (SELECT DISTINCT ON (event) id, event, at, detail
          FROM syncd.event
         WHERE source_name = %(source)s AND event = ANY(%(events)s)
         ORDER BY event, id DESC) newest
 ORDER BY id
