//! Reading rows: by key, or by the tail of a query.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Params, Statement, ToSql, params_from_iter};
use souk_domain::id::Bucket;
use souk_domain::ledger::Transfer;
use souk_domain::rows::{Entity, Key, Row, RowKind};

use super::statements;
use crate::encoding::{self, Cell, Cells};
use crate::table::table;
use crate::{Prefetched, StoreError};

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Int(number) => ValueRef::Integer(*number),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
            Cell::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Runs `query` in one read transaction: all its statements see the same moment.
pub(super) fn snapshot<T>(
    conn: &Connection,
    query: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = conn.unchecked_transaction()?;
    let result = query(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

/// Reads rows by key, in the order asked.
///
/// Point reads through one prepared statement a kind. `IN (VALUES …)` and a join on `VALUES` cost the same (1-2 us a
/// row for 14 to 1,000 keys) and need a text for each number of keys.
pub(super) fn rows(conn: &Connection, keys: &[Key]) -> Result<Prefetched, StoreError> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|at| keys[*at].kind);
    let mut found: Vec<(u64, Option<Row>)> = vec![(0, None); keys.len()];
    for group in order.chunk_by(|a, b| keys[*a].kind == keys[*b].kind) {
        let Some(kind) = group.first().map(|at| keys[*at].kind) else { continue };
        let mut select = conn.prepare_cached(&statements::of(kind).select)?;
        for at in group {
            found[*at] = one(&mut select, &keys[*at])?;
        }
    }
    Ok(keys.iter().cloned().zip(found).map(|(key, (version, row))| (key, version, row)).collect())
}

/// The row of a key with its version, or version 0.
fn one(select: &mut Statement<'_>, key: &Key) -> Result<(u64, Option<Row>), StoreError> {
    let mut cells = vec![Cell::Int(key.bucket.number().into())];
    cells.extend(table(key.kind).key_cells(key)?);
    let mut rows = select.query(params_from_iter(cells))?;
    match rows.next()? {
        None => Ok((0, None)),
        Some(row) => decode(key.kind, row).map(|(version, row)| (version, Some(row))),
    }
}

/// A row and its version from a result of [`statements::Statements::list`].
fn decode(kind: RowKind, row: &rusqlite::Row<'_>) -> Result<(u64, Row), StoreError> {
    let (bucket, mut cells) = cells(row)?;
    let row = encoding::row(kind, bucket, &mut cells)?;
    Ok((cells.number()?, row))
}

/// Bucket and other columns of a result.
fn cells<'r>(row: &'r rusqlite::Row<'_>) -> Result<(Bucket, Cells<'r>), StoreError> {
    let count = row.as_ref().column_count();
    let mut cells = Vec::with_capacity(count);
    for at in 0..count {
        cells.push(match row.get_ref(at)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Int(number),
            ValueRef::Text(text) => {
                Cell::text(std::str::from_utf8(text).map_err(|_| StoreError::Row("text is no UTF-8".into()))?)
            }
            ValueRef::Blob(bytes) => Cell::bytes(bytes),
            ValueRef::Real(_) => return Err(StoreError::Row("a column holds a float".into())),
        });
    }
    let mut cells = Cells::new(cells);
    let bucket = Bucket::new(cells.number()?).map_err(|_| StoreError::Row("no such bucket".into()))?;
    Ok((bucket, cells))
}

/// Rows of a kind with their versions, by the tail of a query (`WHERE … ORDER BY …`).
pub(super) fn versioned(
    conn: &Connection,
    kind: RowKind,
    sql: &str,
    params: impl Params,
) -> Result<Vec<(u64, Row)>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(decode(kind, row)?);
    }
    Ok(found)
}

/// Rows of a type, by the tail of a query.
pub(super) fn select<T: Entity>(
    conn: &Connection,
    tail: &str,
    params: impl Params,
) -> Result<Vec<T>, StoreError> {
    let sql = format!("{} {tail}", statements::of(T::KIND).list);
    let rows = versioned(conn, T::KIND, &sql, params)?;
    Ok(rows.iter().filter_map(|(_, row)| T::from_row(row).cloned()).collect())
}

/// Transfers, by a query that selects [`statements::TRANSFER_LIST`].
pub(super) fn transfers(
    conn: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Vec<Transfer>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (bucket, mut cells) = cells(row)?;
        found.push(encoding::read_transfer(bucket, &mut cells)?);
    }
    Ok(found)
}

/// A limit as SQL takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// A sequence as SQL takes it: one beyond the range is behind every row.
pub(super) fn sequence(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
