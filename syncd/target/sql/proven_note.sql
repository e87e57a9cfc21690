WITH new AS (
    INSERT INTO syncd.proven AS p (source_name, table_name, at)
    SELECT c.source_name, c.table_name, clock_timestamp() - make_interval(secs => %(seconds)s)
      FROM syncd.checkpoint c
     WHERE c.source_name = %(source)s AND c.part = 0 AND c.table_name = ANY (%(tables)s)
        ON CONFLICT (source_name, table_name) DO UPDATE SET at = excluded.at
    RETURNING *)
DELETE FROM syncd.unproven u
 USING new
 WHERE u.source_name = new.source_name AND u.table_name = new.table_name AND u.at < new.at
