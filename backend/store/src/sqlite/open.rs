//! Opening a file: look first, then set up, checkpoint, migrate (spec/sync.md 2.7).

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{SqliteConfig, migrate, pragmas};
use crate::StoreError;

/// Prepared statements kept by a connection: all of `statements` and `query`, with room.
const STATEMENTS_MAX: usize = 256;

/// Opens the connection that writes, and brings the file to the program's schema.
pub(super) fn writer(config: &SqliteConfig) -> Result<Connection, StoreError> {
    let conn = connect(config, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    // Until the file is accepted, closing must not copy the log into it: a refused file stays as it is.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if config.exclusive {
        // Before the log is touched for the first time, or SQLite asks the VFS for shared memory.
        conn.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    }
    migrate::check(&conn)?;
    pragmas::writer(&conn, config)?;
    if config.start_checkpoint {
        // A crash between the write of the log and its sync leaves commits that a restarted process sees and a later
        // power loss takes away. Nothing is answered before they are on the medium.
        checkpoint(&conn)?;
    }
    migrate::run(&conn)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(conn)
}

/// Opens a connection that only reads.
pub(super) fn reader(config: &SqliteConfig) -> Result<Connection, StoreError> {
    let conn = connect(config, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    pragmas::reader(&conn)?;
    Ok(conn)
}

fn connect(config: &SqliteConfig, access: OpenFlags) -> Result<Connection, StoreError> {
    // No mutex inside: each connection stands behind one of ours.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let conn = match &config.vfs {
        None => Connection::open_with_flags(&config.path, flags),
        Some(vfs) => Connection::open_with_flags_and_vfs(&config.path, flags, vfs.as_str()),
    }?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(conn)
}

/// Copies the whole log into the main file and empties it; waits for readers up to the busy time-out.
pub(super) fn checkpoint(conn: &Connection) -> Result<(), StoreError> {
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(StoreError::Io("the file is in use: its log could not be emptied".into()));
    }
    Ok(())
}
