//! How the suite holds a store: a medium to open, and a served store to write to.

use std::collections::BTreeSet;

use futures::executor::block_on;
use souk_domain::bookkeeping::Owner;
use souk_domain::id::Bucket;
use souk_domain::ledger::Transfer;
use souk_domain::rows::{Entity, Key, Row, Write};
use souk_store::{Store, StoreError, WriteSet};

/// A place where a store keeps its data: a file, a database.
pub trait Medium {
    /// A new, empty place.
    fn fresh() -> Self;
    /// Opens the store that lies there. The one opened before has been dropped.
    fn open(&self) -> Box<dyn Store>;
}

/// A store whose buckets are owned.
pub struct Served {
    /// The store.
    pub store: Box<dyn Store>,
    /// The epoch of the ownership.
    pub epoch: i64,
}

impl Served {
    /// Opens a medium and takes its buckets over.
    pub fn on<M: Medium>(medium: &M) -> Served {
        let store = medium.open();
        let epoch = block_on(store.take_over()).unwrap();
        Served { store, epoch }
    }

    /// Reads one row and its version.
    pub fn read(&self, key: &Key) -> (u64, Option<Row>) {
        let mut found = block_on(self.store.prefetch(std::slice::from_ref(key))).unwrap();
        assert_eq!(found.len(), 1);
        let (found, version, row) = found.remove(0);
        assert_eq!(found, *key);
        (version, row)
    }

    /// The owner row of a bucket and its version.
    pub fn owner(&self, bucket: Bucket) -> (u64, Owner) {
        let (version, row) = self.read(&Key::owner(bucket));
        (version, Owner::from_row(&row.unwrap()).unwrap().clone())
    }

    /// Commits writes, with the owner rows of all their buckets, as the engine does.
    pub fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.commit_all(writes, Vec::new())
    }

    /// Commits writes and transfers with the owner rows of all their buckets.
    pub fn commit_all(&self, mut writes: Vec<Write>, transfers: Vec<Transfer>) -> Result<(), StoreError> {
        let buckets: BTreeSet<Bucket> = writes
            .iter()
            .map(|write| write.key.bucket)
            .chain(transfers.iter().map(|transfer| transfer.bucket))
            .collect();
        for bucket in buckets {
            let (expected, mut owner) = self.owner(bucket);
            if let Some(last) = transfers.iter().rfind(|transfer| transfer.bucket == bucket) {
                (owner.journal.seq, owner.journal.hash, owner.journal.last_at) =
                    (last.seq, last.hash, last.at);
            }
            writes.push(write(expected, Row::Owner(owner)));
        }
        writes.sort_by(|a, b| a.key.cmp(&b.key));
        block_on(self.store.commit(&WriteSet { writes, transfers, epoch: self.epoch }))
    }

    /// Commits new rows.
    pub fn put(&self, rows: impl IntoIterator<Item = Row>) {
        self.commit(rows.into_iter().map(|row| write(0, row)).collect()).unwrap();
    }
}

/// A write of a row that must have a version; 0 = that must not be there.
pub fn write(expected: u64, row: Row) -> Write {
    Write { key: row.key(), expected, row: Some(row) }
}

/// A delete of a row that must have a version.
pub fn delete(expected: u64, key: Key) -> Write {
    Write { key, expected, row: None }
}
