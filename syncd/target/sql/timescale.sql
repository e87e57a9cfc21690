-- The library tells of itself by a setting that is there only where it was preloaded.
SELECT e.extversion, a.default_version, n.nspname,
       current_setting('timescaledb.disable_load', true) IS NOT NULL,
       current_setting('timescaledb.license', true),
       has_database_privilege(current_database(), 'CREATE')
           AND ((SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
                OR EXISTS (SELECT FROM pg_available_extension_versions v
                            WHERE v.name = 'timescaledb' AND v.version = a.default_version AND v.trusted)),
       current_setting('server_version')
  FROM (SELECT 1) AS one
  LEFT JOIN pg_available_extensions a ON a.name = 'timescaledb'
  LEFT JOIN pg_extension e ON e.extname = 'timescaledb'
  LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
