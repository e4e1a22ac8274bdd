-- What a file of SQLite has after its versions 1 to 4.
CREATE TABLE ledger_state (
  one SMALLINT PRIMARY KEY CHECK (one = 1),
  keys_dropped INTEGER -- the last UTC day whose key table is gone
);
INSERT INTO ledger_state (one, keys_dropped) VALUES (1, NULL);

CREATE TABLE ledger_partition (
  partition INTEGER PRIMARY KEY,
  kind SMALLINT NOT NULL, -- 0 events, 1 admin
  next BIGINT NOT NULL, -- the first offset not consumed
  appended BIGINT, -- running maximum of consumed append times, ms
  sealed BIGINT
) WITH (fillfactor = 50);

CREATE TABLE ledger_key_day (day INTEGER PRIMARY KEY);

CREATE TABLE ledger_lease (
  id UUID PRIMARY KEY,
  holder BIGINT NOT NULL,
  account BIGINT NOT NULL, campaign BIGINT NOT NULL, line_item BIGINT NOT NULL, day INTEGER NOT NULL,
  granted_hi BIGINT NOT NULL, granted_lo BIGINT NOT NULL,
  spent_hi BIGINT NOT NULL, spent_lo BIGINT NOT NULL,
  returned_hi BIGINT NOT NULL, returned_lo BIGINT NOT NULL,
  granted_at BIGINT NOT NULL, expires BIGINT NOT NULL, closed SMALLINT NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX ledger_lease_open ON ledger_lease (expires, id) WHERE closed = 0;
CREATE INDEX ledger_lease_closed ON ledger_lease (expires) WHERE closed = 1;

CREATE TABLE ledger_control (
  level SMALLINT NOT NULL, -- 0 account, 1 campaign, 2 campaign day, 3 line item
  object BIGINT NOT NULL,
  day INTEGER NOT NULL, -- 0 where the level has none
  unit SMALLINT NOT NULL DEFAULT 0 CHECK (unit = 0), -- nanos
  limit_hi BIGINT NOT NULL, limit_lo BIGINT NOT NULL,
  restored_hi BIGINT NOT NULL, restored_lo BIGINT NOT NULL,
  leased_hi BIGINT NOT NULL, leased_lo BIGINT NOT NULL,
  spent_hi BIGINT NOT NULL, spent_lo BIGINT NOT NULL,
  ceiling_hi BIGINT NOT NULL, ceiling_lo BIGINT NOT NULL,
  PRIMARY KEY (level, object, day),
  CONSTRAINT amounts_in_range CHECK (
    -- The sign of the whole is negative where one of them is.
    (limit_hi | limit_lo | restored_hi | restored_lo | leased_hi | leased_lo | spent_hi | spent_lo | ceiling_hi | ceiling_lo) >= 0
    AND greatest(limit_hi, restored_hi, leased_hi, spent_hi, ceiling_hi) <= 4000000000000000000
    AND greatest(limit_lo, restored_lo, leased_lo, spent_lo, ceiling_lo) <= 999999999999999999),
  CONSTRAINT restored_within_spent CHECK ((restored_hi, restored_lo) <= (spent_hi, spent_lo)),
  CONSTRAINT spent_and_leased_within_ceiling_and_restored CHECK (
    (spent_hi + leased_hi + (spent_lo + leased_lo) / 1000000000000000000, (spent_lo + leased_lo) % 1000000000000000000)
    <= (ceiling_hi + restored_hi + (ceiling_lo + restored_lo) / 1000000000000000000, (ceiling_lo + restored_lo) % 1000000000000000000))
) WITH (fillfactor = 50);

CREATE TABLE ledger_funding (
  account BIGINT PRIMARY KEY,
  added_hi BIGINT NOT NULL, added_lo BIGINT NOT NULL,
  removed_hi BIGINT NOT NULL, removed_lo BIGINT NOT NULL,
  credit_hi BIGINT NOT NULL, credit_lo BIGINT NOT NULL
);

CREATE TABLE ledger_daily_limit (
  campaign BIGINT NOT NULL,
  from_day INTEGER NOT NULL, -- in force from this day on, until the next step
  limit_hi BIGINT NOT NULL, limit_lo BIGINT NOT NULL,
  PRIMARY KEY (campaign, from_day)
);

CREATE TABLE ledger_pending (
  decision UUID NOT NULL, slot SMALLINT NOT NULL, kind SMALLINT NOT NULL, order_id TEXT COLLATE "C" NOT NULL,
  partition INTEGER NOT NULL, at BIGINT NOT NULL,
  tenant BIGINT NOT NULL,
  account BIGINT NOT NULL, campaign BIGINT NOT NULL, line_item BIGINT NOT NULL, day INTEGER NOT NULL,
  amount_hi BIGINT NOT NULL, amount_lo BIGINT NOT NULL,
  lease UUID NOT NULL, hold_expires BIGINT NOT NULL, token_expires BIGINT NOT NULL,
  short_level SMALLINT NOT NULL, late SMALLINT NOT NULL,
  quarter BIGINT NOT NULL, ad BIGINT NOT NULL, creative BIGINT NOT NULL, placement BIGINT NOT NULL,
  country TEXT COLLATE "C" NOT NULL, traffic SMALLINT NOT NULL,
  PRIMARY KEY (decision, slot, kind, order_id)
);
CREATE INDEX ledger_pending_chain ON ledger_pending (account, campaign, line_item, day, amount_hi, amount_lo, decision, slot, kind, order_id);
CREATE INDEX ledger_pending_expiry ON ledger_pending (token_expires, decision, slot, kind, order_id);

CREATE TABLE ledger_command (
  id UUID PRIMARY KEY,
  partition INTEGER NOT NULL, at BIGINT NOT NULL, appended BIGINT NOT NULL,
  tenant BIGINT NOT NULL,
  effect SMALLINT NOT NULL, -- 0 deposit, 1 credit, 2 lifetime, 3 daily, 4 line item, 5 refund, 6 adjustment
  account BIGINT NOT NULL, campaign BIGINT, line_item BIGINT, day INTEGER, day_ends BIGINT,
  nanos TEXT, -- decimal, as asked for; null for no limit
  outcome SMALLINT NOT NULL CHECK (outcome BETWEEN 0 AND 5), -- 0 applied, 1 waiting, 2 and up refused
  by_whom TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX ledger_command_waiting ON ledger_command (partition, at) WHERE outcome = 1;
CREATE INDEX ledger_command_account ON ledger_command (account, appended);

CREATE TABLE ledger_posting (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind SMALLINT NOT NULL, -- 0 bill, 1 deposit, 2 refund, 3 adjustment
  cause_partition INTEGER, cause_next BIGINT, cause_command UUID, -- all null: a retry
  tenant BIGINT NOT NULL,
  debit_kind SMALLINT NOT NULL, debit_owner BIGINT NOT NULL, -- 0 funds, 1 revenue, 2 refunds, 3 house, 4 residue
  credit_kind SMALLINT NOT NULL, credit_owner BIGINT NOT NULL,
  hi BIGINT NOT NULL CHECK (hi >= 0), lo BIGINT NOT NULL CHECK (lo BETWEEN 0 AND 999999999999999999),
  events BIGINT NOT NULL CHECK (events > 0),
  account BIGINT, campaign BIGINT, line_item BIGINT, day INTEGER,
  restores_day SMALLINT NOT NULL
);
CREATE FUNCTION ledger_posting_stays() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'postings are append-only'; END $$;
CREATE TRIGGER ledger_posting_stays BEFORE UPDATE OR DELETE ON ledger_posting
  FOR EACH ROW EXECUTE FUNCTION ledger_posting_stays();
CREATE TRIGGER ledger_posting_is_kept BEFORE TRUNCATE ON ledger_posting
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_posting_stays();

CREATE TABLE ledger_balance (
  kind SMALLINT NOT NULL, owner BIGINT NOT NULL,
  debits_hi BIGINT NOT NULL, debits_lo BIGINT NOT NULL,
  credits_hi BIGINT NOT NULL, credits_lo BIGINT NOT NULL,
  PRIMARY KEY (kind, owner)
) WITH (fillfactor = 50);

CREATE TABLE ledger_tally (
  account BIGINT NOT NULL, campaign BIGINT NOT NULL, line_item BIGINT NOT NULL, day INTEGER NOT NULL,
  billed_events BIGINT NOT NULL, billed_hi BIGINT NOT NULL, billed_lo BIGINT NOT NULL,
  repeated_events BIGINT NOT NULL, repeated_hi BIGINT NOT NULL, repeated_lo BIGINT NOT NULL,
  expired_events BIGINT NOT NULL, expired_hi BIGINT NOT NULL, expired_lo BIGINT NOT NULL,
  refunded_events BIGINT NOT NULL, refunded_hi BIGINT NOT NULL, refunded_lo BIGINT NOT NULL,
  PRIMARY KEY (account, campaign, line_item, day)
) WITH (fillfactor = 50);

CREATE TABLE ledger_unbilled (
  account BIGINT NOT NULL, campaign BIGINT NOT NULL, line_item BIGINT NOT NULL, day INTEGER NOT NULL,
  short_level SMALLINT NOT NULL, late SMALLINT NOT NULL,
  events BIGINT NOT NULL, hi BIGINT NOT NULL, lo BIGINT NOT NULL,
  PRIMARY KEY (account, campaign, line_item, day, short_level, late)
) WITH (fillfactor = 50);

CREATE TABLE ledger_batch (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  claims BIGINT NOT NULL, billed BIGINT NOT NULL -- at once; the others have a row in ledger_outcome
);
CREATE TABLE ledger_batch_range (
  partition INTEGER NOT NULL, first BIGINT NOT NULL, next BIGINT NOT NULL, appended BIGINT NOT NULL,
  batch BIGINT NOT NULL,
  PRIMARY KEY (partition, first, batch)
);
CREATE TABLE ledger_outcome (
  partition INTEGER NOT NULL, at BIGINT NOT NULL,
  outcome SMALLINT NOT NULL, -- 0 billed, 1 repeated, 2 expired, 3 pending, 4 unbilled
  short_level SMALLINT, late SMALLINT,
  PRIMARY KEY (partition, at)
);

CREATE TABLE report_delivery (
  quarter BIGINT NOT NULL, -- of an hour, since 1970 UTC; of the event's own time
  tenant BIGINT NOT NULL, account BIGINT NOT NULL, campaign BIGINT NOT NULL, line_item BIGINT NOT NULL,
  ad BIGINT NOT NULL, creative BIGINT NOT NULL, placement BIGINT NOT NULL, -- 0 for refunds
  country TEXT COLLATE "C" NOT NULL, -- empty where unknown
  traffic SMALLINT NOT NULL, -- 0 valid
  impressions BIGINT NOT NULL, viewables BIGINT NOT NULL, clicks BIGINT NOT NULL, conversions BIGINT NOT NULL,
  value_hi BIGINT NOT NULL, value_lo BIGINT NOT NULL, -- micros
  spent_hi BIGINT NOT NULL, spent_lo BIGINT NOT NULL,
  refunded_hi BIGINT NOT NULL, refunded_lo BIGINT NOT NULL,
  PRIMARY KEY (quarter, tenant, account, campaign, line_item, ad, creative, placement, country, traffic)
) WITH (fillfactor = 50);

CREATE TABLE report_line_item (
  quarter BIGINT NOT NULL,
  tenant BIGINT NOT NULL, account BIGINT NOT NULL, campaign BIGINT NOT NULL, line_item BIGINT NOT NULL,
  traffic SMALLINT NOT NULL,
  impressions BIGINT NOT NULL, viewables BIGINT NOT NULL, clicks BIGINT NOT NULL, conversions BIGINT NOT NULL,
  value_hi BIGINT NOT NULL, value_lo BIGINT NOT NULL,
  spent_hi BIGINT NOT NULL, spent_lo BIGINT NOT NULL,
  refunded_hi BIGINT NOT NULL, refunded_lo BIGINT NOT NULL,
  PRIMARY KEY (quarter, tenant, account, campaign, line_item, traffic)
) WITH (fillfactor = 50);

CREATE TABLE report_place (
  quarter BIGINT NOT NULL, tenant BIGINT NOT NULL, placement BIGINT NOT NULL, country TEXT COLLATE "C" NOT NULL,
  traffic SMALLINT NOT NULL,
  requests BIGINT NOT NULL, eligible BIGINT NOT NULL, slots BIGINT NOT NULL, filled BIGINT NOT NULL,
  impressions BIGINT NOT NULL, viewables BIGINT NOT NULL, clicks BIGINT NOT NULL, conversions BIGINT NOT NULL,
  value_hi BIGINT NOT NULL, value_lo BIGINT NOT NULL,
  spent_hi BIGINT NOT NULL, spent_lo BIGINT NOT NULL,
  refunded_hi BIGINT NOT NULL, refunded_lo BIGINT NOT NULL,
  PRIMARY KEY (quarter, tenant, placement, country, traffic)
) WITH (fillfactor = 50);

CREATE TABLE report_click (
  tenant BIGINT NOT NULL, "user" BYTEA NOT NULL, appended BIGINT NOT NULL,
  account BIGINT NOT NULL, campaign BIGINT NOT NULL, line_item BIGINT NOT NULL,
  quarter BIGINT NOT NULL, ad BIGINT NOT NULL, creative BIGINT NOT NULL, placement BIGINT NOT NULL,
  country TEXT COLLATE "C" NOT NULL, traffic SMALLINT NOT NULL,
  PRIMARY KEY (tenant, "user")
);
CREATE INDEX report_click_age ON report_click (appended);

CREATE TABLE report_order (
  buyer BYTEA NOT NULL, order_id TEXT COLLATE "C" NOT NULL, appended BIGINT NOT NULL,
  PRIMARY KEY (buyer, order_id)
);
CREATE INDEX report_order_age ON report_order (appended);
