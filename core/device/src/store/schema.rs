//! Tables of both files (spec/sync.md 2.2, 2.3; spec/logistics.md 5.2), as steps from schema to schema.
//!
//! Always: a step runs whole or not at all, and a file of a newer program is refused untouched.

use rusqlite::Connection;

use super::pragma::{APPLICATION_ID, File};
use crate::error::{StoreError, StoreResult};

/// `user.db`: step n brings schema n to n + 1.
const USER_STEPS: &[&str] = &["
    CREATE TABLE meta(k TEXT PRIMARY KEY, v BLOB NOT NULL) STRICT, WITHOUT ROWID;
    -- Registrations of this installation; the last is the live one.
    CREATE TABLE device(
        reg INTEGER PRIMARY KEY, account BLOB NOT NULL, device BLOB NOT NULL, key TEXT NOT NULL,
        epoch INTEGER NOT NULL, registered_at INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
    CREATE TABLE outbox(
        local INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE, reg INTEGER NOT NULL, dev_seq INTEGER NOT NULL UNIQUE,
        made_epoch INTEGER NOT NULL, kind TEXT NOT NULL, home TEXT NOT NULL, lane INTEGER NOT NULL,
        bucket INTEGER NOT NULL, text TEXT NOT NULL, hash BLOB NOT NULL, bin BLOB NOT NULL, sig BLOB,
        made_at INTEGER NOT NULL, not_after INTEGER NOT NULL, made_boot INTEGER NOT NULL, made_mono INTEGER NOT NULL,
        epoch INTEGER NOT NULL, pos INTEGER, state INTEGER NOT NULL, why INTEGER NOT NULL DEFAULT 0,
        flags INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
        next_try_mono INTEGER NOT NULL DEFAULT 0, predicted TEXT, outcome TEXT, outcome_before TEXT,
        decided_at INTEGER, decided_no INTEGER) STRICT;
    -- A position is given once.
    CREATE UNIQUE INDEX outbox_pos ON outbox(reg, epoch, bucket, lane, pos) WHERE pos IS NOT NULL;
    -- What is to be sent, in order.
    CREATE INDEX outbox_due ON outbox(state, lane, dev_seq);
    CREATE TABLE stream(
        reg INTEGER NOT NULL, epoch INTEGER NOT NULL, bucket INTEGER NOT NULL, lane INTEGER NOT NULL,
        next_pos INTEGER NOT NULL, PRIMARY KEY(reg, epoch, bucket, lane)) STRICT, WITHOUT ROWID;
    -- How far each private scope shows this device's own acts.
    CREATE TABLE applied(
        scope TEXT NOT NULL, reg INTEGER NOT NULL, epoch INTEGER NOT NULL, bucket INTEGER NOT NULL,
        lane INTEGER NOT NULL, last INTEGER NOT NULL,
        PRIMARY KEY(scope, reg, epoch, bucket, lane)) STRICT, WITHOUT ROWID;
    CREATE TABLE kept(
        id BLOB PRIMARY KEY, kind TEXT NOT NULL, at INTEGER NOT NULL, copy TEXT NOT NULL,
        last TEXT, last_at INTEGER) STRICT, WITHOUT ROWID;
    CREATE TABLE scope(
        scope TEXT PRIMARY KEY, cursor TEXT, gen INTEGER NOT NULL, sum INTEGER NOT NULL, rows INTEGER NOT NULL,
        at INTEGER NOT NULL, mark INTEGER NOT NULL, sweep INTEGER NOT NULL, mark_decided_no INTEGER NOT NULL,
        mismatch_at INTEGER) STRICT, WITHOUT ROWID;
    CREATE TABLE srv(
        scope TEXT NOT NULL, ent INTEGER NOT NULL, id BLOB NOT NULL, ver INTEGER NOT NULL,
        k1 INTEGER NOT NULL, k2 TEXT NOT NULL, body TEXT NOT NULL, mark INTEGER NOT NULL,
        PRIMARY KEY(scope, ent, id)) STRICT, WITHOUT ROWID;
    -- Lists of one entity, newest first.
    CREATE INDEX srv_newest ON srv(ent, k1 DESC);
    CREATE TABLE counter(series TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    -- Custody events of this phone; `intent` is the outbox row that carries each.
    CREATE TABLE custody_queue(
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL, waybill INTEGER NOT NULL, bytes BLOB NOT NULL UNIQUE,
        evidence BLOB NOT NULL, intent BLOB NOT NULL, PRIMARY KEY(epoch, seq)) STRICT;
    CREATE INDEX custody_waybill ON custody_queue(waybill, epoch, seq);
    -- Hand-over proofs seen or shown: the same again gives the first result.
    CREATE TABLE handover(
        key BLOB NOT NULL, counter INTEGER NOT NULL, side TEXT NOT NULL, waybill INTEGER NOT NULL, bytes BLOB NOT NULL,
        label BLOB NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(key, counter, side)) STRICT, WITHOUT ROWID;
"];

/// `cache.db`.
const CACHE_STEPS: &[&str] = &["
    CREATE TABLE meta(k TEXT PRIMARY KEY, v BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE scope(
        scope TEXT PRIMARY KEY, cursor TEXT, gen INTEGER NOT NULL, sum INTEGER NOT NULL, rows INTEGER NOT NULL,
        at INTEGER NOT NULL, mark INTEGER NOT NULL, sweep INTEGER NOT NULL, mark_decided_no INTEGER NOT NULL,
        mismatch_at INTEGER) STRICT, WITHOUT ROWID;
    -- rid = order of popularity.
    CREATE TABLE product(
        rid INTEGER PRIMARY KEY, scope TEXT NOT NULL, id BLOB NOT NULL UNIQUE, offer BLOB NOT NULL, shop BLOB NOT NULL,
        category TEXT NOT NULL, brand TEXT NOT NULL, names TEXT NOT NULL, live INTEGER NOT NULL,
        body TEXT NOT NULL, ver INTEGER NOT NULL, mark INTEGER NOT NULL) STRICT;
    CREATE INDEX product_category ON product(category, rid);
    -- An order's line names its offer.
    CREATE INDEX product_offer ON product(offer);
    -- Shops, reference data: whatever is public and no product.
    CREATE TABLE thing(
        scope TEXT NOT NULL, ent INTEGER NOT NULL, id BLOB NOT NULL, body TEXT NOT NULL, ver INTEGER NOT NULL,
        mark INTEGER NOT NULL, PRIMARY KEY(scope, ent, id)) STRICT, WITHOUT ROWID;
    CREATE INDEX thing_id ON thing(ent, id);
"];

fn steps(file: File) -> &'static [&'static str] {
    match file {
        File::User => USER_STEPS,
        File::Cache => CACHE_STEPS,
    }
}

/// The schema that this program writes.
pub(crate) fn newest(file: File) -> i64 {
    steps(file).len() as i64
}

/// Refuses a file of a newer program before anything is written.
pub(crate) fn refuse_newer(conn: &Connection, file: File) -> StoreResult<i64> {
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > newest(file) {
        return Err(StoreError::Newer { file: file.name(), found, known: newest(file) });
    }
    Ok(found)
}

/// Brings a file to the newest schema; answers whether anything was done.
pub(crate) fn migrate(conn: &mut Connection, file: File) -> StoreResult<bool> {
    let from = refuse_newer(conn, file)?;
    let all = steps(file);
    for (done, step) in all.iter().enumerate().skip(usize::try_from(from).unwrap_or(0)) {
        let to = done as i64 + 1;
        let run = |conn: &mut Connection| {
            let tx = conn.transaction()?;
            tx.execute_batch(step)?;
            if file == File::Cache && to == 1 {
                crate::search::create(&tx)?;
            }
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", to)?;
            tx.commit()
        };
        run(conn).map_err(|source| StoreError::Migration { file: file.name(), to, source })?;
    }
    Ok(from < newest(file))
}
