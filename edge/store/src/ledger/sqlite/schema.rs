//! Tables of the ledger, all named `ledger_…`; the file is shared with others, so each brings its own migrations.
//!
//! Amounts are pairs (hi, lo) of nanos, lo below 10¹⁸. The key tables, one per UTC day of the decision id, are made when first
//! needed; a table of a dropped day is never made again.

use rusqlite::{Connection, TransactionBehavior};

use crate::ledger::LedgerError;

/// One script per version, in order; a script that was released never changes.
const MIGRATIONS: [&str; 6] = [V1, V2, V3, V4, V5, V6];

const V1: &str = "
CREATE TABLE ledger_state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  keys_dropped INTEGER -- the last UTC day whose key table is gone
) STRICT;
INSERT INTO ledger_state (one, keys_dropped) VALUES (1, NULL);

CREATE TABLE ledger_partition (
  partition INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL, -- 0 events, 1 admin
  next INTEGER NOT NULL, -- the first offset not consumed
  appended INTEGER, -- running maximum of consumed append times, ms
  sealed INTEGER
) STRICT;

CREATE TABLE ledger_key_day (day INTEGER PRIMARY KEY) STRICT;

CREATE TABLE ledger_lease (
  id BLOB PRIMARY KEY,
  holder INTEGER NOT NULL,
  account INTEGER NOT NULL, campaign INTEGER NOT NULL, line_item INTEGER NOT NULL, day INTEGER NOT NULL,
  granted_hi INTEGER NOT NULL, granted_lo INTEGER NOT NULL,
  spent_hi INTEGER NOT NULL, spent_lo INTEGER NOT NULL,
  returned_hi INTEGER NOT NULL, returned_lo INTEGER NOT NULL,
  granted_at INTEGER NOT NULL, expires INTEGER NOT NULL, closed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_lease_open ON ledger_lease (expires, id) WHERE closed = 0;
CREATE INDEX ledger_lease_closed ON ledger_lease (expires) WHERE closed = 1;

CREATE TABLE ledger_control (
  level INTEGER NOT NULL, -- 0 account, 1 campaign, 2 campaign day, 3 line item
  object INTEGER NOT NULL,
  day INTEGER NOT NULL, -- 0 where the level has none
  unit INTEGER NOT NULL DEFAULT 0 CHECK (unit = 0), -- nanos
  limit_hi INTEGER NOT NULL CHECK (limit_hi BETWEEN 0 AND 4000000000000000000),
  limit_lo INTEGER NOT NULL CHECK (limit_lo BETWEEN 0 AND 999999999999999999),
  restored_hi INTEGER NOT NULL CHECK (restored_hi BETWEEN 0 AND 4000000000000000000),
  restored_lo INTEGER NOT NULL CHECK (restored_lo BETWEEN 0 AND 999999999999999999),
  leased_hi INTEGER NOT NULL CHECK (leased_hi BETWEEN 0 AND 4000000000000000000),
  leased_lo INTEGER NOT NULL CHECK (leased_lo BETWEEN 0 AND 999999999999999999),
  spent_hi INTEGER NOT NULL CHECK (spent_hi BETWEEN 0 AND 4000000000000000000),
  spent_lo INTEGER NOT NULL CHECK (spent_lo BETWEEN 0 AND 999999999999999999),
  ceiling_hi INTEGER NOT NULL CHECK (ceiling_hi BETWEEN 0 AND 4000000000000000000),
  ceiling_lo INTEGER NOT NULL CHECK (ceiling_lo BETWEEN 0 AND 999999999999999999),
  PRIMARY KEY (level, object, day),
  CHECK ((restored_hi, restored_lo) <= (spent_hi, spent_lo)),
  CONSTRAINT spent_and_leased_within_ceiling_and_restored CHECK (
    (spent_hi + leased_hi + (spent_lo + leased_lo) / 1000000000000000000, (spent_lo + leased_lo) % 1000000000000000000)
    <= (ceiling_hi + restored_hi + (ceiling_lo + restored_lo) / 1000000000000000000, (ceiling_lo + restored_lo) % 1000000000000000000))
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_funding (
  account INTEGER PRIMARY KEY,
  added_hi INTEGER NOT NULL, added_lo INTEGER NOT NULL,
  removed_hi INTEGER NOT NULL, removed_lo INTEGER NOT NULL,
  credit_hi INTEGER NOT NULL, credit_lo INTEGER NOT NULL
) STRICT;

CREATE TABLE ledger_daily_limit (
  campaign INTEGER NOT NULL,
  from_day INTEGER NOT NULL, -- in force from this day on, until the next step
  limit_hi INTEGER NOT NULL, limit_lo INTEGER NOT NULL,
  PRIMARY KEY (campaign, from_day)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_pending (
  decision BLOB NOT NULL, slot INTEGER NOT NULL, kind INTEGER NOT NULL, order_id TEXT NOT NULL,
  partition INTEGER NOT NULL, at INTEGER NOT NULL,
  tenant INTEGER NOT NULL,
  account INTEGER NOT NULL, campaign INTEGER NOT NULL, line_item INTEGER NOT NULL, day INTEGER NOT NULL,
  amount_hi INTEGER NOT NULL, amount_lo INTEGER NOT NULL,
  lease BLOB NOT NULL, hold_expires INTEGER NOT NULL, token_expires INTEGER NOT NULL,
  short_level INTEGER NOT NULL, late INTEGER NOT NULL,
  PRIMARY KEY (decision, slot, kind, order_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_pending_chain ON ledger_pending (account, campaign, line_item, day, amount_hi, amount_lo, decision, slot, kind, order_id);
CREATE INDEX ledger_pending_expiry ON ledger_pending (token_expires, decision, slot, kind, order_id);

CREATE TABLE ledger_command (
  id BLOB PRIMARY KEY,
  partition INTEGER NOT NULL, at INTEGER NOT NULL, appended INTEGER NOT NULL,
  tenant INTEGER NOT NULL,
  effect INTEGER NOT NULL, -- 0 deposit, 1 credit, 2 lifetime, 3 daily, 4 line item, 5 refund, 6 adjustment
  account INTEGER NOT NULL, campaign INTEGER, line_item INTEGER, day INTEGER, day_ends INTEGER,
  nanos TEXT, -- decimal, as asked for; null for no limit
  outcome INTEGER NOT NULL, -- 0 applied, 1 waiting, 2 and up refused
  CHECK (outcome BETWEEN 0 AND 5)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_command_waiting ON ledger_command (partition, at) WHERE outcome = 1;

CREATE TABLE ledger_posting (
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL, -- 0 bill, 1 deposit, 2 refund, 3 adjustment
  cause_partition INTEGER, cause_next INTEGER, cause_command BLOB, -- all null: a retry
  tenant INTEGER NOT NULL,
  debit_kind INTEGER NOT NULL, debit_owner INTEGER NOT NULL, -- 0 funds, 1 revenue, 2 refunds, 3 house, 4 residue
  credit_kind INTEGER NOT NULL, credit_owner INTEGER NOT NULL,
  hi INTEGER NOT NULL CHECK (hi >= 0), lo INTEGER NOT NULL CHECK (lo BETWEEN 0 AND 999999999999999999),
  events INTEGER NOT NULL CHECK (events > 0),
  account INTEGER, campaign INTEGER, line_item INTEGER, day INTEGER,
  restores_day INTEGER NOT NULL
) STRICT;
CREATE TRIGGER ledger_posting_stays BEFORE UPDATE ON ledger_posting BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER ledger_posting_is_kept BEFORE DELETE ON ledger_posting BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;

CREATE TABLE ledger_balance (
  kind INTEGER NOT NULL, owner INTEGER NOT NULL,
  debits_hi INTEGER NOT NULL, debits_lo INTEGER NOT NULL,
  credits_hi INTEGER NOT NULL, credits_lo INTEGER NOT NULL,
  PRIMARY KEY (kind, owner)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_tally (
  account INTEGER NOT NULL, campaign INTEGER NOT NULL, line_item INTEGER NOT NULL, day INTEGER NOT NULL,
  billed_events INTEGER NOT NULL, billed_hi INTEGER NOT NULL, billed_lo INTEGER NOT NULL,
  repeated_events INTEGER NOT NULL, repeated_hi INTEGER NOT NULL, repeated_lo INTEGER NOT NULL,
  expired_events INTEGER NOT NULL, expired_hi INTEGER NOT NULL, expired_lo INTEGER NOT NULL,
  PRIMARY KEY (account, campaign, line_item, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_unbilled (
  account INTEGER NOT NULL, campaign INTEGER NOT NULL, line_item INTEGER NOT NULL, day INTEGER NOT NULL,
  short_level INTEGER NOT NULL, late INTEGER NOT NULL,
  events INTEGER NOT NULL, hi INTEGER NOT NULL, lo INTEGER NOT NULL,
  PRIMARY KEY (account, campaign, line_item, day, short_level, late)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_batch (
  id INTEGER PRIMARY KEY,
  claims INTEGER NOT NULL, billed INTEGER NOT NULL -- at once; the others have a row in ledger_outcome
) STRICT;
CREATE TABLE ledger_batch_range (
  partition INTEGER NOT NULL, first INTEGER NOT NULL, next INTEGER NOT NULL, appended INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  PRIMARY KEY (partition, first, batch)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger_outcome (
  partition INTEGER NOT NULL, at INTEGER NOT NULL,
  outcome INTEGER NOT NULL, -- 0 billed, 1 repeated, 2 expired, 3 pending, 4 unbilled
  short_level INTEGER, late INTEGER,
  PRIMARY KEY (partition, at)
) STRICT, WITHOUT ROWID;
";

/// Adds the figures of a row to those that are there: pairs carry, lo stays below 10¹⁸.
macro_rules! add_figures {
    () => {
        "impressions = impressions + excluded.impressions, viewables = viewables + excluded.viewables,
         clicks = clicks + excluded.clicks, conversions = conversions + excluded.conversions,
         value_hi = value_hi + excluded.value_hi + (value_lo + excluded.value_lo) / 1000000000000000000,
         value_lo = (value_lo + excluded.value_lo) % 1000000000000000000,
         spent_hi = spent_hi + excluded.spent_hi + (spent_lo + excluded.spent_lo) / 1000000000000000000,
         spent_lo = (spent_lo + excluded.spent_lo) % 1000000000000000000,
         refunded_hi = refunded_hi + excluded.refunded_hi + (refunded_lo + excluded.refunded_lo) / 1000000000000000000,
         refunded_lo = (refunded_lo + excluded.refunded_lo) % 1000000000000000000"
    };
}
/// The columns of figures, in order.
macro_rules! figures {
    () => {
        "impressions, viewables, clicks, conversions, value_hi, value_lo, spent_hi, spent_lo, refunded_hi, refunded_lo"
    };
}

/// Who wished a command and why.
const V2: &str = "
ALTER TABLE ledger_command ADD COLUMN by_whom TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger_command ADD COLUMN reason TEXT NOT NULL DEFAULT '';
CREATE INDEX ledger_command_account ON ledger_command (account, appended);
";

/// Reports. What had been billed before is taken over at its budget day, without the ad: nothing else is known of it.
const V3: &str = "
CREATE TABLE report_delivery (
  quarter INTEGER NOT NULL, -- of an hour, since 1970 UTC; of the event's own time
  tenant INTEGER NOT NULL, account INTEGER NOT NULL, campaign INTEGER NOT NULL, line_item INTEGER NOT NULL,
  ad INTEGER NOT NULL, creative INTEGER NOT NULL, placement INTEGER NOT NULL, -- 0 for refunds
  country TEXT NOT NULL, -- empty where unknown
  traffic INTEGER NOT NULL, -- 0 valid
  impressions INTEGER NOT NULL, viewables INTEGER NOT NULL, clicks INTEGER NOT NULL, conversions INTEGER NOT NULL,
  value_hi INTEGER NOT NULL, value_lo INTEGER NOT NULL, -- micros
  spent_hi INTEGER NOT NULL, spent_lo INTEGER NOT NULL,
  refunded_hi INTEGER NOT NULL, refunded_lo INTEGER NOT NULL,
  PRIMARY KEY (quarter, tenant, account, campaign, line_item, ad, creative, placement, country, traffic)
) STRICT, WITHOUT ROWID;

CREATE TABLE report_request (
  quarter INTEGER NOT NULL, tenant INTEGER NOT NULL, placement INTEGER NOT NULL, country TEXT NOT NULL,
  traffic INTEGER NOT NULL,
  requests INTEGER NOT NULL, eligible INTEGER NOT NULL, slots INTEGER NOT NULL, filled INTEGER NOT NULL,
  PRIMARY KEY (quarter, tenant, placement, country, traffic)
) STRICT, WITHOUT ROWID;

CREATE TABLE report_click (
  tenant INTEGER NOT NULL, user BLOB NOT NULL, appended INTEGER NOT NULL,
  account INTEGER NOT NULL, campaign INTEGER NOT NULL, line_item INTEGER NOT NULL,
  quarter INTEGER NOT NULL, ad INTEGER NOT NULL, creative INTEGER NOT NULL, placement INTEGER NOT NULL,
  country TEXT NOT NULL, traffic INTEGER NOT NULL,
  PRIMARY KEY (tenant, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX report_click_age ON report_click (appended);

CREATE TABLE report_order (
  buyer BLOB NOT NULL, order_id TEXT NOT NULL, appended INTEGER NOT NULL,
  PRIMARY KEY (buyer, order_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX report_order_age ON report_order (appended);

ALTER TABLE ledger_pending ADD COLUMN quarter INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_pending ADD COLUMN ad INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_pending ADD COLUMN creative INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_pending ADD COLUMN placement INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_pending ADD COLUMN country TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger_pending ADD COLUMN traffic INTEGER NOT NULL DEFAULT 0;
UPDATE ledger_pending SET quarter = day * 96;

INSERT INTO report_delivery
SELECT day * 96, tenant, account, campaign, line_item, 0, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, hi, lo, 0, 0
FROM ledger_posting WHERE kind = 0
ON CONFLICT DO UPDATE SET spent_hi = spent_hi + excluded.spent_hi + (spent_lo + excluded.spent_lo) / 1000000000000000000,
spent_lo = (spent_lo + excluded.spent_lo) % 1000000000000000000;
INSERT INTO report_delivery
SELECT day * 96, tenant, account, campaign, line_item, 0, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, 0, 0, hi, lo
FROM ledger_posting WHERE kind = 2
ON CONFLICT DO UPDATE SET
refunded_hi = refunded_hi + excluded.refunded_hi + (refunded_lo + excluded.refunded_lo) / 1000000000000000000,
refunded_lo = (refunded_lo + excluded.refunded_lo) % 1000000000000000000;
";

/// The same figures without the ad's facets, and by place alone: what most reports ask for, in a fraction of the rows.
const V4: &str = concat!(
    "
CREATE TABLE report_line_item (
  quarter INTEGER NOT NULL,
  tenant INTEGER NOT NULL, account INTEGER NOT NULL, campaign INTEGER NOT NULL, line_item INTEGER NOT NULL,
  traffic INTEGER NOT NULL,
  impressions INTEGER NOT NULL, viewables INTEGER NOT NULL, clicks INTEGER NOT NULL, conversions INTEGER NOT NULL,
  value_hi INTEGER NOT NULL, value_lo INTEGER NOT NULL,
  spent_hi INTEGER NOT NULL, spent_lo INTEGER NOT NULL,
  refunded_hi INTEGER NOT NULL, refunded_lo INTEGER NOT NULL,
  PRIMARY KEY (quarter, tenant, account, campaign, line_item, traffic)
) STRICT, WITHOUT ROWID;
INSERT INTO report_line_item SELECT quarter, tenant, account, campaign, line_item, traffic, ",
    figures!(),
    " FROM report_delivery WHERE true ON CONFLICT DO UPDATE SET ",
    add_figures!(),
    ";
CREATE TABLE report_place (
  quarter INTEGER NOT NULL, tenant INTEGER NOT NULL, placement INTEGER NOT NULL, country TEXT NOT NULL,
  traffic INTEGER NOT NULL,
  requests INTEGER NOT NULL, eligible INTEGER NOT NULL, slots INTEGER NOT NULL, filled INTEGER NOT NULL,
  impressions INTEGER NOT NULL, viewables INTEGER NOT NULL, clicks INTEGER NOT NULL, conversions INTEGER NOT NULL,
  value_hi INTEGER NOT NULL, value_lo INTEGER NOT NULL,
  spent_hi INTEGER NOT NULL, spent_lo INTEGER NOT NULL,
  refunded_hi INTEGER NOT NULL, refunded_lo INTEGER NOT NULL,
  PRIMARY KEY (quarter, tenant, placement, country, traffic)
) STRICT, WITHOUT ROWID;
INSERT INTO report_place SELECT quarter, tenant, placement, country, traffic, requests, eligible, slots, filled,
0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM report_request;
INSERT INTO report_place SELECT quarter, tenant, placement, country, traffic, 0, 0, 0, 0, ",
    figures!(),
    " FROM report_delivery WHERE true ON CONFLICT DO UPDATE SET ",
    add_figures!(),
    ";
DROP TABLE report_request;
"
);

/// What was refunded of each line item's day, added up from the postings: billions of nanos and the rest apart, so that no sum leaves
/// its 64 bits.
const V5: &str = "
ALTER TABLE ledger_tally ADD COLUMN refunded_events INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_tally ADD COLUMN refunded_hi INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_tally ADD COLUMN refunded_lo INTEGER NOT NULL DEFAULT 0;
INSERT INTO ledger_tally
SELECT account, campaign, line_item, day, 0, 0, 0, 0, 0, 0, 0, 0, 0, events,
his + (billions + rest / 1000000000) / 1000000000,
(billions + rest / 1000000000) % 1000000000 * 1000000000 + rest % 1000000000
FROM (
  SELECT account, campaign, line_item, day, sum(events) AS events, sum(hi) AS his,
  sum(lo / 1000000000) AS billions, sum(lo % 1000000000) AS rest
  FROM ledger_posting WHERE kind = 2 GROUP BY account, campaign, line_item, day
) WHERE true
ON CONFLICT DO UPDATE SET refunded_events = excluded.refunded_events, refunded_hi = excluded.refunded_hi,
refunded_lo = excluded.refunded_lo;
";

/// Which timeline the ledger was last promoted to, and up to where each partition has to be consumed again in it.
const V6: &str = "
ALTER TABLE ledger_state ADD COLUMN cluster INTEGER NOT NULL DEFAULT 0; -- of a file always 0
ALTER TABLE ledger_state ADD COLUMN timeline INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_state ADD COLUMN raised INTEGER NOT NULL DEFAULT 0; -- how often a copy took the place of the database
ALTER TABLE ledger_partition ADD COLUMN redo INTEGER NOT NULL DEFAULT 0;
";

/// Brings the ledger's tables to this program's version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), LedgerError> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if is_current(connection, known)? {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch("CREATE TABLE IF NOT EXISTS ledger_migration (version INTEGER PRIMARY KEY) STRICT")?;
    let found = version(&tx)?;
    if found > known {
        return Err(LedgerError::NewerSchema { found, known });
    }
    for (version, script) in (1_u32..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        tx.execute_batch(script)?;
        tx.execute("INSERT INTO ledger_migration (version) VALUES (?1)", [version])?;
    }
    Ok(tx.commit()?)
}

/// Without taking the lock that writing needs: a reader beside a busy server asks too.
fn is_current(connection: &Connection, known: u32) -> rusqlite::Result<bool> {
    let made = "SELECT 1 FROM sqlite_master WHERE name = 'ledger_migration'";
    Ok(connection.prepare(made)?.exists([])? && version(connection)? == known)
}

fn version(tx: &Connection) -> rusqlite::Result<u32> {
    tx.query_row("SELECT coalesce(max(version), 0) FROM ledger_migration", [], |row| row.get(0))
}
