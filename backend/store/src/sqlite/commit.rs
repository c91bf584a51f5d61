//! One group commit: owners first, then each row with its expected version, then the journal (spec/scale.md 5).
//!
//! Always: the row count of every statement is compared. One that is too small ends the transaction, and nothing of
//! the set is written.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params_from_iter};
use souk_domain::bookkeeping::Owner;
use souk_domain::id::Bucket;
use souk_domain::ledger::Transfer;
use souk_domain::rows::{Row, RowKind, Write};

use super::error::is_key_taken;
use super::statements::{self, TRANSFER_INSERT};
use crate::encoding::{self, Cell};
use crate::table::table;
use crate::{StoreError, WriteSet};

/// Moves the owner row on, if the writer still owns the bucket, the row is the one it decided on, and the journal
/// ends where its new transfers begin.
const OWNER_PUT: &str = "
    UPDATE bucket_owner SET journal_seq = ?5, journal_hash = ?6, journal_last_at = ?7, outbox_seq = ?8,
      catalogue_seq = ?9, waybill_seq = ?10, version = version + 1
    WHERE bucket = ?1 AND epoch = ?2 AND version = ?3 AND state = 0 AND journal_seq = ?4";

/// What an owner row is now, to say why it could not be moved on.
const OWNER_NOW: &str = "SELECT epoch, version FROM bucket_owner WHERE bucket = ?1 AND state = 0";

/// Writes a set in one durable transaction, or nothing.
pub(super) fn commit(conn: &mut Connection, set: &WriteSet) -> Result<(), StoreError> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    fence(&transaction, set)?;
    let mut rows: Vec<&Write> = set.writes.iter().filter(|write| write.key.kind != RowKind::Owner).collect();
    rows.sort_by_key(|write| write.key.kind); // one prepared statement a kind; stable, so keys stay in order
    for group in rows.chunk_by(|a, b| a.key.kind == b.key.kind) {
        put_rows(&transaction, group)?;
    }
    put_transfers(&transaction, &set.transfers)?;
    transaction.commit()?;
    Ok(())
}

/// Moves the owner rows on and checks the owner of every other bucket that is written.
fn fence(conn: &Connection, set: &WriteSet) -> Result<(), StoreError> {
    let journals = journals(&set.transfers)?;
    let mut owned = BTreeSet::new();
    for write in set.writes.iter().filter(|write| write.key.kind == RowKind::Owner) {
        let Some(Row::Owner(owner)) = &write.row else {
            return Err(StoreError::Tripwire("an owner row cannot be deleted".into()));
        };
        put_owner(conn, set.epoch, write.expected, owner, journals.get(&owner.bucket))?;
        owned.insert(owner.bucket);
    }
    if let Some(bucket) = journals.keys().find(|bucket| !owned.contains(bucket)) {
        return Err(StoreError::Tripwire(format!("transfers of bucket {bucket} without its owner row")));
    }
    let mut now = conn.prepare_cached(OWNER_NOW)?;
    for bucket in set.writes.iter().map(|write| write.key.bucket) {
        if owned.insert(bucket) {
            let epoch: Option<i64> = now.query_row([bucket.number()], |row| row.get(0)).optional()?;
            if epoch != Some(set.epoch) {
                return Err(StoreError::Fenced { bucket });
            }
        }
    }
    Ok(())
}

/// Last transfer and number of transfers by bucket. Asserts that sequences have no gap.
fn journals(transfers: &[Transfer]) -> Result<BTreeMap<Bucket, (&Transfer, u64)>, StoreError> {
    let mut journals: BTreeMap<Bucket, (&Transfer, u64)> = BTreeMap::new();
    for transfer in transfers {
        let count = match journals.get(&transfer.bucket) {
            Some((last, count)) if transfer.seq == last.seq + 1 => count + 1,
            None => 1,
            Some(_) => {
                return Err(StoreError::Tripwire(format!("a gap in the journal of {}", transfer.bucket)));
            }
        };
        journals.insert(transfer.bucket, (transfer, count));
    }
    Ok(journals)
}

