//! A bucket as a whole: out of one store, into another (spec/scale.md 9).

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params_from_iter};
use souk_domain::id::Bucket;
use souk_domain::rows::{Key, Row, RowKind};

use super::commit::put_transfers;
use super::read::{transfers, versioned};
use super::statements::{self, TRANSFER_LIST};
use crate::encoding::{self, Cell};
use crate::table::table;
use crate::{BucketImage, StoreError};

/// Makes room for the owner row that comes in.
const OWNER_DROP: &str = "DELETE FROM bucket_owner WHERE bucket = ?1";

/// The owner row of a bucket that came in: nobody serves it until the next take-over.
const OWNER_PUT: &str = "
    INSERT INTO bucket_owner (bucket, state, epoch, journal_seq, journal_hash, journal_last_at, outbox_seq,
      catalogue_seq, waybill_seq, version)
    VALUES (?1, 2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// All rows of a bucket by their keys, and its journal.
pub(super) fn export(conn: &Connection, bucket: Bucket) -> Result<BucketImage, StoreError> {
    let mut rows: Vec<(Key, u64, Row)> = Vec::new();
    for kind in RowKind::ALL {
        let found = versioned(conn, *kind, &statements::of(*kind).walk, [bucket.number()])?;
        rows.extend(found.into_iter().map(|(version, row)| (row.key(), version, row)));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let sql = format!("{} WHERE bucket = ?1 ORDER BY seq", *TRANSFER_LIST);
    Ok(BucketImage { rows, transfers: transfers(conn, &sql, [bucket.number()])? })
}

/// Puts a bucket into a store that does not serve it and has no rows of it.
pub(super) fn import(conn: &mut Connection, bucket: Bucket, image: &BucketImage) -> Result<(), StoreError> {
    let foreign = image.rows.iter().any(|(key, _, row)| key.bucket != bucket || row.key() != *key)
        || image.transfers.iter().any(|transfer| transfer.bucket != bucket);
    if foreign {
        return Err(StoreError::Tripwire(format!("the image holds rows that are not of bucket {bucket}")));
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let state: Option<i64> = transaction
        .query_row("SELECT state FROM bucket_owner WHERE bucket = ?1", [bucket.number()], |row| row.get(0))
        .optional()?;
    if state == Some(0) {
        return Err(StoreError::Served { bucket });
    }
    transaction.execute(OWNER_DROP, [bucket.number()])?;
    for (key, version, row) in &image.rows {
        let mut cells = vec![Cell::Int(bucket.number().into())];
        cells.extend(table(key.kind).key_cells(key)?);
        cells.extend(encoding::columns(row)?);
        if table(key.kind).is_versioned {
            cells.push(Cell::unsigned(*version)?);
        }
        let sql =
            if key.kind == RowKind::Owner { OWNER_PUT } else { statements::of(key.kind).import.as_str() };
        transaction.prepare_cached(sql)?.execute(params_from_iter(cells))?;
    }
    put_transfers(&transaction, &image.transfers)?;
    transaction.commit()?;
    Ok(())
}
