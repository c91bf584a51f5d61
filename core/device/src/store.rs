//! The two files of a device: `user.db`, everything private, and `cache.db`, public rows that can be fetched again.
//!
//! Not for: what rows mean (`outbox`, `overlay`), when to talk to the server (`sync`). Rules: spec/sync.md 2. Always:
//! nothing is committed across both files, nothing is read before the start-up checkpoint, and `user.db` is never
//! deleted by this program.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

pub(crate) mod apply;
pub(crate) mod cache;
pub(crate) mod meta;
mod pragma;
mod schema;
pub(crate) mod scope;
pub(crate) mod session;
#[cfg(test)]
mod tests;

use souk_domain::scope::Scope;

use crate::error::{StoreError, StoreResult};
use pragma::File;

/// Where the files are and how they are opened.
#[derive(Clone, Debug)]
pub struct FilesConfig {
    /// Folder of both files; it is made if it is not there (unless a VFS is named).
    pub dir: PathBuf,
    /// A registered SQLite VFS; none = the system's.
    pub vfs: Option<String>,
    /// One process and no shared memory: `locking_mode=EXCLUSIVE`, for the simulator's files.
    pub exclusive: bool,
    /// `synchronous=FULL` for `user.db`. False is a mutant of the simulator: a tap may be lost then.
    pub user_synchronous_full: bool,
    /// `wal_checkpoint(TRUNCATE)` before the first read. False is a mutant of the simulator: what a restart shows
    /// may then be taken away by a power loss.
    pub start_checkpoint: bool,
}

impl FilesConfig {
    /// The files of a real device.
    pub fn in_dir(dir: impl Into<PathBuf>) -> FilesConfig {
        FilesConfig {
            dir: dir.into(),
            vfs: None,
            exclusive: false,
            user_synchronous_full: true,
            start_checkpoint: true,
        }
    }
}

/// What opening the files has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenReport {
    /// `cache.db` was damaged or foreign and was begun anew.
    pub cache_begun_anew: bool,
    /// `user.db` is older than `cache.db` knows: an old copy, or a medium that lied. A new epoch is asked for.
    pub user_rolled_back: bool,
    /// The files were not closed the last time: the sums of public rows are reckoned anew when there is time.
    pub unclean_exit: bool,
}

/// Both files, open.
#[derive(Debug)]
pub struct DeviceFiles {
    pub(crate) user: Connection,
    pub(crate) cache: Connection,
    /// What opening has found.
    pub report: OpenReport,
    /// `cache.db` was thrown away and could not be begun anew yet; an empty one in memory stands in its place.
    pub(crate) is_cache_lost: bool,
}

/// The scopes that everybody follows, in `cache.db`.
pub(crate) const PUBLIC: [Scope; 2] = [Scope::Reference, Scope::Catalogue];

const START: &str = "start";
const INSTALL: &str = "install";
/// Stands in `user.db` as long as the files are open.
const OPEN: &str = "open";
/// Bytes of the random id of an installation.
pub(crate) const INSTALL_BYTES: usize = 16;

impl DeviceFiles {
    /// Opens both files: pragmas, start-up checkpoint, migrations, start counter. `install` is the random id that a
    /// new `user.db` gets. A damaged `cache.db` is begun anew. Refuses: `store.newer` (nothing touched),
    /// `store.damaged` (`user.db`), `store.io`, `store.full`, `store.migration`.
    pub fn open(config: &FilesConfig, install: [u8; INSTALL_BYTES]) -> Result<DeviceFiles, StoreError> {
        if config.vfs.is_none() {
            std::fs::create_dir_all(&config.dir)?;
        }
        let user = open_file(config, File::User)?;
        let install = match meta::bytes(&user, INSTALL)? {
            Some(install) => install,
            None => {
                meta::put_bytes(&user, INSTALL, &install)?;
                install.to_vec()
            }
        };
        let mut report = OpenReport::default();
        let cache = match open_cache(config, &install) {
            Ok(Some(cache)) => cache,
            Ok(None) => {
                report.cache_begun_anew = true;
                begin_anew(config)?
            }
            Err(error) if error.is_of_rows() => {
                tracing::warn!(%error, "cache.db is damaged and is fetched again");
                report.cache_begun_anew = true;
                begin_anew(config)?
            }
            Err(error) => return Err(error),
        };
        meta::put_bytes(&cache, INSTALL, &install)?;
        report.user_rolled_back = meta::number(&cache, START)? > meta::number(&user, START)?;
        let start = meta::number(&user, START)?.max(meta::number(&cache, START)?) + 1;
        report.unclean_exit = meta::bytes(&user, OPEN)?.is_some();
        if !report.unclean_exit {
            meta::put_bytes(&user, OPEN, &[])?;
        }
        meta::put_json(&user, START, &start)?;
        meta::put_json(&cache, START, &start)?;
        Ok(DeviceFiles { user, cache, report, is_cache_lost: false })
    }

