//! Settings of the two files: one table, set at open and read back (spec/sync.md 2.4).

use rusqlite::Connection;

use super::FilesConfig;
use crate::error::{StoreError, StoreResult};

/// Which file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum File {
    /// Everything private.
    User,
    /// Public rows, which can be fetched again.
    Cache,
}

impl File {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            File::User => "user.db",
            File::Cache => "cache.db",
        }
    }
}

/// `application_id` of both files: "Souk".
pub(crate) const APPLICATION_ID: i64 = 0x536F_756B;

/// 1 where a plain fsync does not reach the medium.
const FULL_FSYNC: &str = if cfg!(target_vendor = "apple") { "1" } else { "0" };

/// A setting: name, value of `user.db`, value of `cache.db`, as SQLite reads them back.
type Pragma = (&'static str, &'static str, &'static str);

/// Set before the first table is made; they cannot be changed later.
const AT_BIRTH: &[Pragma] = &[
    ("page_size", "4096", "4096"), // the page of flash and of most file systems
    ("auto_vacuum", "0", "2"),     // the cache shrinks after a reset
];

const ALWAYS: &[Pragma] = &[
    ("journal_mode", "wal", "wal"), // readers never wait for the writer
    ("synchronous", "2", "1"),      // with NORMAL an acknowledged order is gone after power loss
    ("fullfsync", FULL_FSYNC, "0"),
    ("checkpoint_fullfsync", FULL_FSYNC, "0"),
    ("busy_timeout", "5000", "5000"),  // a second process, a checkpoint
    ("cache_size", "-2000", "-16000"), // KiB; 40 MB in all
    ("journal_size_limit", "16777216", "16777216"), // disk on phones
    ("wal_autocheckpoint", "1000", "1000"),
    ("mmap_size", "0", "0"), // an I/O error on a mapped page is a signal, not an error code
    ("temp_store", "2", "2"), // no temp directory on Android
    ("secure_delete", "1", "0"), // wiped means overwritten
    ("foreign_keys", "1", "1"),
    ("trusted_schema", "0", "0"),  // hostile files
    ("cell_size_check", "1", "1"), // early report of damage
];

fn locking(config: &FilesConfig) -> &'static str {
    if config.exclusive { "exclusive" } else { "normal" }
}

/// Before the first read: in the exclusive mode SQLite needs no shared memory, which the simulator's files do not have.
pub(crate) fn lock(conn: &Connection, config: &FilesConfig) -> StoreResult<()> {
    Ok(conn.pragma_update(None, "locking_mode", locking(config))?)
}

/// Sets and asserts everything but the schema. `is_new` = the file has no table yet.
pub(crate) fn apply(conn: &Connection, file: File, config: &FilesConfig, is_new: bool) -> StoreResult<()> {
    let value = |pragma: &Pragma| match file {
        File::User => pragma.1,
        File::Cache => pragma.2,
    };
    if is_new {
        for pragma in AT_BIRTH {
            conn.pragma_update(None, pragma.0, value(pragma))?;
        }
    }
    for pragma in ALWAYS {
        let wanted = match (file, pragma.0) {
            (File::User, "synchronous") if !config.user_synchronous_full => "1",
            _ => value(pragma),
        };
        conn.pragma_update(None, pragma.0, wanted)?;
        check(conn, file, pragma.0, wanted)?;
    }
    check(conn, file, "locking_mode", locking(config))
}

fn check(conn: &Connection, file: File, name: &'static str, want: &str) -> StoreResult<()> {
    let got = conn.pragma_query_value(None, name, |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        })
    });
    let got = match got {
        Ok(got) => got,
        // A file system that cannot map answers nothing: as good as 0.
        Err(rusqlite::Error::QueryReturnedNoRows) if name == "mmap_size" => "0".to_owned(),
        Err(error) => return Err(error.into()),
    };
    if got == want {
        return Ok(());
    }
    Err(StoreError::Pragma { file: file.name(), name, want: want.to_owned(), got })
}
