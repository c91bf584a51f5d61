//! The index: one FTS5 row per product, without content, and the list of products whose text has changed.
//!
//! Callers bring the transaction. Rule: spec/sync.md 9.3.

use rusqlite::{Connection, Result};
use souk_text::fts5;

use super::Rid;

/// Tables of the index in `cache.db`.
///
/// No content (the title stands in `product`), rows can be deleted without their text, and no positions: with bigrams
/// they would cost more than the recheck. `unicode61` only cuts at blanks here, `souk_text::fts5` sees to that.
pub const CREATE: &str = "
    CREATE VIRTUAL TABLE IF NOT EXISTS fts USING fts5(
        t, content='', contentless_delete=1, detail=none, tokenize=\"unicode61 remove_diacritics 0\");
    CREATE TABLE IF NOT EXISTS fts_todo (rid INTEGER PRIMARY KEY) STRICT;";

/// Products folded in one idle slice (2,500 replacements take 140-240 ms).
pub const TODO_SLICE_ROWS: usize = 200;

const PUT: &str = "INSERT OR REPLACE INTO fts (rowid, t) VALUES (?1, ?2)";
const DELETE: &str = "DELETE FROM fts WHERE rowid = ?1";
const TODO_MARK: &str = "INSERT OR IGNORE INTO fts_todo (rid) VALUES (?1)";
const TODO_NEXT: &str = "SELECT rid FROM fts_todo ORDER BY rid LIMIT ?1";
const TODO_DONE: &str = "DELETE FROM fts_todo WHERE rid = ?1";

/// Makes the tables if they are not there.
pub fn create(conn: &Connection) -> Result<()> {
    conn.execute_batch(CREATE)
}

/// Puts a product's tokens (`souk_text::index_tokens` of title, brand, category names) in place of any before.
pub fn put(conn: &Connection, rid: Rid, tokens: &[String]) -> Result<()> {
    conn.prepare_cached(PUT)?.execute((rid, fts5::row(tokens)))?;
    Ok(())
}

/// Takes a product out; one that is not in is no error.
pub fn delete(conn: &Connection, rid: Rid) -> Result<()> {
    conn.prepare_cached(DELETE)?.execute([rid])?;
    Ok(())
}

/// Notes that a product's text has changed, in the transaction that changes it.
pub fn mark_todo(conn: &Connection, rid: Rid) -> Result<()> {
    conn.prepare_cached(TODO_MARK)?.execute([rid])?;
    Ok(())
}

/// Brings up to [`TODO_SLICE_ROWS`] changed products into the index; answers how many, 0 when none is left.
/// `tokens_of` gives a product's tokens, `None` if it is gone.
pub fn fold_todo(
    conn: &Connection,
    mut tokens_of: impl FnMut(Rid) -> Result<Option<Vec<String>>>,
) -> Result<usize> {
    let rids: Vec<Rid> = conn
        .prepare_cached(TODO_NEXT)?
        .query_map([TODO_SLICE_ROWS as i64], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for rid in &rids {
        match tokens_of(*rid)? {
            Some(tokens) => put(conn, *rid, &tokens)?,
            None => delete(conn, *rid)?,
        }
        conn.prepare_cached(TODO_DONE)?.execute([rid])?;
    }
    Ok(rids.len())
}