fn put_owner(
    conn: &Connection,
    epoch: i64,
    expected: u64,
    owner: &Owner,
    journal: Option<&(&Transfer, u64)>,
) -> Result<(), StoreError> {
    let bucket = owner.bucket;
    let added = match journal {
        None => 0,
        Some((last, count)) if last.seq == owner.journal.seq && last.hash == owner.journal.hash => *count,
        Some(_) => {
            return Err(StoreError::Tripwire(format!("the journal of {bucket} does not end at its head")));
        }
    };
    let mut cells = vec![
        Cell::Int(bucket.number().into()),
        Cell::Int(epoch),
        Cell::unsigned(expected)?,
        Cell::unsigned(owner.journal.seq.saturating_sub(added))?,
    ];
    // The epoch itself is written by `take_over` alone.
    cells.extend(encoding::owner_counters(owner)?);
    let written = conn.prepare_cached(OWNER_PUT)?.execute(params_from_iter(cells))?;
    if written == 1 && owner.epoch == epoch {
        return Ok(());
    }
    let now: Option<(i64, i64)> = conn
        .prepare_cached(OWNER_NOW)?
        .query_row([bucket.number()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match now {
        Some((found, version)) if found == epoch && owner.epoch == epoch => {
            if u64::try_from(version) == Ok(expected) {
                return Err(StoreError::Tripwire(format!(
                    "the journal of {bucket} does not follow its head"
                )));
            }
            Err(StoreError::LostRace { kind: RowKind::Owner })
        }
        _ => Err(StoreError::Fenced { bucket }),
    }
}

/// Writes rows of one kind.
fn put_rows(conn: &Connection, writes: &[&Write]) -> Result<(), StoreError> {
    let Some(kind) = writes.first().map(|write| write.key.kind) else { return Ok(()) };
    let texts = statements::of(kind);
    let (mut insert, mut update, mut delete) = (None, None, None);
    for write in writes {
        let statement = match (&write.row, write.expected) {
            (None, 0) => return Err(StoreError::Tripwire(format!("a delete of {kind:?} without a version"))),
            (None, _) => (&mut delete, &texts.delete),
            (Some(_), 0) => (&mut insert, &texts.insert),
            (Some(_), _) if !table(kind).is_versioned => {
                return Err(StoreError::Tripwire(format!("a row of {kind:?} never changes")));
            }
            (Some(_), _) => (&mut update, &texts.update),
        };
        let statement = match statement {
            (Some(statement), _) => statement,
            (none, text) => none.insert(conn.prepare_cached(text)?),
        };
        put(statement, write)?;
    }
    Ok(())
}

/// Runs the statement of one write and compares the number of rows.
fn put(statement: &mut rusqlite::Statement<'_>, write: &Write) -> Result<(), StoreError> {
    let kind = write.key.kind;
    let table = table(kind);
    // Parameters are bound by place, so that nothing is copied: bucket, key, columns, version.
    let mut cells = vec![Cell::Int(write.key.bucket.number().into())];
    cells.extend(table.key_cells(&write.key)?);
    let version_at = cells.len() + table.columns.len() + usize::from(table.has_body) + 1;
    if let Some(row) = &write.row {
        if row.key() != write.key {
            return Err(StoreError::Tripwire(format!("a row of {kind:?} under another key")));
        }
        cells.extend(encoding::columns(row)?);
    }
    for (at, cell) in (1..).zip(&cells) {
        statement.raw_bind_parameter(at, cell)?;
    }
    if write.expected > 0 && table.is_versioned {
        statement.raw_bind_parameter(version_at, Cell::unsigned(write.expected)?)?;
    }
    match statement.raw_execute() {
        Ok(1) => Ok(()),
        Ok(_) => Err(StoreError::LostRace { kind }),
        Err(error) if write.expected == 0 && is_key_taken(&error) => Err(StoreError::LostRace { kind }),
        Err(error) => Err(error.into()),
    }
}

/// Adds transfers to the journal.
pub(super) fn put_transfers(conn: &Connection, transfers: &[Transfer]) -> Result<(), StoreError> {
    if transfers.is_empty() {
        return Ok(());
    }
    let mut insert = conn.prepare_cached(&TRANSFER_INSERT)?;
    for transfer in transfers {
        insert.raw_bind_parameter(1, i64::from(transfer.bucket.number()))?;
        for (at, cell) in (2..).zip(&encoding::transfer(transfer)?) {
            insert.raw_bind_parameter(at, cell)?;
        }
        insert.raw_execute()?;
    }
    Ok(())
}
