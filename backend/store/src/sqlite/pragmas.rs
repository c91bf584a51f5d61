//! The settings of a connection: one table, asserted after opening (spec/sync.md 2.4).

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::SqliteConfig;
use crate::StoreError;

/// A setting: name, value as it is set, value as it is read back.
struct Pragma(&'static str, &'static str, &'static str);

/// Settings of each connection.
const ALL: &[Pragma] = &[
    // A checkpoint of another connection, a second process: wait for it, milliseconds.
    Pragma("busy_timeout", "5000", "5000"),
    // An I/O error on a mapped page is a signal, not an error code.
    Pragma("mmap_size", "0", "0"),
    // Sorting leaves no files behind.
    Pragma("temp_store", "MEMORY", "2"),
    // A file that somebody prepared cannot make our SQL call functions.
    Pragma("trusted_schema", "OFF", "0"),
    // Damage is seen where it is read.
    Pragma("cell_size_check", "ON", "1"),
];

/// Settings of the connection that writes, beside [`ALL`]. The order counts: pages and log before the first write.
const WRITER: &[Pragma] = &[
    // The unit of most disks; fixed when the file is made.
    Pragma("page_size", "4096", "4096"),
    // Freed rows do not come back as file space: a server's file grows with its trade.
    Pragma("auto_vacuum", "NONE", "0"),
    // Readers never wait for the writer; one sync a commit.
    Pragma("journal_mode", "WAL", "wal"),
    // 64 MiB of pages, so that a batch finds the indexes' pages in memory.
    Pragma("cache_size", "-65536", "-65536"),
    // An erased address is overwritten, not only unlinked.
    Pragma("secure_delete", "ON", "1"),
    // What a checkpoint leaves of the log, 64 MiB: a log that grew once does not keep its size.
    Pragma("journal_size_limit", "67108864", "67108864"),
];

/// Settings of the connections that only read, beside [`ALL`].
const READER: &[Pragma] = &[
    // A query cannot write, whatever its text says.
    Pragma("query_only", "ON", "1"),
    // Commits empty a reader's cache anyhow: 8 MiB for one long query.
    Pragma("cache_size", "-8192", "-8192"),
];

/// Pages of the log after which a commit copies them into the main file. A batch of 1,000 rows in tables with random
/// keys touches about as many pages, so SQLite's own 1,000 would checkpoint at nearly every commit.
const CHECKPOINT_PAGES: Pragma = Pragma("wal_autocheckpoint", "8000", "8000");

/// The same for a VFS under test: short runs shall see checkpoints too.
const CHECKPOINT_PAGES_EXCLUSIVE: Pragma = Pragma("wal_autocheckpoint", "200", "200");

/// Sets and asserts the settings of the connection that writes.
pub(super) fn writer(conn: &Connection, config: &SqliteConfig) -> Result<(), StoreError> {
    // A plain fsync of Apple's systems does not reach the medium.
    let apple = if cfg!(target_vendor = "apple") { "1" } else { "0" };
    // With NORMAL the log is not synced at a commit, and an acknowledged order is gone after a power loss.
    let synchronous = if config.synchronous_full {
        Pragma("synchronous", "FULL", "2")
    } else {
        Pragma("synchronous", "NORMAL", "1")
    };
    let others = [
        synchronous,
        Pragma("fullfsync", apple, apple),
        Pragma("checkpoint_fullfsync", apple, apple),
        if config.exclusive { CHECKPOINT_PAGES_EXCLUSIVE } else { CHECKPOINT_PAGES },
    ];
    set(conn, ALL)?;
    set(conn, WRITER)?;
    set(conn, &others)
}

/// Sets and asserts the settings of a connection that only reads.
pub(super) fn reader(conn: &Connection) -> Result<(), StoreError> {
    set(conn, ALL)?;
    set(conn, READER)
}

fn set(conn: &Connection, pragmas: &[Pragma]) -> Result<(), StoreError> {
    for Pragma(name, value, _) in pragmas {
        conn.execute_batch(&format!("PRAGMA {name} = {value}"))?;
    }
    for Pragma(name, _, wanted) in pragmas {
        let found = read(conn, name)?;
        if found != *wanted {
            return Err(StoreError::Io(format!("the setting {name} is {found} and should be {wanted}")));
        }
    }
    Ok(())
}

/// The value of a setting, as text.
pub(super) fn read(conn: &Connection, name: &str) -> Result<String, StoreError> {
    let value = conn.query_row(&format!("PRAGMA {name}"), [], |row| {
        Ok(match row.get_ref(0)? {
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => String::new(),
        })
    })?;
    Ok(value)
}
