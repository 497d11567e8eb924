-- A role for PostgreSQL that can read the views of docs/sql.md, and nothing else: no table, so no
-- mail address of a recipient. Run it as the owner of the database, after `ctsync db upgrade`:
--     psql postgresql://ctsync@db.example.org/ctsync -f reader-role.sql
-- Then set a password: \password ctsync_reader
-- The script may be run again. The owner needs the right to create roles.

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'ctsync_reader') THEN
        CREATE ROLE ctsync_reader LOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ctsync_reader', current_database());
END
$$;

-- a forgotten transaction or a query without a condition must not delay a sync
ALTER ROLE ctsync_reader SET default_transaction_read_only = on;
ALTER ROLE ctsync_reader SET statement_timeout = '60s';
ALTER ROLE ctsync_reader SET idle_in_transaction_session_timeout = '60s';

GRANT USAGE ON SCHEMA public TO ctsync_reader;
GRANT SELECT ON v_trials, v_versions, v_changes, v_watched, v_listed TO ctsync_reader;
