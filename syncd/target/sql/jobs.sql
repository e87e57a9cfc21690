-- Some releases name the aggregate of a refresh policy, others what it is kept in.
SELECT j.job_id, coalesce(a.view_name, j.hypertable_name)::text,
       CASE WHEN j.proc_name LIKE '%%compression' OR j.proc_name LIKE '%%columnstore' THEN 'compression'
            WHEN j.proc_name LIKE '%%retention' THEN 'retention'
            ELSE 'refresh' END,
       coalesce(j.config ->> 'compress_after', j.config ->> 'drop_after', ''),
       j.schedule_interval::text, j.scheduled,
       coalesce(s.last_run_status, ''),
       CASE WHEN isfinite(s.last_run_started_at) THEN s.last_run_started_at END,
       coalesce((SELECT e.err_message FROM timescaledb_information.job_errors e
                  WHERE e.job_id = j.job_id ORDER BY e.start_time DESC LIMIT 1), '')
  FROM timescaledb_information.jobs j
  LEFT JOIN timescaledb_information.job_stats s ON s.job_id = j.job_id
  LEFT JOIN timescaledb_information.continuous_aggregates a
    ON (j.hypertable_schema, j.hypertable_name)
       IN ((a.materialization_hypertable_schema, a.materialization_hypertable_name), (a.view_schema, a.view_name))
 WHERE coalesce(a.view_schema, j.hypertable_schema) = %(schema)s
   AND j.proc_name IN ('policy_compression', 'policy_retention', 'policy_refresh_continuous_aggregate')
 ORDER BY 2, 3
