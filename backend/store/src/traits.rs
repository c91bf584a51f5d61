//! The Store trait: what the engine and the API ask of a store, and what a store promises.
//!
//! Not for: rules of trade (`souk_domain`), encodings (`encoding`), SQL (`sqlite`). Rules: design.md 4,
//! spec/scale.md 3-5 and 11. Always: a commit writes everything or nothing, and what it wrote is durable when it
//! returns.

use async_trait::async_trait;
use souk_domain::bookkeeping::{Change, IntentRow, Outbox, Timer};
use souk_domain::id::{AccountId, Bucket, OrderId, ShopId};
use souk_domain::ledger::{Account as LedgerAccount, Transfer};
use souk_domain::order::{Blocker, Order};
use souk_domain::rows::{Key, Row, RowKind, Write};
use souk_domain::scope::Scope;
use souk_domain::time::Time;

/// Rows read in one prefetch: each asked key comes back once, in the order asked.
pub type Prefetched = Vec<(Key, u64, Option<Row>)>;

/// What one group commit writes: all or nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WriteSet {
    /// Rows with the version that each must still have, in the order of their keys; each key once. Rows of kind
    /// [`RowKind::Owner`] are written first: they fence (spec/scale.md 5).
    pub writes: Vec<Write>,
    /// Ledger transfers, in the order of posting.
    pub transfers: Vec<Transfer>,
    /// Fencing epoch under which the writer serves each bucket that is written.
    pub epoch: i64,
}

/// Why a store could not do something (spec/scale.md 11).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row had moved on, or a new row was there already: nothing was written, decide again.
    #[error("store.lost_race: a row of {kind:?} had another version")]
    LostRace {
        /// Kind of the first such row.
        kind: RowKind,
    },
    /// Somebody else owns a bucket now: nothing was written.
    #[error("store.fenced: bucket {bucket} has another owner")]
    Fenced {
        /// The bucket.
        bucket: Bucket,
    },
    /// The bucket is served here: it cannot come in from another store.
    #[error("store.served: bucket {bucket} is served here")]
    Served {
        /// The bucket.
        bucket: Bucket,
    },
    /// The file is of a newer schema than this program.
    #[error("store.newer: the file has schema {found}, this program knows {known}")]
    Newer {
        /// In the file.
        found: u32,
        /// In the program.
        known: u32,
    },
    /// The disk is full: nothing was written.
    #[error("store.full: the disk is full")]
    Full,
    /// A tripwire of the store fired: a bug in a rule; nothing was written.
    #[error("store.tripwire: {0}")]
    Tripwire(String),
    /// A row could not be read back: damage, or a row of a newer program.
    #[error("store.row: {0}")]
    Row(String),
    /// Anything else of the medium; whether a running commit is durable is unknown.
    #[error("store.io: {0}")]
    Io(String),
}

impl StoreError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::LostRace { .. } => "store.lost_race",
            StoreError::Fenced { .. } => "store.fenced",
            StoreError::Served { .. } => "store.served",
            StoreError::Newer { .. } => "store.newer",
            StoreError::Full => "store.full",
            StoreError::Tripwire(_) => "store.tripwire",
            StoreError::Row(_) => "store.row",
            StoreError::Io(_) => "store.io",
        }
    }
}

/// Rows of a bucket as they stand in the store, for moving it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BucketImage {
    /// Every row with its version.
    pub rows: Vec<(Key, u64, Row)>,
    /// The journal.
    pub transfers: Vec<Transfer>,
}

