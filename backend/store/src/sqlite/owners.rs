//! Who serves a bucket, and the values of the installation.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use souk_domain::id::{BUCKETS, Bucket};
use souk_domain::ledger::JournalHead;

use crate::StoreError;

/// The next epoch: above all that were given here and all that came in with moved buckets.
const EPOCH_NEXT: &str = "
    UPDATE control SET epoch = 1 + max(epoch, (SELECT coalesce(max(epoch), 0) FROM bucket_owner))
    RETURNING epoch";

/// The owner row of a bucket that has none yet.
const OWNER_NEW: &str = "
    INSERT INTO bucket_owner (bucket, state, epoch, journal_seq, journal_hash, journal_last_at, outbox_seq,
      catalogue_seq, waybill_seq, version)
    VALUES (?1, 0, ?2, 0, ?3, 0, 0, 0, 0, 1)
    ON CONFLICT (bucket) DO NOTHING";

/// Takes all buckets but those that are gone to another store.
const OWNER_TAKE: &str =
    "UPDATE bucket_owner SET epoch = ?1, state = 0, version = version + 1 WHERE state < 3 AND epoch <> ?1";

/// Ends the ownership of a bucket.
const OWNER_FENCE: &str =
    "UPDATE bucket_owner SET state = 1, version = version + 1 WHERE bucket = ?1 RETURNING epoch";

/// Makes the caller the owner of all buckets of this file under a new epoch.
pub(super) fn take_over(conn: &mut Connection) -> Result<i64, StoreError> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let epoch: i64 = transaction.query_row(EPOCH_NEXT, [], |row| row.get(0))?;
    {
        let mut insert = transaction.prepare_cached(OWNER_NEW)?;
        for number in 0..BUCKETS {
            if let Ok(bucket) = Bucket::new(number) {
                insert.execute(params![number, epoch, JournalHead::empty(bucket).hash])?;
            }
        }
    }
    transaction.execute(OWNER_TAKE, [epoch])?;
    transaction.commit()?;
    Ok(epoch)
}

/// Ends the ownership of a bucket; a bucket that nobody has served has epoch 0.
pub(super) fn fence(conn: &mut Connection, bucket: Bucket) -> Result<i64, StoreError> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let epoch: Option<i64> =
        transaction.query_row(OWNER_FENCE, [bucket.number()], |row| row.get(0)).optional()?;
    transaction.commit()?;
    Ok(epoch.unwrap_or(0))
}

/// Generation of the data.
pub(super) fn generation(conn: &Connection) -> Result<u32, StoreError> {
    Ok(conn.query_row("SELECT generation FROM control", [], |row| row.get(0))?)
}

/// Raises the generation.
pub(super) fn raise_generation(conn: &mut Connection) -> Result<u32, StoreError> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "UPDATE control SET generation = generation + 1 RETURNING generation";
    let generation = transaction.query_row(sql, [], |row| row.get(0))?;
    transaction.commit()?;
    Ok(generation)
}

/// A value of the installation.
pub(super) fn setting(conn: &Connection, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT value FROM setting WHERE name = ?1";
    Ok(conn.query_row(sql, [name], |row| row.get(0)).optional()?)
}

/// Sets a value of the installation.
pub(super) fn setting_put(conn: &mut Connection, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    transaction.execute(sql, params![name, value])?;
    transaction.commit()?;
    Ok(())
}
