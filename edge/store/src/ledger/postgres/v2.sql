-- Which timeline the ledger was last promoted to: the server's that it is on, and how often a copy took its place.
ALTER TABLE ledger_state ADD COLUMN cluster BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_state ADD COLUMN timeline BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_state ADD COLUMN raised BIGINT NOT NULL DEFAULT 0;
UPDATE ledger_state SET (cluster, timeline) = (
  SELECT system_identifier # (oid::bigint << 24), ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint
  FROM pg_control_system(), pg_database WHERE datname = current_database()
);
-- Entries below were there when it was promoted: what they did is done again.
ALTER TABLE ledger_partition ADD COLUMN redo BIGINT NOT NULL DEFAULT 0;
