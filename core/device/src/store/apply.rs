//! Pages of the server's rows: the one place that writes `srv`, `product` and `thing` (spec/sync.md 4.7, 6.5 I6, I7).
//!
//! Always: rows stand before their cursor, the cursor with the last of them in one transaction, the checksum moves
//! with its rows, and applying a page again changes nothing.

use rusqlite::{Connection, OptionalExtension};
use souk_crypto::rowsum;
use souk_domain::scope::{EntityKind, Scope};
use souk_domain::time::Time;
use souk_protocol::sync::{Applied, Put, RowsOf, RowsPage, rows_of};

use super::scope::{self, ScopeRow};
use super::{DeviceFiles, cache};
use crate::error::{StoreError, StoreResult};
use crate::limits::{CACHE_TX_ROWS_MAX, MISMATCH_SPAN};
use crate::testing::Mutants;

/// What applying a page has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// There is another page.
    More,
    /// The scope is as the server has it.
    Fresh,
    /// The checksum differs: the scope was set to begin from null.
    Differs {
        /// For the second time in a day.
        again: bool,
    },
    /// The scope is not followed any more.
    Gone,
}

const SRV_FIND: &str = "SELECT ver, mark FROM srv WHERE scope = ?1 AND ent = ?2 AND id = ?3";
const SRV_PUT: &str =
    "INSERT INTO srv(scope, ent, id, ver, k1, k2, body, mark) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT(scope, ent, id) DO UPDATE SET
    ver = excluded.ver, k1 = excluded.k1, k2 = excluded.k2, body = excluded.body, mark = excluded.mark";
const SRV_DELETE: &str = "DELETE FROM srv WHERE scope = ?1 AND ent = ?2 AND id = ?3";
const SRV_OLD: &str = "SELECT ent, id, ver FROM srv WHERE scope = ?1 AND mark <> ?2";
const SRV_ALL: &str = "SELECT ent, id, ver FROM srv WHERE scope = ?1";
const SRV_WIPE: &str = "DELETE FROM srv WHERE scope = ?1";
const SCOPE_PUT: &str =
    "UPDATE scope SET cursor = ?2, sum = ?3, rows = ?4, at = ?5, sweep = ?6 WHERE scope = ?1";
const CURSOR_PUT: &str = "UPDATE scope SET cursor = ?2 WHERE scope = ?1";
const APPLIED_PUT: &str =
    "INSERT INTO applied(scope, reg, epoch, bucket, lane, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT(scope, reg, epoch, bucket, lane) DO UPDATE SET last = max(last, excluded.last)";
const APPLIED_WIPE: &str = "DELETE FROM applied WHERE scope = ?1";

/// Where a stored row stands: its version, and the mark under which it was last seen.
type Standing = (u64, i64);

fn find(conn: &Connection, scope: &Scope, entity: u8, id: &[u8; 16]) -> StoreResult<Option<Standing>> {
    if scope.is_public() {
        return cache::find(conn, scope, entity, id);
    }
    Ok(conn
        .prepare_cached(SRV_FIND)?
        .query_row((scope.to_string(), entity, id.as_slice()), |row| {
            Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))
        })
        .optional()?)
}

fn put(conn: &Connection, scope: &Scope, put: &Put, mark: i64) -> StoreResult<()> {
    if scope.is_public() {
        return cache::put(conn, scope, put, mark);
    }
    let (k1, k2) = crate::overlay::sort_keys(put)?;
    let body =
        serde_json::to_string(&put.row).map_err(|_| StoreError::Form { table: "srv", what: "body" })?;
    conn.prepare_cached(SRV_PUT)?.execute((
        scope.to_string(),
        put.entity.number(),
        put.id.as_slice(),
        put.ver as i64,
        k1,
        k2,
        body,
        mark,
    ))?;
    Ok(())
}

fn delete(conn: &Connection, scope: &Scope, entity: u8, id: &[u8; 16]) -> StoreResult<()> {
    if scope.is_public() {
        return cache::delete(conn, scope, entity, id);
    }
    conn.prepare_cached(SRV_DELETE)?.execute((scope.to_string(), entity, id.as_slice()))?;
    Ok(())
}

/// (entity, id, version) of stored rows; `old_than` = only those of another mark.
fn versions(
    conn: &Connection,
    scope: &Scope,
    other_than: Option<i64>,
) -> StoreResult<Vec<(u8, [u8; 16], u64)>> {
    if scope.is_public() {
        return cache::versions(conn, scope, other_than);
    }
    let read = |row: &rusqlite::Row| {
        let id: Vec<u8> = row.get(1)?;
        Ok((row.get(0)?, id.try_into().unwrap_or([0; 16]), row.get::<_, i64>(2)? as u64))
    };
    let rows = match other_than {
        Some(mark) => conn
            .prepare_cached(SRV_OLD)?
            .query_map((scope.to_string(), mark), read)?
            .collect::<rusqlite::Result<_>>()?,
        None => conn
            .prepare_cached(SRV_ALL)?
            .query_map([scope.to_string()], read)?
            .collect::<rusqlite::Result<_>>()?,
    };
    Ok(rows)
}

