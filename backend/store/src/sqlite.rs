//! The SQLite adapter: one file, one writer (spec/scale.md 1, step 1).
//!
//! Not for: rules of trade. It never waits for anything but the medium, so a bare `block_on` drives it. Always: what
//! `commit` wrote is on the medium when it returns (WAL, `synchronous=FULL`), and nothing is answered from a log
//! that has not been synced (the start checkpoint).

mod bucket;
mod commit;
mod error;
mod migrate;
mod open;
mod owners;
mod page;
mod pragmas;
mod query;
mod read;
mod statements;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::Connection;
use souk_domain::bookkeeping::{Change, IntentRow, Outbox, Timer};
use souk_domain::id::{AccountId, Bucket, DerivedId};
use souk_domain::ledger::{Account as LedgerAccount, Transfer};
use souk_domain::order::{Blocker, Order};
use souk_domain::party::Device;
use souk_domain::rows::Key;
use souk_domain::scope::Scope;
use souk_domain::time::Time;

use crate::{BucketImage, OrdersAsk, Page, PageAsk, Prefetched, Store, StoreError, StoreStats, WriteSet};
pub use migrate::SCHEMA;

/// How to open a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SqliteConfig {
    /// The main file; the log stands beside it.
    pub path: PathBuf,
    /// Name of a registered VFS; none = the system's.
    pub vfs: Option<String>,
    /// One connection for all, with an exclusive lock: for a VFS without shared memory.
    pub exclusive: bool,
    /// Sync the log at each commit. False loses acknowledged commits at a power loss: for a mutant of the simulator.
    pub synchronous_full: bool,
    /// Empty the log before anything is read. False may answer from a commit that a power loss then takes away: for
    /// a mutant of the simulator.
    pub start_checkpoint: bool,
}

impl SqliteConfig {
    /// A durable store in a file of the system.
    pub fn new(path: impl Into<PathBuf>) -> SqliteConfig {
        SqliteConfig {
            path: path.into(),
            vfs: None,
            exclusive: false,
            synchronous_full: true,
            start_checkpoint: true,
        }
    }
}

/// Read-only connections beside the writer's: as many as small machines have cores to spare for queries.
const READERS: usize = 4;

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    config: SqliteConfig,
    writer: Mutex<Connection>,
    /// Empty when the file is opened exclusively.
    readers: Vec<Mutex<Connection>>,
    next_reader: AtomicUsize,
}

impl SqliteStore {
    /// Opens a file, or makes it.
    ///
    /// Refuses, and leaves the file as it is: `store.newer` for a file of a newer schema, `store.row` for a damaged
    /// file and for one that is no store, `store.io` when another process holds it.
    pub fn open(config: SqliteConfig) -> Result<SqliteStore, StoreError> {
        let writer = open::writer(&config)?;
        let count = if config.exclusive { 0 } else { READERS };
        let readers =
            (0..count).map(|_| open::reader(&config).map(Mutex::new)).collect::<Result<Vec<_>, _>>()?;
        Ok(SqliteStore { config, writer: Mutex::new(writer), readers, next_reader: AtomicUsize::new(0) })
    }

