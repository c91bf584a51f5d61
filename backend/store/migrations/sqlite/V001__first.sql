-- The first schema (spec/scale.md 3, 4; spec/money.md 5; spec/sync.md 4.1).
-- A name in _at is epoch microseconds; ids are 16 bytes; `version` counts the writes of a row, 1 for a new one.
-- Rows that others compute with by SQL have columns; the rest of an entity stands in `body` (JSON).
-- WITHOUT ROWID where rows are narrow: then the primary key is the only copy of the row.

-- One row: what is counted for the whole installation.
CREATE TABLE control (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL,       -- last fencing epoch given
  generation INTEGER NOT NULL   -- raised when the data was restored from a backup
) STRICT;
INSERT INTO control (id, epoch, generation) VALUES (1, 0, 1);

-- Server secrets and other values of the installation.
CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a bucket: fence, source of sequences, head of the journal.
CREATE TABLE bucket_owner (
  bucket INTEGER PRIMARY KEY CHECK (bucket BETWEEN 0 AND 1023),
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),  -- 0 serving, 1 fenced, 2 incoming, 3 gone
  epoch INTEGER NOT NULL,
  journal_seq INTEGER NOT NULL,
  journal_hash BLOB NOT NULL,
  journal_last_at INTEGER NOT NULL,
  outbox_seq INTEGER NOT NULL,
  catalogue_seq INTEGER NOT NULL,
  waybill_seq INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT;

-- Ledger ---------------------------------------------------------------------------------------------------------

-- Accounts. The CHECKs are tripwires: the rules refuse before, so one that fires is a bug of ours.
-- Bits of flags: 1 debits within credits, 2 credits within debits, 4 closed, 8 frozen.
CREATE TABLE ledger_account (
  bucket INTEGER NOT NULL,
  id BLOB NOT NULL,
  code INTEGER NOT NULL,
  currency TEXT NOT NULL,
  owner BLOB NOT NULL,
  sub INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  debits_posted INTEGER NOT NULL CHECK (debits_posted >= 0),
  credits_posted INTEGER NOT NULL CHECK (credits_posted >= 0),
  debits_pending INTEGER NOT NULL CHECK (debits_pending >= 0),
  credits_pending INTEGER NOT NULL CHECK (credits_pending >= 0),
  last_seq INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, id),
  -- Differences of non-negative numbers cannot overflow; sums could.
  CHECK ((flags & 1) = 0 OR debits_posted <= credits_posted - debits_pending),
  CHECK ((flags & 2) = 0 OR credits_posted <= debits_posted - credits_pending)
) STRICT, WITHOUT ROWID;
-- Balances of one seller or courier, by code.
CREATE INDEX ledger_account_by_owner ON ledger_account (bucket, owner, code);

-- The journal: nothing in it is changed or deleted.
CREATE TABLE transfer (
  bucket INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  transfer_id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  currency TEXT NOT NULL,
  posting INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  debit BLOB NOT NULL,
  credit BLOB NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  pending_id BLOB,
  intent_id BLOB NOT NULL,
  ref_id BLOB NOT NULL,
  deadline_at INTEGER,
  posted_at INTEGER NOT NULL,
  debit_balance_after INTEGER NOT NULL,
  credit_balance_after INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (bucket, seq),
  CHECK (debit <> credit)
) STRICT, WITHOUT ROWID;
-- One decision, one set of ids: the same fact cannot post twice.
CREATE UNIQUE INDEX transfer_by_id ON transfer (bucket, transfer_id);
-- Statements of an account read both sides by sequence.
CREATE INDEX transfer_by_debit ON transfer (bucket, debit, seq);
CREATE INDEX transfer_by_credit ON transfer (bucket, credit, seq);

-- Sync -----------------------------------------------------------------------------------------------------------

-- Stored intents with their one outcome; never changed. `account` is 16 zero bytes for the server's own.
CREATE TABLE intent (
  bucket INTEGER NOT NULL,
  account BLOB NOT NULL,
  id BLOB NOT NULL,
  device BLOB,
  epoch INTEGER NOT NULL,
  dev_seq INTEGER NOT NULL,
  lane INTEGER,
  pos INTEGER,
  kind TEXT NOT NULL,
  hash BLOB NOT NULL,
  text TEXT NOT NULL,
  signature BLOB NOT NULL,
  outcome TEXT NOT NULL,
  reference_version INTEGER NOT NULL,
  decided_at INTEGER NOT NULL,
  PRIMARY KEY (bucket, account, id),
  CHECK ((lane IS NULL) = (pos IS NULL))
) STRICT;

CREATE TABLE stream (
  bucket INTEGER NOT NULL,
  device BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  last INTEGER NOT NULL,
  reused INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, device, epoch, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE minted (
  bucket INTEGER NOT NULL,
  device BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  dev_seq INTEGER NOT NULL,
  id BLOB NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, device, epoch, dev_seq)
) STRICT, WITHOUT ROWID;

-- `sum` is an unsigned 64-bit number, kept as the signed one with the same bits.
CREATE TABLE scope_part (
  bucket INTEGER NOT NULL,
  scope TEXT NOT NULL,
  seq INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, scope)
) STRICT, WITHOUT ROWID;

