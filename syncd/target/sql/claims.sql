-- A file under two names is one source; a source that was promoted writes nothing any more.
SELECT c.definition ->> 'target', s.name, c.table_name
  FROM syncd.checkpoint c
  JOIN syncd.source s ON s.name = c.source_name
 WHERE s.name <> %(source)s
   AND (s.device, s.inode) <> (%(device)s, %(inode)s)
   AND s.schema_name = %(schema)s
   AND c.part = 0
   AND c.fingerprint <> ''
   AND c.definition IS NOT NULL
   AND NOT EXISTS (SELECT FROM syncd.cutover p WHERE p.source_name = s.name AND p.state = 'promoted')
 ORDER BY s.name
