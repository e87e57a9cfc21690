-- The four roles of a move into the database `quant`. Run it once, as a superuser, connected to that database:
--
--     psql --no-psqlrc --set=ON_ERROR_STOP=1 --single-transaction --dbname=quant --file=roles.sql
--
-- For a database of another name:  sed 's/quant/shop/g' roles.sql
-- No role gets a password here: set them with \password, so that they stand in no file and no log.

-- Owns the database and, in the end, every table. Nobody logs in as it.
CREATE ROLE quant_owner NOLOGIN;
-- Changes the schema: people and deployments, not syncd. It acts as the owner by SET ROLE quant_owner.
CREATE ROLE quant_migrate LOGIN IN ROLE quant_owner;
-- What syncd connects as: load, run, cutover.
CREATE ROLE quant_apply LOGIN;
-- For those who look: status, report, verify --no-sync, pg_dump, monitoring.
CREATE ROLE quant_read LOGIN;

ALTER DATABASE quant OWNER TO quant_owner;
REVOKE ALL ON DATABASE quant FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE quant TO quant_migrate, quant_apply, quant_read;
-- For `syncd cutover --rehearse` alone, which works in a schema of its own; take it back when you have rehearsed.
GRANT CREATE ON DATABASE quant TO quant_apply;

-- The tables' schema. CREATE lets syncd create the tables that are missing: leave it out where all are there.
ALTER SCHEMA public OWNER TO quant_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO quant_apply, quant_read;
GRANT CREATE ON SCHEMA public TO quant_apply;

-- syncd's own state.
CREATE SCHEMA syncd AUTHORIZATION quant_apply;
GRANT USAGE ON SCHEMA syncd TO quant_read;

-- Tables that are there before syncd, and those that the owner makes later: rows, and at the cutover the sequences.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO quant_apply;
GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO quant_apply;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO quant_read;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO quant_read;
ALTER DEFAULT PRIVILEGES FOR ROLE quant_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO quant_apply;
ALTER DEFAULT PRIVILEGES FOR ROLE quant_owner IN SCHEMA public GRANT SELECT, UPDATE ON SEQUENCES TO quant_apply;
ALTER DEFAULT PRIVILEGES FOR ROLE quant_owner IN SCHEMA public GRANT SELECT ON TABLES TO quant_read;
ALTER DEFAULT PRIVILEGES FOR ROLE quant_owner IN SCHEMA public GRANT SELECT ON SEQUENCES TO quant_read;

-- What syncd itself creates, in both schemas.
ALTER DEFAULT PRIVILEGES FOR ROLE quant_apply IN SCHEMA public, syncd GRANT SELECT ON TABLES TO quant_read;
ALTER DEFAULT PRIVILEGES FOR ROLE quant_apply IN SCHEMA public, syncd GRANT SELECT ON SEQUENCES TO quant_read;