/// The sum of a scope and its number of rows, reckoned anew from what is stored.
pub(crate) fn recomputed(conn: &Connection, scope: &Scope) -> StoreResult<(u64, u64)> {
    let rows = versions(conn, scope, None)?;
    let sum = rows
        .iter()
        .fold(0u64, |sum, (entity, id, ver)| sum.wrapping_add(rowsum::h(u64::from(*entity), id, *ver)));
    Ok((sum, rows.len() as u64))
}

/// Removes a scope with all it held.
pub(crate) fn wipe(files: &mut DeviceFiles, scope: &Scope) -> StoreResult<()> {
    let conn = if scope.is_public() { &mut files.cache } else { &mut files.user };
    let tx = conn.transaction()?;
    if scope.is_public() {
        cache::wipe(&tx, scope)?;
    } else {
        tx.prepare_cached(SRV_WIPE)?.execute([scope.to_string()])?;
        tx.prepare_cached(APPLIED_WIPE)?.execute([scope.to_string()])?;
    }
    scope::delete(&tx, scope)?;
    Ok(tx.commit()?)
}

/// One step on rows, with the sum that moves with them.
struct Rows<'c> {
    conn: &'c Connection,
    scope: &'c Scope,
    mark: i64,
    sum: u64,
    rows: u64,
}

impl Rows<'_> {
    fn put(&mut self, row: &Put) -> StoreResult<()> {
        let entity = row.entity.number();
        let former = find(self.conn, self.scope, entity, &row.id)?;
        // A row of this pull never goes back; one of an older mark gives way to whatever the server has now.
        if former.is_some_and(|(ver, mark)| mark == self.mark && ver > row.ver) {
            return Ok(());
        }
        put(self.conn, self.scope, row, self.mark)?;
        match former {
            Some((ver, _)) => self.sum = self.sum.wrapping_sub(h(entity, &row.id, ver)),
            None => self.rows += 1,
        }
        self.sum = self.sum.wrapping_add(h(entity, &row.id, row.ver));
        Ok(())
    }

    fn remove(&mut self, entity: EntityKind, id: &[u8; 16], ver: u64) -> StoreResult<()> {
        match find(self.conn, self.scope, entity.number(), id)? {
            Some((former, mark)) if mark != self.mark || former <= ver => {
                self.forget(entity.number(), id, former)
            }
            _ => Ok(()),
        }
    }

    fn forget(&mut self, entity: u8, id: &[u8; 16], ver: u64) -> StoreResult<()> {
        delete(self.conn, self.scope, entity, id)?;
        self.sum = self.sum.wrapping_sub(h(entity, id, ver));
        self.rows = self.rows.saturating_sub(1);
        Ok(())
    }
}

fn h(entity: u8, id: &[u8; 16], ver: u64) -> u64 {
    rowsum::h(u64::from(entity), id, ver)
}

/// What a page is applied with.
pub(crate) struct PageFacts {
    /// Server time of the answer.
    pub(crate) now: Time,
    /// The live registration, for `applied`.
    pub(crate) reg: i64,
}

/// Applies a page. Refuses rows that cannot be read with the code of their block; nothing of the page stays then.
pub(crate) fn page(
    files: &mut DeviceFiles,
    scope: &Scope,
    page: RowsPage,
    facts: &PageFacts,
    mutants: Mutants,
) -> StoreResult<Verdict> {
    let RowsPage { c: cursor, more, blocks, applied, sum, n } = page;
    let rows = rows_of(blocks).map_err(StoreError::Row)?;
    let Some(row) = scope::find(scope::file_of(files, scope), scope)? else {
        return Ok(Verdict::Gone);
    };
    if mutants.cursor_before_rows {
        scope::file_of(files, scope).prepare_cached(CURSOR_PUT)?.execute((scope.to_string(), &cursor))?;
    }
    let end = End { cursor, more, sum: sum.map(|sum| sum.0), n, applied };
    let mut step = Step { scope, row, facts, end };
    let verdict = if scope.is_public() {
        step.in_slices(&mut files.cache, rows)?
    } else {
        let tx = files.user.transaction()?;
        step.rows(&tx, &rows)?;
        let verdict = step.end(&tx)?;
        tx.commit()?;
        verdict
    };
    if let Verdict::Differs { .. } = verdict {
        // Its own transaction: the number of the last decision stands in the other file.
        scope::restart(files, scope)?;
    }
    Ok(verdict)
}

