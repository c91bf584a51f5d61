//! The row of each followed scope: cursor, mark, checksum. Private scopes have theirs in `user.db`, public ones in
//! `cache.db`, beside their rows.

use rusqlite::{Connection, OptionalExtension, Row};
use souk_domain::scope::Scope;
use souk_domain::time::Time;

use super::{DeviceFiles, meta};
use crate::error::{StoreError, StoreResult};

/// How far a scope is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ScopeRow {
    /// Where the next page begins; none = from the beginning.
    pub(crate) cursor: Option<String>,
    /// Wrapping sum over the stored rows.
    pub(crate) sum: u64,
    /// Stored rows.
    pub(crate) rows: u64,
    /// Server time of the last page; 0 = never.
    pub(crate) at: Time,
    /// Rows of an older mark were not seen again since the pull began anew.
    pub(crate) mark: i64,
    /// Set from the beginning of a pull from null to its end.
    pub(crate) sweep: bool,
    /// The last decision known when that pull began: accepted rows up to it count as shown at its end.
    pub(crate) mark_decided_no: i64,
    /// When the checksum last differed.
    pub(crate) mismatch_at: Option<Time>,
}

const COLUMNS: &str = "cursor, sum, rows, at, mark, sweep, mark_decided_no, mismatch_at";
const INSERT: &str =
    "INSERT OR IGNORE INTO scope(scope, cursor, gen, sum, rows, at, mark, sweep, mark_decided_no)
    VALUES (?1, NULL, 0, 0, 0, 0, 1, 1, 0)";
const RESTART: &str =
    "UPDATE scope SET cursor = NULL, mark = mark + 1, sweep = 1, mark_decided_no = ?2 WHERE scope = ?1";
const RESTART_ALL: &str = "UPDATE scope SET cursor = NULL, mark = mark + 1, sweep = 1, mark_decided_no = ?1";
const MISMATCH: &str = "UPDATE scope SET mismatch_at = ?2 WHERE scope = ?1";
const DELETE: &str = "DELETE FROM scope WHERE scope = ?1";
const NAMES: &str = "SELECT scope FROM scope ORDER BY scope";

/// The name of the last decision's number in `meta` of `user.db`.
pub(crate) const DECIDED_NO: &str = "decided_no";

impl ScopeRow {
    fn read(row: &Row) -> rusqlite::Result<ScopeRow> {
        Ok(ScopeRow {
            cursor: row.get(0)?,
            sum: row.get::<_, i64>(1)? as u64,
            rows: row.get::<_, i64>(2)?.try_into().unwrap_or(0),
            at: Time::from_micros(row.get(3)?),
            mark: row.get(4)?,
            sweep: row.get(5)?,
            mark_decided_no: row.get(6)?,
            mismatch_at: row.get::<_, Option<i64>>(7)?.map(Time::from_micros),
        })
    }
}

/// The file that holds a scope.
pub(crate) fn file_of<'f>(files: &'f DeviceFiles, scope: &Scope) -> &'f Connection {
    if scope.is_public() { &files.cache } else { &files.user }
}

/// The row of a scope, if it is followed.
pub(crate) fn find(conn: &Connection, scope: &Scope) -> StoreResult<Option<ScopeRow>> {
    let sql = format!("SELECT {COLUMNS} FROM scope WHERE scope = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([scope.to_string()], ScopeRow::read).optional()?)
}

/// Follows a scope; answers whether it is new.
pub(crate) fn follow(conn: &Connection, scope: &Scope) -> StoreResult<bool> {
    Ok(conn.prepare_cached(INSERT)?.execute([scope.to_string()])? > 0)
}

/// All scopes that are followed, `acct` first.
pub(crate) fn followed(files: &DeviceFiles) -> StoreResult<Vec<Scope>> {
    let mut scopes = names(&files.user)?;
    scopes.extend(names(&files.cache)?);
    Ok(scopes)
}

/// The scopes whose rows stand in one file.
pub(crate) fn names(conn: &Connection) -> StoreResult<Vec<Scope>> {
    let mut statement = conn.prepare_cached(NAMES)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| name?.parse().map_err(|_| StoreError::Form { table: "scope", what: "scope" })).collect()
}

/// From null under a new mark; stored rows stay readable until the new ones stand.
pub(crate) fn restart(files: &DeviceFiles, scope: &Scope) -> StoreResult<()> {
    let decided_no = meta::number(&files.user, DECIDED_NO)? as i64;
    let conn = file_of(files, scope);
    conn.prepare_cached(RESTART)?.execute((scope.to_string(), decided_no))?;
    Ok(())
}

/// The same for all scopes of one file.
pub(crate) fn restart_all(conn: &Connection, decided_no: i64) -> StoreResult<()> {
    conn.prepare_cached(RESTART_ALL)?.execute([decided_no])?;
    Ok(())
}

/// Notes that the checksum differed.
pub(crate) fn put_mismatch(conn: &Connection, scope: &Scope, at: Time) -> StoreResult<()> {
    conn.prepare_cached(MISMATCH)?.execute((scope.to_string(), at.micros()))?;
    Ok(())
}

/// Removes the row; the caller removes what the scope held.
pub(crate) fn delete(conn: &Connection, scope: &Scope) -> StoreResult<()> {
    conn.prepare_cached(DELETE)?.execute([scope.to_string()])?;
    Ok(())
}
