SELECT h.hypertable_name::text, d.column_name::text,
       coalesce(d.integer_interval::text, d.time_interval::text),
       d.integer_now_func::text,
       h.compression_enabled,
       ARRAY(SELECT s.attname::text FROM timescaledb_information.compression_settings s
              WHERE s.hypertable_schema = h.hypertable_schema AND s.hypertable_name = h.hypertable_name
                AND s.segmentby_column_index IS NOT NULL ORDER BY s.segmentby_column_index),
       (SELECT coalesce(jsonb_agg(jsonb_build_array(s.attname, NOT s.orderby_asc) ORDER BY s.orderby_column_index), '[]')
          FROM timescaledb_information.compression_settings s
         WHERE s.hypertable_schema = h.hypertable_schema AND s.hypertable_name = h.hypertable_name
           AND s.orderby_column_index IS NOT NULL),
       (SELECT count(*)::int FROM timescaledb_information.chunks c
         WHERE c.hypertable_schema = h.hypertable_schema AND c.hypertable_name = h.hypertable_name),
       (SELECT count(*)::int FROM timescaledb_information.chunks c
         WHERE c.hypertable_schema = h.hypertable_schema AND c.hypertable_name = h.hypertable_name AND c.is_compressed)
  FROM timescaledb_information.hypertables h
  JOIN timescaledb_information.dimensions d
    ON d.hypertable_schema = h.hypertable_schema AND d.hypertable_name = h.hypertable_name AND d.dimension_number = 1
 WHERE h.hypertable_schema = %(schema)s
 ORDER BY 1
