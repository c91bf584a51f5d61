//! What belongs to the whole installation, and what a restart must not take away.

use futures::executor::block_on;
use souk_domain::rows::RowKind;
use souk_testkit::samples;

use crate::harness::{Medium, Served};

/// Secrets and generation.
pub fn settings_and_generation_outlive_a_restart<M: Medium>() {
    let medium = M::fresh();
    let store = medium.open();
    assert_eq!(block_on(store.setting("secret")).unwrap(), None);
    block_on(store.setting_put("secret", b"one")).unwrap();
    block_on(store.setting_put("secret", b"\0two\xff")).unwrap();
    block_on(store.setting_put("empty", b"")).unwrap();
    let generation = block_on(store.generation()).unwrap();
    assert_eq!(block_on(store.raise_generation()).unwrap(), generation + 1);
    drop(store);
    let store = medium.open();
    assert_eq!(block_on(store.setting("secret")).unwrap().as_deref(), Some(&b"\0two\xff"[..]));
    assert_eq!(block_on(store.setting("empty")).unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(block_on(store.setting("Secret")).unwrap(), None);
    assert_eq!(block_on(store.generation()).unwrap(), generation + 1);
}

/// Rows, versions and epochs are there again after a restart.
pub fn acknowledged_outlives_a_restart<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let row = samples::row(RowKind::Order);
    served.put([row.clone()]);
    let epoch = served.epoch;
    drop(served);
    let served = Served::on(&medium);
    assert!(served.epoch > epoch);
    assert_eq!(served.read(&row.key()), (1, Some(row)));
    block_on(served.store.checkpoint()).unwrap();
}

/// Counts by kind, kinds without rows left out.
pub fn counts_are_those_of_the_rows<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    served.put([samples::row(RowKind::Order), samples::row(RowKind::Offer), samples::row(RowKind::Product)]);
    let stats = block_on(served.store.stats()).unwrap();
    let rows: Vec<_> = stats.rows.into_iter().filter(|(kind, _)| *kind != RowKind::Owner).collect();
    assert_eq!(rows, [(RowKind::Product, 1), (RowKind::Offer, 1), (RowKind::Order, 1)]);
    assert_eq!(stats.transfers, 0);
    assert!(stats.file_bytes > 0);
}
