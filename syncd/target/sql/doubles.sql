-- Staged rows whose key another staged row has as well, each with the one of them that is the last in the source.
-- A key that lacks a member is nobody's.
WITH shared AS (SELECT {key} FROM {stage} s WHERE {given} GROUP BY {key} HAVING count(*) > 1),
ranked AS (
    SELECT s.{source_key} AS loser, first_value(s.{source_key}) OVER latest AS winner, row_number() OVER latest AS n
      FROM {stage} s JOIN shared t ON {same_key}
    WINDOW latest AS (PARTITION BY {key} ORDER BY {place} DESC))
SELECT loser, winner FROM ranked WHERE n > 1
