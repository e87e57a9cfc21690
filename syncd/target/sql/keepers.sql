-- Who holds a lock on one of these tables, beside ourselves.
SELECT DISTINCT a.pid, coalesce(a.usename, a.backend_type)
  FROM pg_locks l
  JOIN pg_stat_activity a USING (pid)
 WHERE l.granted AND l.pid <> pg_backend_pid()
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.relation IN (SELECT oid FROM pg_class
                       WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND relname = ANY (%(tables)s))
 ORDER BY a.pid
