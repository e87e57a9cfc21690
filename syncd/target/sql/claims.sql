-- Device and inode say nothing of a source's rows: those of a file that is gone go to the next one, and of a file under
-- another name the target may hold rows that it has lost since. A source that was promoted writes nothing any more.
SELECT c.definition ->> 'target', s.name, c.table_name
  FROM syncd.checkpoint c
  JOIN syncd.source s ON s.name = c.source_name
 WHERE s.name <> %(source)s
   AND s.schema_name = %(schema)s
   AND c.part = 0
   AND c.fingerprint <> ''
   AND c.definition IS NOT NULL
   AND NOT EXISTS (SELECT FROM syncd.cutover p WHERE p.source_name = s.name AND p.state = 'promoted')
 ORDER BY s.name
