-- Staged rows that the target lacks or holds with other bytes, each with a digest of what was staged.
-- IS DISTINCT FROM would take citext 'a' for 'A' and 0 for -0, and it fails on json, xml and point.
SELECT s.{source_key}, t.{first} IS NULL,
       CASE WHEN t.{first} IS NOT NULL THEN array_remove(ARRAY[{columns}], NULL) ELSE '{{}}' END,
       md5(ROW({staged})::text)
  FROM {stage} s LEFT JOIN {target} t ON {same}
 WHERE t.{first} IS NULL OR ROW({held})::record *<> ROW({staged})::record