/// A store of whole buckets (design.md 4, spec/scale.md 3-5). The SQLite adapter never waits, so that a simulator can
/// drive it with a bare `block_on`. One conformance suite runs on every adapter.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads rows by key, in one go.
    async fn prefetch(&self, keys: &[Key]) -> Result<Prefetched, StoreError>;

    /// Writes a set in one durable transaction, or nothing.
    async fn commit(&self, set: &WriteSet) -> Result<(), StoreError>;

    /// Makes the caller the owner of all buckets under a new epoch and returns it; every row of an older epoch that
    /// is still on its way will be refused. Called once at start, after the start-up checkpoint.
    async fn take_over(&self) -> Result<i64, StoreError>;

    /// Ends ownership of a bucket: commits under any epoch up to this one are refused from now on.
    async fn fence(&self, bucket: Bucket) -> Result<i64, StoreError>;

    /// Generation of the data: raised by one when it was restored from a backup.
    async fn generation(&self) -> Result<u32, StoreError>;

    /// Raises the generation and returns it (`souk serve --restored`).
    async fn raise_generation(&self) -> Result<u32, StoreError>;

    /// A value of the installation (server secrets, keys): none if it was never set.
    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Sets a value of the installation, durably.
    async fn setting_put(&self, name: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Timers due at or before `now`, by (due, bucket, entity).
    async fn timers_due(&self, now: Time, limit: usize) -> Result<Vec<Timer>, StoreError>;

    /// The due time of the next timer.
    async fn timer_next(&self) -> Result<Option<Time>, StoreError>;

    /// Outbox rows that are not done, by (bucket, seq).
    async fn outbox_pending(&self, limit: usize) -> Result<Vec<Outbox>, StoreError>;

    /// Buckets that hold a part of a scope, from its home bucket.
    async fn scope_parts(&self, scope: &Scope) -> Result<Vec<Bucket>, StoreError>;

    /// Change rows of a part after a sequence, by sequence.
    async fn changes(
        &self,
        bucket: Bucket,
        scope: &Scope,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError>;

    /// A page of one part and what belongs to it, read in one snapshot: the changes, the current rows of the live
    /// ones (in the same order), the part's counter row, and this device's streams in this bucket.
    async fn page(&self, ask: &PageAsk) -> Result<Page, StoreError>;

    /// Orders of a shop or of a buyer in one bucket, newest first, after a cursor (placed_at, id).
    async fn orders(&self, ask: &OrdersAsk) -> Result<Vec<Order>, StoreError>;

    /// Ledger accounts of one owner in one bucket, by code.
    async fn accounts_of(&self, bucket: Bucket, owner: &[u8; 16]) -> Result<Vec<LedgerAccount>, StoreError>;

    /// A page of transfers of one bucket after a sequence, by sequence.
    async fn transfers(&self, bucket: Bucket, after: u64, limit: usize) -> Result<Vec<Transfer>, StoreError>;

    /// Transfers that touch one account, by sequence (statement).
    async fn statement(
        &self,
        account: souk_domain::id::DerivedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Transfer>, StoreError>;

    /// Every ledger account of one bucket, by id.
    async fn ledger_accounts(&self, bucket: Bucket) -> Result<Vec<LedgerAccount>, StoreError>;

    /// Buckets that hold at least one transfer or intent.
    async fn buckets_in_use(&self) -> Result<Vec<Bucket>, StoreError>;

    /// Blockers due at or before a time, for the monitor (spec/money.md 4.5).
    async fn blockers_due(&self, now: Time, limit: usize) -> Result<Vec<Blocker>, StoreError>;

    /// Devices of an account.
    async fn devices_of(&self, account: AccountId) -> Result<Vec<souk_domain::party::Device>, StoreError>;

    /// Stored intents of one bucket by their order of decision, for checks and the simulator.
    async fn intents(&self, bucket: Bucket, limit: usize) -> Result<Vec<IntentRow>, StoreError>;

    /// All rows of a bucket (B, L and O tables) and its journal, for moving it.
    async fn export_bucket(&self, bucket: Bucket) -> Result<BucketImage, StoreError>;

    /// Puts the rows of a bucket into a store that does not serve it.
    async fn import_bucket(&self, bucket: Bucket, image: &BucketImage) -> Result<(), StoreError>;

    /// Counts for health and metrics: rows by kind, file and WAL bytes.
    async fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Copies all committed pages into the main file and empties the log. Called before the first request is served
    /// and at a graceful stop.
    async fn checkpoint(&self) -> Result<(), StoreError>;
}

/// What to read for one part of a pull.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageAsk {
    /// Bucket of the part.
    pub bucket: Bucket,
    /// Scope.
    pub scope: Scope,
    /// After this sequence; 0 = from the beginning (deleted rows are left out then).
    pub after: u64,
    /// At most this many changes.
    pub limit: usize,
    /// The device whose streams are asked for, if any.
    pub device: Option<souk_domain::id::DeviceId>,
}

/// A page of one part.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// Changes by sequence.
    pub changes: Vec<(Change, Option<Row>)>,
    /// Last sequence, checksum and live rows of the part at the time of reading; none = no such part yet.
    pub part: Option<souk_domain::bookkeeping::ScopePart>,
    /// True if more changes follow.
    pub more: bool,
    /// The device's streams in this bucket.
    pub streams: Vec<souk_domain::bookkeeping::Stream>,
}

/// Which orders to list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrdersAsk {
    /// Orders of this shop ...
    pub shop: Option<ShopId>,
    /// ... or of this buyer in one bucket.
    pub buyer: Option<(AccountId, Bucket)>,
    /// Only in these order states; empty = all.
    pub states: Vec<souk_domain::order::OrderState>,
    /// Strictly older than this (placed_at, id).
    pub before: Option<(Time, OrderId)>,
    /// At most this many.
    pub limit: usize,
}

/// Counts of a store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoreStats {
    /// Rows by kind, kinds without rows left out.
    pub rows: Vec<(RowKind, u64)>,
    /// Ledger transfers.
    pub transfers: u64,
    /// Bytes of the main file.
    pub file_bytes: u64,
    /// Bytes of the log.
    pub wal_bytes: u64,
}