-- One row a thing in a scope, moved to a new seq on each change.
CREATE TABLE chg (
  bucket INTEGER NOT NULL,
  scope TEXT NOT NULL,
  ent INTEGER NOT NULL,
  id BLOB NOT NULL,
  seq INTEGER NOT NULL,
  live INTEGER NOT NULL CHECK (live IN (0, 1)),
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, scope, ent, id)
) STRICT, WITHOUT ROWID;
-- A page of a feed by sequence; `live` lets a first page skip deletes without reading their rows.
CREATE INDEX chg_by_seq ON chg (bucket, scope, seq, live);

CREATE TABLE scope_of (
  bucket INTEGER NOT NULL,
  scope TEXT NOT NULL,
  part INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, scope, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE timer (
  bucket INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  entity BLOB NOT NULL,
  kind INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, due_at, entity, kind, generation)
) STRICT, WITHOUT ROWID;
-- The next timer over all buckets of this file: one writer serves them all, so due comes first here.
CREATE INDEX timer_by_due ON timer (due_at, bucket, entity, kind, generation);

CREATE TABLE outbox (
  bucket INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,           -- bucket, rail or event
  done INTEGER NOT NULL CHECK (done IN (0, 1)),
  written_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, seq)
) STRICT;
-- What still has to leave: a few rows however long the table grows.
CREATE INDEX outbox_pending ON outbox (bucket, seq) WHERE done = 0;

CREATE TABLE inbox (
  bucket INTEGER NOT NULL,
  from_bucket INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (bucket, from_bucket, seq)
) STRICT, WITHOUT ROWID;

-- Trade ----------------------------------------------------------------------------------------------------------

CREATE TABLE orders (
  bucket INTEGER NOT NULL,
  id BLOB NOT NULL,
  shop BLOB NOT NULL,
  buyer BLOB NOT NULL,
  state TEXT NOT NULL,
  shipment TEXT NOT NULL,
  currency TEXT NOT NULL,
  total_minor INTEGER NOT NULL,
  paid_minor INTEGER NOT NULL,
  released_minor INTEGER NOT NULL,
  refunded_minor INTEGER NOT NULL,
  placed_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, id),
  CHECK (released_minor + refunded_minor <= paid_minor)
) STRICT;
-- A shop's orders, newest first, page by page.
CREATE INDEX orders_by_shop ON orders (bucket, shop, placed_at, id);
-- A buyer's orders in one bucket, newest first.
CREATE INDEX orders_by_buyer ON orders (bucket, buyer, placed_at, id);

CREATE TABLE parcel (
  bucket INTEGER NOT NULL,
  id BLOB NOT NULL,
  waybill TEXT NOT NULL,        -- 16 hex digits
  order_id BLOB NOT NULL,
  shop BLOB NOT NULL,
  buyer BLOB NOT NULL,
  courier BLOB NOT NULL,
  state TEXT NOT NULL,
  level TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, id)
) STRICT;

CREATE TABLE custody_event (
  bucket INTEGER NOT NULL,
  parcel BLOB NOT NULL,
  id BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, parcel, id)
) STRICT;

-- Counters of stock (spec/market.md 4.2, I1 and I2 as tripwires).
CREATE TABLE stock (
  bucket INTEGER NOT NULL,
  offer BLOB NOT NULL,
  shop BLOB NOT NULL,
  on_hand INTEGER NOT NULL CHECK (on_hand >= 0),
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  committed INTEGER NOT NULL CHECK (committed >= 0),
  allotted INTEGER NOT NULL CHECK (allotted >= 0),
  safety INTEGER NOT NULL CHECK (safety >= 0),
  sold INTEGER NOT NULL CHECK (sold >= 0),
  received INTEGER NOT NULL CHECK (received >= 0),
  returned INTEGER NOT NULL CHECK (returned >= 0),
  lost INTEGER NOT NULL CHECK (lost >= 0),
  revision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, offer),
  CHECK (reserved + committed + allotted <= on_hand)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment (
  bucket INTEGER NOT NULL,
  id BLOB NOT NULL,
  order_id BLOB NOT NULL,
  buyer BLOB NOT NULL,
  rail TEXT NOT NULL,
  rail_ref TEXT NOT NULL,
  state TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  captured_minor INTEGER NOT NULL,
  begun_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, id)
) STRICT;

CREATE TABLE rail_op (
  bucket INTEGER NOT NULL,
  id BLOB NOT NULL,
  rail TEXT NOT NULL,
  kind TEXT NOT NULL,
  payment BLOB NOT NULL,
  order_id BLOB NOT NULL,
  state TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  next_try_at INTEGER NOT NULL,
  made_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, id)
) STRICT;

CREATE TABLE blocker (
  bucket INTEGER NOT NULL,
  order_id BLOB NOT NULL,
  kind TEXT NOT NULL,
  next_due_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, order_id)
) STRICT;
-- The monitor asks for what is overdue over all buckets of this file.
CREATE INDEX blocker_by_due ON blocker (next_due_at, bucket, order_id);

-- Parties --------------------------------------------------------------------------------------------------------

CREATE TABLE device (
  bucket INTEGER NOT NULL,
  account BLOB NOT NULL,
  id BLOB NOT NULL,
  state TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  label TEXT NOT NULL,
  registered_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, account, id)
) STRICT;

CREATE TABLE token (
  bucket INTEGER NOT NULL,
  hash BLOB NOT NULL,
  account BLOB NOT NULL,
  device BLOB NOT NULL,
  kind TEXT NOT NULL,           -- access or refresh
  expires_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, hash)
) STRICT;

-- All other rows; `kind` is the number of the row kind, `id` its key behind the bucket.
CREATE TABLE entity (
  bucket INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  id BLOB NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (bucket, kind, id)
) STRICT;
