-- As text: the chunk of the last day that Python knows ends after it.
SELECT make_date(year, 1, 1)::text, make_date(year + 1, 1, 1)::text
  FROM (SELECT DISTINCT generate_series(greatest(extract(year FROM c.range_start), 1)::int,
                                        least(extract(year FROM c.range_end), 9999)::int) AS year
          FROM timescaledb_information.continuous_aggregates a
          JOIN timescaledb_information.chunks c USING (hypertable_schema, hypertable_name)
         WHERE a.view_schema = %(schema)s AND a.view_name = %(aggregate)s
           AND isfinite(c.range_start) AND isfinite(c.range_end)) AS spanned
 ORDER BY year