struct End {
    cursor: String,
    more: bool,
    sum: Option<u64>,
    n: Option<u64>,
    applied: Vec<Applied>,
}

struct Step<'s> {
    scope: &'s Scope,
    row: ScopeRow,
    facts: &'s PageFacts,
    end: End,
}

impl Step<'_> {
    /// A public page: slices of rows, each with its sum; the cursor with the last.
    fn in_slices(&mut self, cache: &mut Connection, rows: RowsOf) -> StoreResult<Verdict> {
        let mut rest = rows;
        while rest.puts.len() + rest.removed.len() > CACHE_TX_ROWS_MAX {
            let at = rest.puts.len().min(CACHE_TX_ROWS_MAX);
            let puts = rest.puts.drain(..at).collect();
            let removed = rest.removed.drain(..CACHE_TX_ROWS_MAX - at).collect();
            let tx = cache.transaction()?;
            self.rows(&tx, &RowsOf { puts, removed, unknown: 0 })?;
            self.write(&tx, self.row.cursor.clone().as_deref(), self.row.at, self.row.sweep)?;
            tx.commit()?;
        }
        let tx = cache.transaction()?;
        self.rows(&tx, &rest)?;
        let verdict = self.end(&tx)?;
        tx.commit()?;
        Ok(verdict)
    }

    fn rows(&mut self, conn: &Connection, rows: &RowsOf) -> StoreResult<()> {
        let ScopeRow { mark, sum, rows: count, .. } = self.row;
        let mut step = Rows { conn, scope: self.scope, mark, sum, rows: count };
        for put in &rows.puts {
            step.put(put)?;
        }
        for gone in &rows.removed {
            step.remove(gone.entity, &gone.id, gone.ver)?;
        }
        (self.row.sum, self.row.rows) = (step.sum, step.rows);
        Ok(())
    }

    fn write(&self, conn: &Connection, cursor: Option<&str>, at: Time, sweep: bool) -> StoreResult<()> {
        let (sum, rows) = (self.row.sum as i64, self.row.rows as i64);
        conn.prepare_cached(SCOPE_PUT)?.execute((
            self.scope.to_string(),
            cursor,
            sum,
            rows,
            at.micros(),
            sweep,
        ))?;
        Ok(())
    }

    fn end(&mut self, conn: &Connection) -> StoreResult<Verdict> {
        if self.end.more {
            self.write(conn, Some(&self.end.cursor), self.facts.now, self.row.sweep)?;
            return Ok(Verdict::More);
        }
        if self.row.sweep {
            for (entity, id, _) in versions(conn, self.scope, Some(self.row.mark))? {
                delete(conn, self.scope, entity, &id)?;
            }
            // Reckoned anew, so that a pull from null also mends a sum that was kept wrong.
            (self.row.sum, self.row.rows) = recomputed(conn, self.scope)?;
        }
        let differs = self.end.sum.is_some_and(|sum| sum != self.row.sum)
            || self.end.n.is_some_and(|n| n != self.row.rows);
        if differs {
            tracing::warn!(scope = %kind_of(self.scope), rows = self.row.rows, "checksum differs");
            self.write(conn, None, self.facts.now, self.row.sweep)?;
            scope::put_mismatch(conn, self.scope, self.facts.now)?;
            let again = self.row.mismatch_at.is_some_and(|at| self.facts.now.since(at) < MISMATCH_SPAN);
            return Ok(Verdict::Differs { again });
        }
        self.write(conn, Some(&self.end.cursor), self.facts.now, false)?;
        if !self.scope.is_public() {
            self.shown(conn)?;
        }
        Ok(Verdict::Fresh)
    }

    /// Own acts that this scope's rows show from now on.
    fn shown(&self, conn: &Connection) -> StoreResult<()> {
        let name = self.scope.to_string();
        for applied in &self.end.applied {
            conn.prepare_cached(APPLIED_PUT)?.execute((
                &name,
                self.facts.reg,
                applied.epoch,
                applied.bucket.number(),
                applied.lane.number(),
                applied.last as i64,
            ))?;
        }
        let from_null_up_to = if self.row.sweep { self.row.mark_decided_no } else { 0 };
        crate::outbox::mark_shown(conn, &name, from_null_up_to)
    }
}

/// The kind of a scope, for logs: ids stay out of them.
fn kind_of(scope: &Scope) -> &'static str {
    match scope {
        Scope::Reference => "ref",
        Scope::Catalogue => "cat",
        Scope::Account(_) => "acct",
        Scope::Seller(_) => "seller",
        Scope::Route(_) => "route",
    }
}
