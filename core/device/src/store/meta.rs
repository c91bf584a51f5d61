//! `meta`: single values of a file, by name.

use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{StoreError, StoreResult};

const GET: &str = "SELECT v FROM meta WHERE k = ?1";
const PUT: &str = "INSERT INTO meta(k, v) VALUES (?1, ?2) ON CONFLICT(k) DO UPDATE SET v = excluded.v";
const DELETE: &str = "DELETE FROM meta WHERE k = ?1";

/// A value; the name is the caller's.
pub(crate) fn bytes(conn: &Connection, key: &str) -> StoreResult<Option<Vec<u8>>> {
    Ok(conn.prepare_cached(GET)?.query_row([key], |row| row.get(0)).optional()?)
}

/// Writes a value.
pub(crate) fn put_bytes(conn: &Connection, key: &str, value: &[u8]) -> StoreResult<()> {
    conn.prepare_cached(PUT)?.execute((key, value))?;
    Ok(())
}

/// Removes a value.
pub(crate) fn delete(conn: &Connection, key: &str) -> StoreResult<()> {
    conn.prepare_cached(DELETE)?.execute([key])?;
    Ok(())
}

/// A value that is kept as JSON.
pub(crate) fn json<T: DeserializeOwned>(conn: &Connection, key: &'static str) -> StoreResult<Option<T>> {
    bytes(conn, key)?
        .map(|value| {
            serde_json::from_slice(&value).map_err(|_| StoreError::Form { table: "meta", what: key })
        })
        .transpose()
}

/// Writes a value as JSON.
pub(crate) fn put_json<T: Serialize>(conn: &Connection, key: &'static str, value: &T) -> StoreResult<()> {
    let value = serde_json::to_vec(value).map_err(|_| StoreError::Form { table: "meta", what: key })?;
    put_bytes(conn, key, &value)
}

/// A number, 0 when it was never written.
pub(crate) fn number(conn: &Connection, key: &'static str) -> StoreResult<u64> {
    Ok(json(conn, key)?.unwrap_or(0))
}

/// One value of a query that may have no row.
pub(crate) fn one<T: FromSql>(conn: &Connection, sql: &str, params: &[&dyn ToSql]) -> StoreResult<Option<T>> {
    Ok(conn.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?)
}
