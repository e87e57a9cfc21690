CREATE TABLE IF NOT EXISTS syncd.source (
    name text PRIMARY KEY,
    device numeric NOT NULL,
    inode numeric NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    target_id text NOT NULL DEFAULT md5(random()::text || clock_timestamp()::text),
    data_version text
);
-- The schema that its tables go into; unknown until its owner starts anew, where an older release registered it.
ALTER TABLE syncd.source ADD COLUMN IF NOT EXISTS schema_name text NOT NULL DEFAULT '';

CREATE TABLE IF NOT EXISTS syncd.checkpoint (
    source_name text NOT NULL REFERENCES syncd.source ON DELETE CASCADE,
    table_name text NOT NULL,
    part integer NOT NULL,
    phase text NOT NULL CHECK (phase IN ('load', 'catchup', 'stopped')),
    mark jsonb NOT NULL DEFAULT '{}',
    base_snapshot text,
    fingerprint text NOT NULL,
    rows_applied bigint NOT NULL DEFAULT 0,
    error text NOT NULL DEFAULT '',
    created boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_name, table_name, part)
);
-- What the fingerprint stands for, so that a change can be named; unknown of what an older release loaded.
ALTER TABLE syncd.checkpoint ADD COLUMN IF NOT EXISTS definition jsonb;

CREATE TABLE IF NOT EXISTS syncd.touched (
    source_name text NOT NULL,
    table_name text NOT NULL,
    source_key text NOT NULL,
    target_key text NOT NULL,
    round bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (source_name, table_name, source_key, target_key)
);

-- The keys that the sweep at work settled, many in a row: an index of them costs more than merging their rows, and they
-- are looked up only after a sweep that did not come to its end.
CREATE TABLE IF NOT EXISTS syncd.settled (
    source_name text NOT NULL,
    table_name text NOT NULL,
    round bigint NOT NULL,
    source_keys text[] NOT NULL,
    target_keys text[] NOT NULL
);

CREATE OR REPLACE VIEW syncd.written AS
SELECT source_name, table_name, source_key, target_key, round
  FROM syncd.touched
 UNION ALL
SELECT s.source_name, s.table_name, k.source_key, k.target_key, s.round
  FROM syncd.settled s CROSS JOIN unnest(s.source_keys, s.target_keys) AS k(source_key, target_key);

CREATE TABLE IF NOT EXISTS syncd.reject (
    source_name text NOT NULL,
    table_name text NOT NULL,
    source_key text NOT NULL,
    row_data jsonb,
    reason text NOT NULL,
    column_name text NOT NULL DEFAULT '',
    message text NOT NULL,
    sqlstate text NOT NULL DEFAULT '',
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_tried timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 1,
    PRIMARY KEY (source_name, table_name, source_key)
);

CREATE TABLE IF NOT EXISTS syncd.event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_name text NOT NULL REFERENCES syncd.source ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    level text NOT NULL,
    event text NOT NULL,
    table_name text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT ''
);

CREATE TABLE IF NOT EXISTS syncd.control (
    source_name text NOT NULL REFERENCES syncd.source ON DELETE CASCADE,
    table_name text NOT NULL DEFAULT '',
    paused boolean NOT NULL DEFAULT false,
    rows_per_second bigint CHECK (rows_per_second > 0),
    who text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_name, table_name)
);

CREATE TABLE IF NOT EXISTS syncd.beat (
    source_name text PRIMARY KEY REFERENCES syncd.source ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    report jsonb NOT NULL
);

CREATE TABLE IF NOT EXISTS syncd.proven (
    source_name text NOT NULL,
    table_name text NOT NULL,
    part integer NOT NULL DEFAULT 0 CHECK (part = 0),
    at timestamptz NOT NULL,
    PRIMARY KEY (source_name, table_name),
    FOREIGN KEY (source_name, table_name, part) REFERENCES syncd.checkpoint ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS syncd.unproven (
    source_name text NOT NULL,
    table_name text NOT NULL,
    source_key text NOT NULL,
    target_key text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_name, table_name, source_key, target_key),
    FOREIGN KEY (source_name, table_name) REFERENCES syncd.proven ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS syncd.cutover (
    source_name text PRIMARY KEY REFERENCES syncd.source ON DELETE CASCADE,
    attempt integer NOT NULL DEFAULT 1,
    state text NOT NULL CHECK (state IN ('ready', 'drain', 'fence', 'final drain', 'sweep', 'verify', 'sequences',
                                         'finish', 'promoted', 'aborted')),
    who text NOT NULL,
    began timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended timestamptz,
    abort_asked boolean NOT NULL DEFAULT false,
    seal jsonb,
    report jsonb
);
-- on_fence was run, and neither on_abort nor a promotion came after it: whoever aborts owes it the hook, even much later.
ALTER TABLE syncd.cutover ADD COLUMN IF NOT EXISTS application_stopped boolean NOT NULL DEFAULT false;

CREATE TABLE IF NOT EXISTS syncd.cutover_step (
    source_name text NOT NULL REFERENCES syncd.cutover ON DELETE CASCADE,
    attempt integer NOT NULL,
    number integer NOT NULL,
    step text NOT NULL,
    began timestamptz NOT NULL DEFAULT clock_timestamp(),
    seconds double precision,
    outcome text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    PRIMARY KEY (source_name, attempt, number)
);

-- The tables of the target that PostgreSQL took over.
CREATE TABLE IF NOT EXISTS syncd.promoted (
    schema_name text NOT NULL,
    table_name text NOT NULL,
    source_name text NOT NULL REFERENCES syncd.source ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (schema_name, table_name)
);
