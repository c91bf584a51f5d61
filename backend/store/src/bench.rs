//! How fast a store takes transfers: group commits of posted chains, measured from outside (`souk bench transfers`).
//!
//! Not for: the engine's own cost; this is the store alone, with real postings on real accounts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use souk_crypto::hash::digest;
use souk_domain::bookkeeping::Owner;
use souk_domain::id::{Bucket, DerivedId, IdError};
use souk_domain::ledger::{
    Account, AccountCode, AccountRef, Chain, LedgerError, Leg, Origin, Posting, owner_named, post,
};
use souk_domain::money::{Currency, Money};
use souk_domain::rows::{Entity, Key, Row, Write};
use souk_domain::time::Time;

use crate::{Store, StoreError, WriteSet};

/// What to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransfersAsk {
    /// Transfers in one commit.
    pub batch: u32,
    /// Buckets that each commit spreads over, 1..=1024.
    pub buckets: u16,
    /// Orders a bucket whose escrow accounts are credited in turn.
    pub orders: u32,
    /// For how long; the last commit may end later.
    pub span: Duration,
}

impl Default for TransfersAsk {
    fn default() -> TransfersAsk {
        TransfersAsk { batch: 1_000, buckets: 64, orders: 1_000, span: Duration::from_secs(5) }
    }
}

/// What came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BenchReport {
    /// Durable transfers.
    pub ops: u64,
    /// Durable transfers a second.
    pub per_s: u64,
    /// Median time of a commit, microseconds.
    pub p50_us: u64,
    /// 99th percentile of the time of a commit, microseconds.
    pub p99_us: u64,
    /// Commits, each with one sync of the log.
    pub fsyncs: u64,
    /// Rows written beside the transfers: accounts and owners.
    pub rows: u64,
}

/// Why a bench stopped.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Too many buckets.
    #[error(transparent)]
    Bucket(#[from] IdError),
}

/// The books of one bucket as they stand in the store.
struct Book {
    owner: Owner,
    owner_version: u64,
    accounts: BTreeMap<DerivedId, Account>,
    versions: BTreeMap<DerivedId, u64>,
}

/// Captures one cent after the other for orders in turn, until the time is over. Takes the store over.
pub async fn transfers(store: &dyn Store, ask: &TransfersAsk) -> Result<BenchReport, BenchError> {
    let epoch = store.take_over().await?;
    let mut books = Vec::new();
    for number in 0..ask.buckets.max(1) {
        books.push(open_book(store, Bucket::new(number)?, ask.orders).await?);
    }
    let begun = Instant::now();
    let mut times: Vec<Duration> = Vec::new();
    let (mut ops, mut rows) = (0u64, 0u64);
    while begun.elapsed() < ask.span {
        let set = batch(&mut books, ask, epoch, ops)?;
        let commit = Instant::now();
        store.commit(&set).await?;
        times.push(commit.elapsed());
        ops += u64::from(ask.batch);
        rows += set.writes.len() as u64;
    }
    let span_us = begun.elapsed().as_micros().max(1);
    times.sort_unstable();
    let at = |percent: usize| {
        let time = times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
        time.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    };
    Ok(BenchReport {
        ops,
        per_s: u64::try_from(u128::from(ops) * 1_000_000 / span_us).unwrap_or(u64::MAX),
        p50_us: at(50),
        p99_us: at(99),
        fsyncs: times.len() as u64,
        rows,
    })
}

/// The accounts of an order: the rail's clearing and the order's escrow.
fn accounts(bucket: Bucket, order: u32) -> (AccountRef, AccountRef) {
    let mut owner = [0; 16];
    owner[12..].copy_from_slice(&order.to_be_bytes());
    let rail = owner_named("bench").unwrap_or_default();
    (
        AccountRef::new(AccountCode::RailClearing, rail, bucket, Currency::USD),
        AccountRef::new(AccountCode::OrderEscrow, owner, bucket, Currency::USD),
    )
}

async fn open_book(store: &dyn Store, bucket: Bucket, orders: u32) -> Result<Book, StoreError> {
    let mut keys = vec![Key::owner(bucket)];
    let refs = (0..orders.max(1)).map(|order| accounts(bucket, order).1);
    keys.extend(refs.chain([accounts(bucket, 0).0]).map(|of| Key::ledger_account(of.id())));
    let mut book = None;
    let (mut rows, mut versions) = (BTreeMap::new(), BTreeMap::new());
    for (_, version, row) in store.prefetch(&keys).await? {
        match row {
            Some(Row::Owner(owner)) => book = Some((owner, version)),
            Some(Row::LedgerAccount(account)) => {
                versions.insert(account.id, version);
                rows.insert(account.id, account);
            }
            _ => {}
        }
    }
    let (owner, owner_version) = book.ok_or(StoreError::Fenced { bucket })?;
    Ok(Book { owner, owner_version, accounts: rows, versions })
}

/// One group commit: `batch` captures, spread over the buckets, each touched row once.
fn batch(books: &mut [Book], ask: &TransfersAsk, epoch: i64, first: u64) -> Result<WriteSet, BenchError> {
    let mut set = WriteSet { epoch, ..WriteSet::default() };
    let mut touched: BTreeMap<usize, std::collections::BTreeSet<DerivedId>> = BTreeMap::new();
    for number in first..first + u64::from(ask.batch) {
        let place = (number % books.len() as u64) as usize;
        let book = &mut books[place];
        let order = (number / u64::from(ask.buckets.max(1)) % u64::from(ask.orders.max(1))) as u32;
        let (rail, escrow) = accounts(book.owner.bucket, order);
        let leg = Leg::post(rail, escrow, Money::new(1, Currency::USD));
        let id = digest("souk/bench/v1/", &[&epoch.to_be_bytes(), &number.to_be_bytes()]);
        let mut intent_id = [0; 16];
        intent_id.copy_from_slice(&id[..16]);
        let origin = Origin { intent_id, ref_id: escrow.owner, at: Time::from_micros(number.cast_signed()) };
        let chain = Chain::linked(Posting::Captured, [leg])?;
        set.transfers.extend(post(&chain, &origin, &mut book.owner.journal, &mut book.accounts)?);
        touched.entry(place).or_default().extend([rail.id(), escrow.id()]);
    }
    for (place, ids) in touched {
        let book = &mut books[place];
        let mut put = |version: &mut u64, row: Row| {
            set.writes.push(Write { key: row.key(), expected: *version, row: Some(row) });
            *version += 1;
        };
        put(&mut book.owner_version, Row::Owner(book.owner.clone()));
        for id in ids {
            if let Some(account) = book.accounts.get(&id) {
                put(book.versions.entry(id).or_insert(0), account.into_row());
            }
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::sqlite::{SqliteConfig, SqliteStore};

    #[test]
    fn what_is_counted_is_in_the_journal_and_a_second_run_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteConfig::new(dir.path().join("souk.db"))).unwrap();
        let ask = TransfersAsk { batch: 10, buckets: 3, orders: 2, span: Duration::from_millis(1) };
        let first = block_on(transfers(&store, &ask)).unwrap();
        let second = block_on(transfers(&store, &ask)).unwrap();
        let stats = block_on(store.stats()).unwrap();
        assert_eq!(stats.transfers, first.ops + second.ops);
        assert_eq!(first.ops, first.fsyncs * 10);
    }
}
