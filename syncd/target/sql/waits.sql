-- What the sessions of these processes are at, of those that are in a transaction. A wait for a buffer that is being
-- read, and for the log to be written, is one for the disk.
SELECT
    count(*) FILTER (WHERE kind = 'working'),
    count(*) FILTER (WHERE kind = 'disk'),
    count(*) FILTER (WHERE kind = 'locked'),
    count(*) FILTER (WHERE kind = 'client')
FROM (
    SELECT CASE
        WHEN wait_event_type = 'Client' THEN 'client'
        WHEN wait_event_type = 'IO' OR wait_event IN ('WALWrite', 'WALWriteLock') THEN 'disk'
        WHEN wait_event_type IN ('Lock', 'LWLock', 'BufferPin') THEN 'locked'
        ELSE 'working'
    END AS kind
    FROM pg_stat_activity
    WHERE pid = ANY(%s) AND state IN ('active', 'idle in transaction')
) seen
