SELECT table_name, reason, column_name, count(*), (array_agg(source_key ORDER BY first_seen, source_key))[1:3],
       (array_agg(left(message, 300) ORDER BY first_seen, source_key))[1]
  FROM syncd.reject
 WHERE source_name = %(source)s
 GROUP BY table_name, reason, column_name
 ORDER BY count(*) DESC, table_name, reason
 LIMIT 50
