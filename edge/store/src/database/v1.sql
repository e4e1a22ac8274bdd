-- What a file of SQLite has for catalog, API keys and audit log.
-- Which database this is, also when it was dumped and restored elsewhere.
CREATE TABLE catalog_identity (only_row BIGINT PRIMARY KEY CHECK (only_row = 1), id TEXT NOT NULL);
INSERT INTO catalog_identity VALUES (1, gen_random_uuid()::text);

CREATE TABLE catalog_version (
  only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
  timeline BIGINT NOT NULL,
  sequence BIGINT NOT NULL
);
INSERT INTO catalog_version VALUES (1, 1, 0);

CREATE TABLE catalog_changes (
  sequence BIGINT PRIMARY KEY,
  kind BIGINT NOT NULL,
  id BIGINT NOT NULL,
  loaded_ms BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  payload BYTEA NOT NULL
);
CREATE INDEX catalog_changes_of ON catalog_changes (kind, id, sequence);

CREATE TABLE catalog_current (
  kind BIGINT NOT NULL,
  id BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  PRIMARY KEY (kind, id)
);

CREATE TABLE catalog_limits (
  kind BIGINT NOT NULL,
  id BIGINT NOT NULL,
  field BIGINT NOT NULL,
  sequence BIGINT NOT NULL UNIQUE,
  loaded_ms BIGINT NOT NULL,
  micros BIGINT NOT NULL,
  PRIMARY KEY (kind, id, field, sequence)
);

CREATE TABLE catalog_index (
  kind BIGINT NOT NULL,
  id BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  tenant BIGINT NOT NULL,
  advertiser BIGINT,
  parent BIGINT NOT NULL,
  status BIGINT,
  name TEXT COLLATE "C" NOT NULL,
  external_id TEXT COLLATE "C",
  PRIMARY KEY (kind, id)
);
CREATE INDEX catalog_index_parents ON catalog_index (kind, parent, id);
CREATE INDEX catalog_index_tenants ON catalog_index (kind, tenant, id);
CREATE UNIQUE INDEX catalog_index_external ON catalog_index (tenant, kind, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE catalog_indexed (
  only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
  sequence BIGINT NOT NULL
);
INSERT INTO catalog_indexed VALUES (1, 0);

CREATE TABLE catalog_groups (
  line_item BIGINT NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  tenant BIGINT NOT NULL,
  advertiser BIGINT NOT NULL,
  PRIMARY KEY (line_item, name)
);
CREATE INDEX catalog_groups_tenants ON catalog_groups (tenant, advertiser, name);

CREATE TABLE idempotency_keys (
  sender TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  fingerprint BYTEA NOT NULL,
  answered_ms BIGINT NOT NULL,
  status BIGINT NOT NULL,
  version BIGINT,
  body TEXT NOT NULL,
  PRIMARY KEY (sender, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (answered_ms);

CREATE TABLE access_key (
  id BIGINT PRIMARY KEY,
  hash BYTEA NOT NULL UNIQUE CHECK (length(hash) = 32),
  role TEXT NOT NULL,
  tenant BIGINT,
  advertiser BIGINT,
  name TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT,
  revoked_ms BIGINT,
  rate BIGINT, -- requests a second; null: as configured
  CHECK (advertiser IS NULL OR tenant IS NOT NULL)
);
CREATE TABLE access_version (only_row BIGINT PRIMARY KEY CHECK (only_row = 1), changes BIGINT NOT NULL);
INSERT INTO access_version VALUES (1, 0);
CREATE TABLE access_session (
  hash BYTEA PRIMARY KEY CHECK (length(hash) = 32),
  key BIGINT NOT NULL REFERENCES access_key (id),
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL
);

CREATE TABLE audit (
  id BIGINT PRIMARY KEY,
  time_ms BIGINT NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  tenant BIGINT, -- null: of the platform itself
  kind TEXT NOT NULL,
  object TEXT NOT NULL,
  before TEXT, -- JSON; null where there was nothing
  after TEXT -- JSON; null where nothing is left
);
CREATE INDEX audit_object ON audit (kind, object, id);
CREATE INDEX audit_tenant ON audit (tenant, id);
CREATE TABLE audit_chain (
  id BIGINT PRIMARY KEY, -- of the row in `audit`
  link BYTEA NOT NULL CHECK (length(link) = 32)
);
-- How far the commands of money in the event log have rows here.
CREATE TABLE audit_followed (partition BIGINT PRIMARY KEY, next BIGINT NOT NULL);

-- What is appended stays as it was written.
CREATE FUNCTION catalog_row_stays() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION '% keeps every row as it was written', TG_TABLE_NAME; END $$;
CREATE TRIGGER catalog_changes_stay BEFORE UPDATE OR DELETE ON catalog_changes FOR EACH ROW EXECUTE FUNCTION catalog_row_stays();
CREATE TRIGGER catalog_changes_remain BEFORE TRUNCATE ON catalog_changes FOR EACH STATEMENT EXECUTE FUNCTION catalog_row_stays();
CREATE TRIGGER access_key_remains BEFORE DELETE ON access_key FOR EACH ROW EXECUTE FUNCTION catalog_row_stays();
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION catalog_row_stays();
CREATE TRIGGER audit_remains BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION catalog_row_stays();
CREATE TRIGGER audit_chain_stays BEFORE UPDATE OR DELETE ON audit_chain FOR EACH ROW EXECUTE FUNCTION catalog_row_stays();
CREATE TRIGGER audit_chain_remains BEFORE TRUNCATE ON audit_chain FOR EACH STATEMENT EXECUTE FUNCTION catalog_row_stays();