    /// The connection that writes.
    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic of another thread cannot leave a transaction behind: its guard has rolled back.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection for a query: the next free reader.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        let start = self.next_reader.fetch_add(1, Ordering::Relaxed);
        let turn = |step: usize| self.readers.get((start + step) % self.readers.len().max(1));
        let free = (0..self.readers.len()).find_map(|step| turn(step)?.try_lock().ok());
        free.or_else(|| turn(0).map(|reader| reader.lock().unwrap_or_else(PoisonError::into_inner)))
            .unwrap_or_else(|| self.writer())
    }

    /// The writer's connection while nobody uses it, because its page cache outlives commits, which empty those of
    /// the readers; else a reader.
    fn warm(&self) -> MutexGuard<'_, Connection> {
        self.writer.try_lock().unwrap_or_else(|_| self.reader())
    }

    /// Runs `query` in one read transaction: all its statements see the same moment.
    fn snapshot<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        read::snapshot(&self.reader(), query)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn prefetch(&self, keys: &[Key]) -> Result<Prefetched, StoreError> {
        read::snapshot(&self.warm(), |conn| read::rows(conn, keys))
    }

    async fn commit(&self, set: &WriteSet) -> Result<(), StoreError> {
        commit::commit(&mut self.writer(), set)
    }

    async fn take_over(&self) -> Result<i64, StoreError> {
        owners::take_over(&mut self.writer())
    }

    async fn fence(&self, bucket: Bucket) -> Result<i64, StoreError> {
        owners::fence(&mut self.writer(), bucket)
    }

    async fn generation(&self) -> Result<u32, StoreError> {
        owners::generation(&self.reader())
    }

    async fn raise_generation(&self) -> Result<u32, StoreError> {
        owners::raise_generation(&mut self.writer())
    }

    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        owners::setting(&self.reader(), name)
    }

    async fn setting_put(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        owners::setting_put(&mut self.writer(), name, value)
    }

    async fn timers_due(&self, now: Time, limit: usize) -> Result<Vec<Timer>, StoreError> {
        query::timers_due(&self.warm(), now, limit)
    }

    async fn timer_next(&self) -> Result<Option<Time>, StoreError> {
        query::timer_next(&self.warm())
    }

    async fn outbox_pending(&self, limit: usize) -> Result<Vec<Outbox>, StoreError> {
        query::outbox_pending(&self.warm(), limit)
    }

    async fn scope_parts(&self, scope: &Scope) -> Result<Vec<Bucket>, StoreError> {
        query::scope_parts(&self.reader(), scope)
    }

    async fn changes(
        &self,
        bucket: Bucket,
        scope: &Scope,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError> {
        page::changes(&self.reader(), bucket, scope, after, limit)
    }

    async fn page(&self, ask: &PageAsk) -> Result<Page, StoreError> {
        self.snapshot(|conn| page::page(conn, ask))
    }

    async fn orders(&self, ask: &OrdersAsk) -> Result<Vec<Order>, StoreError> {
        query::orders(&self.reader(), ask)
    }

    async fn accounts_of(&self, bucket: Bucket, owner: &[u8; 16]) -> Result<Vec<LedgerAccount>, StoreError> {
        query::accounts_of(&self.reader(), bucket, owner)
    }

    async fn transfers(&self, bucket: Bucket, after: u64, limit: usize) -> Result<Vec<Transfer>, StoreError> {
        query::transfers(&self.reader(), bucket, after, limit)
    }

    async fn statement(
        &self,
        account: DerivedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Transfer>, StoreError> {
        query::statement(&self.reader(), account, after, limit)
    }

    async fn ledger_accounts(&self, bucket: Bucket) -> Result<Vec<LedgerAccount>, StoreError> {
        query::ledger_accounts(&self.reader(), bucket)
    }

    async fn buckets_in_use(&self) -> Result<Vec<Bucket>, StoreError> {
        self.snapshot(query::buckets_in_use)
    }

    async fn blockers_due(&self, now: Time, limit: usize) -> Result<Vec<Blocker>, StoreError> {
        query::blockers_due(&self.reader(), now, limit)
    }

    async fn devices_of(&self, account: AccountId) -> Result<Vec<Device>, StoreError> {
        query::devices_of(&self.reader(), account)
    }

    async fn intents(&self, bucket: Bucket, limit: usize) -> Result<Vec<IntentRow>, StoreError> {
        query::intents(&self.reader(), bucket, limit)
    }

    async fn export_bucket(&self, bucket: Bucket) -> Result<BucketImage, StoreError> {
        self.snapshot(|conn| bucket::export(conn, bucket))
    }

    async fn import_bucket(&self, bucket: Bucket, image: &BucketImage) -> Result<(), StoreError> {
        bucket::import(&mut self.writer(), bucket, image)
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let mut stats = self.snapshot(query::stats)?;
        if self.config.vfs.is_none() {
            let mut log = self.config.path.clone().into_os_string();
            log.push("-wal");
            stats.wal_bytes = std::fs::metadata(log).map_or(0, |file| file.len());
        }
        Ok(stats)
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        open::checkpoint(&self.writer())
    }
}