    /// The random id of this installation.
    pub fn install(&self) -> Result<[u8; INSTALL_BYTES], StoreError> {
        let bytes = meta::bytes(&self.user, INSTALL)?;
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(StoreError::Form { table: "meta", what: INSTALL })
    }

    /// Throws `cache.db` away and begins it anew with nothing but the public scopes to follow: what is kept there can
    /// be fetched again. One that fails leaves an empty file in memory and is tried again before the next transaction.
    pub(crate) fn begin_cache_anew(&mut self, config: &FilesConfig) -> StoreResult<()> {
        let damaged = std::mem::replace(&mut self.cache, Connection::open_in_memory()?);
        // Its pages are broken; what closing says about them does not matter.
        drop(damaged);
        self.is_cache_lost = true;
        let cache = begin_anew(config)?;
        meta::put_bytes(&cache, INSTALL, &self.install()?)?;
        meta::put_json(&cache, START, &meta::number(&self.user, START)?)?;
        for scope in PUBLIC {
            scope::follow(&cache, &scope)?;
        }
        self.cache = cache;
        self.is_cache_lost = false;
        self.report.cache_begun_anew = true;
        Ok(())
    }

    /// Reckons the sums of the public scopes from what is stored, and sets one that differs to begin from null: a
    /// medium that lost or changed rows is found before anybody asks for them (spec/sync.md 4.7).
    pub(crate) fn recount(&self) -> StoreResult<Vec<Scope>> {
        let mut differing = Vec::new();
        for scope in PUBLIC {
            let Some(row) = scope::find(&self.cache, &scope)? else { continue };
            if row.sweep || apply::recomputed(&self.cache, &scope)? == (row.sum, row.rows) {
                continue;
            }
            scope::restart(self, &scope)?;
            differing.push(scope);
        }
        Ok(differing)
    }

    /// Writes both logs into their files and closes them: a suspended phone holds no lock.
    pub fn close(self) -> Result<(), StoreError> {
        meta::delete(&self.user, OPEN)?;
        for conn in [self.user, self.cache] {
            checkpoint(&conn)?;
            conn.close().map_err(|(_, error)| error)?;
        }
        Ok(())
    }
}

fn open_file(config: &FilesConfig, file: File) -> StoreResult<Connection> {
    let path = config.dir.join(file.name());
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = match &config.vfs {
        Some(vfs) => {
            let vfs =
                CString::new(vfs.as_str()).map_err(|_| StoreError::Form { table: "config", what: "vfs" })?;
            Connection::open_with_flags_and_vfs(path, flags, vfs.as_c_str())?
        }
        None => Connection::open_with_flags(path, flags)?,
    };
    conn.set_prepared_statement_cache_capacity(128);
    pragma::lock(&conn, config)?;
    // A newer file is refused before a single setting is written.
    let schema = schema::refuse_newer(&conn, file)?;
    pragma::apply(&conn, file, config, schema == 0)?;
    if config.start_checkpoint {
        checkpoint(&conn)?;
    }
    schema::migrate(&mut conn, file)?;
    Ok(conn)
}

/// Opens `cache.db`; none = it belongs to another `user.db`, or rows that every start needs cannot be read (a bit has
/// flipped inside a value, where SQLite sees nothing).
fn open_cache(config: &FilesConfig, install: &[u8]) -> StoreResult<Option<Connection>> {
    let cache = open_file(config, File::Cache)?;
    let is_ours = meta::bytes(&cache, INSTALL)?.is_none_or(|found| found == install);
    if !is_ours {
        return Ok(None);
    }
    let needed = || {
        for scope in PUBLIC {
            scope::follow(&cache, &scope)?;
            scope::find(&cache, &scope)?;
        }
        cache::reference(&cache)?;
        scope::names(&cache)?;
        meta::number(&cache, START)
    };
    match needed() {
        Ok(_) => Ok(Some(cache)),
        Err(StoreError::Form { .. } | StoreError::Row(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Throws `cache.db` away and opens an empty one.
fn begin_anew(config: &FilesConfig) -> StoreResult<Connection> {
    let path = config.dir.join(File::Cache.name());
    match &config.vfs {
        None => {
            for suffix in ["", "-wal", "-shm"] {
                remove(&with_suffix(&path, suffix))?;
            }
        }
        // SQLite's own way to empty a file of any content, for files that only a VFS can reach.
        Some(vfs) => {
            let vfs =
                CString::new(vfs.as_str()).map_err(|_| StoreError::Form { table: "config", what: "vfs" })?;
            let conn = Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), vfs.as_c_str())?;
            conn.pragma_update(None, "locking_mode", "exclusive")?;
            conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)?;
            conn.execute_batch("VACUUM")?;
            conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, false)?;
            conn.close().map_err(|(_, error)| error)?;
        }
    }
    open_file(config, File::Cache)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(path: &Path) -> StoreResult<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Brings the log into the file. A crash between write and sync leaves a commit that a restarted process sees and a
/// later power loss takes away; answering from it would be a lie.
fn checkpoint(conn: &Connection) -> StoreResult<()> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}
