//! Schema versions: what a file may be, and how it gets to the program's schema (spec/scale.md 14).
//!
//! An own runner of a few lines: no clock is read, so the same seed gives the same file; and a step stands in one
//! transaction with the version that it leads to, so a crash leaves the file as it was before.

use rusqlite::Connection;

use super::pragmas;
use crate::StoreError;

/// "SOUK" in the header of the file: `file` names it, and no other program's database is taken for a store.
const APPLICATION_ID: u32 = 0x534f_554b;

/// The steps, in order. A released one never changes; new ones only expand, or contract a release later.
const STEPS: &[&str] = &[include_str!("../../migrations/sqlite/V001__first.sql")];

/// Schema version of this program.
pub const SCHEMA: u32 = STEPS.len() as u32;

/// Looks at a file without changing it: is it a store, is it whole, is it of a schema that this program knows?
pub(super) fn check(conn: &Connection) -> Result<(), StoreError> {
    // The first read: here a cut-off or foreign file is seen.
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let found = version(conn)?;
    if tables == 0 && found == 0 {
        return Ok(());
    }
    if pragmas::read(conn, "application_id")? != APPLICATION_ID.to_string() {
        return Err(StoreError::Row("the file is a database of another program".into()));
    }
    if found > SCHEMA {
        return Err(StoreError::Newer { found, known: SCHEMA });
    }
    Ok(())
}

/// Brings a checked file to the program's schema.
pub(super) fn run(conn: &Connection) -> Result<(), StoreError> {
    let found = version(conn)?;
    for (step, number) in STEPS.iter().zip(1u32..).filter(|(_, number)| *number > found) {
        conn.execute_batch("BEGIN IMMEDIATE")?;
        let done = conn.execute_batch(step).and_then(|()| {
            conn.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT"
            ))
        });
        if let Err(error) = done {
            // A failed commit may have ended the transaction already.
            let _ = conn.execute_batch("ROLLBACK");
            return Err(error.into());
        }
        tracing::info!(schema = number, "the store's schema was brought up to date");
    }
    Ok(())
}

fn version(conn: &Connection) -> Result<u32, StoreError> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    // A negative number is none of ours, hence newer than all.
    Ok(u32::try_from(version).unwrap_or(u32::MAX))
}
