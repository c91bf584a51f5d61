//! A store that fails on demand: before or after the commit is durable, or with a race or tripwire of one row; and
//! one that waits at a gate.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use souk_domain::bookkeeping::{Change, IntentRow, Outbox, Timer};
use souk_domain::id::{AccountId, Bucket, DerivedId};
use souk_domain::ledger::{Account as LedgerAccount, Transfer};
use souk_domain::order::{Blocker, Order};
use souk_domain::party::Device;
use souk_domain::rows::{Key, Row, RowKind};
use souk_domain::scope::Scope;
use souk_domain::time::Time;
use souk_store::{
    BucketImage, OrdersAsk, Page, PageAsk, Prefetched, Store, StoreError, StoreStats, WriteSet,
};

/// What the next commits do.
#[derive(Default)]
pub(crate) struct Faults {
    /// So many commits fail with I/O before anything is written.
    pub(crate) io_before: AtomicU32,
    /// So many commits are durable and then fail with I/O.
    pub(crate) io_after: AtomicU32,
    /// So many commits find the disk full.
    pub(crate) full: AtomicU32,
    /// So many commits lose a race.
    pub(crate) race: AtomicU32,
    /// Checkpoints fail.
    pub(crate) is_stuck: AtomicBool,
    /// A commit that writes this intent trips a wire.
    pub(crate) offender: Mutex<Option<[u8; 16]>>,
    /// Commits wait here.
    pub(crate) gate: Mutex<()>,
}

fn take(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

pub(crate) struct Faulty {
    pub(crate) inner: souk_store::sqlite::SqliteStore,
    pub(crate) faults: Arc<Faults>,
}

#[async_trait]
impl Store for Faulty {
    async fn commit(&self, set: &WriteSet) -> Result<(), StoreError> {
        drop(self.faults.gate.lock().unwrap());
        if take(&self.faults.io_before) {
            return Err(StoreError::Io("the cable was out".to_owned()));
        }
        if take(&self.faults.full) {
            return Err(StoreError::Full);
        }
        if take(&self.faults.race) {
            return Err(StoreError::LostRace { kind: RowKind::Order });
        }
        let offender = *self.faults.offender.lock().unwrap();
        let is_it = |row: &Option<Row>| matches!(row, Some(Row::Intent(row)) if Some(row.id) == offender);
        if set.writes.iter().any(|write| is_it(&write.row)) {
            return Err(StoreError::Tripwire("a check of the table".to_owned()));
        }
        self.inner.commit(set).await?;
        if take(&self.faults.io_after) {
            return Err(StoreError::Io("the answer was lost".to_owned()));
        }
        Ok(())
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        if self.faults.is_stuck.load(Ordering::Relaxed) {
            return Err(StoreError::Io("the cable is out".to_owned()));
        }
        self.inner.checkpoint().await
    }

    async fn prefetch(&self, keys: &[Key]) -> Result<Prefetched, StoreError> {
        self.inner.prefetch(keys).await
    }
    async fn take_over(&self) -> Result<i64, StoreError> {
        self.inner.take_over().await
    }
    async fn fence(&self, bucket: Bucket) -> Result<i64, StoreError> {
        self.inner.fence(bucket).await
    }
    async fn generation(&self) -> Result<u32, StoreError> {
        self.inner.generation().await
    }
    async fn raise_generation(&self) -> Result<u32, StoreError> {
        self.inner.raise_generation().await
    }
    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.setting(name).await
    }
    async fn setting_put(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.inner.setting_put(name, value).await
    }
    async fn timers_due(&self, now: Time, limit: usize) -> Result<Vec<Timer>, StoreError> {
        self.inner.timers_due(now, limit).await
    }
    async fn timer_next(&self) -> Result<Option<Time>, StoreError> {
        self.inner.timer_next().await
    }
    async fn outbox_pending(&self, limit: usize) -> Result<Vec<Outbox>, StoreError> {
        self.inner.outbox_pending(limit).await
    }
    async fn scope_parts(&self, scope: &Scope) -> Result<Vec<Bucket>, StoreError> {
        self.inner.scope_parts(scope).await
    }
    async fn changes(
        &self,
        bucket: Bucket,
        scope: &Scope,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError> {
        self.inner.changes(bucket, scope, after, limit).await
    }
    async fn page(&self, ask: &PageAsk) -> Result<Page, StoreError> {
        self.inner.page(ask).await
    }
    async fn orders(&self, ask: &OrdersAsk) -> Result<Vec<Order>, StoreError> {
        self.inner.orders(ask).await
    }
    async fn accounts_of(&self, bucket: Bucket, owner: &[u8; 16]) -> Result<Vec<LedgerAccount>, StoreError> {
        self.inner.accounts_of(bucket, owner).await
    }
    async fn transfers(&self, bucket: Bucket, after: u64, limit: usize) -> Result<Vec<Transfer>, StoreError> {
        self.inner.transfers(bucket, after, limit).await
    }
    async fn statement(
        &self,
        account: DerivedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Transfer>, StoreError> {
        self.inner.statement(account, after, limit).await
    }
    async fn ledger_accounts(&self, bucket: Bucket) -> Result<Vec<LedgerAccount>, StoreError> {
        self.inner.ledger_accounts(bucket).await
    }
    async fn buckets_in_use(&self) -> Result<Vec<Bucket>, StoreError> {
        self.inner.buckets_in_use().await
    }
    async fn blockers_due(&self, now: Time, limit: usize) -> Result<Vec<Blocker>, StoreError> {
        self.inner.blockers_due(now, limit).await
    }
    async fn devices_of(&self, account: AccountId) -> Result<Vec<Device>, StoreError> {
        self.inner.devices_of(account).await
    }
    async fn intents(&self, bucket: Bucket, limit: usize) -> Result<Vec<IntentRow>, StoreError> {
        self.inner.intents(bucket, limit).await
    }
    async fn export_bucket(&self, bucket: Bucket) -> Result<BucketImage, StoreError> {
        self.inner.export_bucket(bucket).await
    }
    async fn import_bucket(&self, bucket: Bucket, image: &BucketImage) -> Result<(), StoreError> {
        self.inner.import_bucket(bucket, image).await
    }
    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.inner.stats().await
    }
}
