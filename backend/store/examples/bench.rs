//! Measures a store on this machine: `cargo run --release -p souk-store --example bench [FOLDER]`.
#![allow(clippy::unwrap_used, reason = "a program for developers")]

use std::time::Instant;

use futures::executor::block_on;
use souk_domain::rows::{Key, Row};
use souk_store::Store;
use souk_store::bench::{TransfersAsk, transfers};
use souk_store::sqlite::{SqliteConfig, SqliteStore};

fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let path = folder.join(format!("souk-bench-{}.db", std::process::id()));
    let store = SqliteStore::open(SqliteConfig::new(&path)).unwrap();
    for (batch, buckets) in [(1_000, 64), (1_000, 1), (100, 64), (10, 8), (1, 1)] {
        let ask = TransfersAsk { batch, buckets, ..TransfersAsk::default() };
        let report = block_on(transfers(&store, &ask)).unwrap();
        println!("{batch} a commit over {buckets} buckets: {report:?}");
    }
    let accounts = block_on(store.ledger_accounts(souk_domain::id::Bucket::PUBLIC)).unwrap();
    let keys: Vec<Key> = accounts.into_iter().map(|account| Row::LedgerAccount(account).key()).collect();
    for count in [1, 14, 1_000] {
        let keys = &keys[..count.min(keys.len())];
        let begun = Instant::now();
        let rounds = 100_000 / keys.len();
        for _ in 0..rounds {
            block_on(store.prefetch(keys)).unwrap();
        }
        let ns = begun.elapsed().as_nanos() / (rounds * keys.len()) as u128;
        println!("prefetch of {} rows: {ns} ns a row", keys.len());
    }
    println!("{:?}", block_on(store.stats()).unwrap());
    drop(store);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
}
