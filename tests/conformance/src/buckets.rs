//! A bucket out of one store and into another (spec/scale.md 9).

use futures::executor::block_on;
use souk_domain::bookkeeping::Owner;
use souk_domain::rows::{Row, RowKind};
use souk_store::{BucketImage, StoreError};
use souk_testkit::samples::{self, Journal};

use crate::harness::{Medium, Served, write};

/// A store with a sample row of every kind of the sample bucket, one of them changed, and a posted journal.
fn filled<M: Medium>(medium: &M) -> Served {
    let served = Served::on(medium);
    let rows: Vec<Row> = samples::rows()
        .into_iter()
        .filter(|row| row.key().bucket == samples::bucket())
        .filter(|row| !matches!(row.kind(), RowKind::Owner | RowKind::LedgerAccount))
        .collect();
    served.put(rows.clone());
    served.commit(vec![write(1, samples::row(RowKind::Order))]).unwrap();
    let mut journal = Journal::new(samples::bucket());
    let transfers = journal.capture(1, samples::usd(100));
    let accounts = journal.accounts.values().map(|account| write(0, Row::LedgerAccount(*account)));
    served.commit_all(accounts.collect(), transfers).unwrap();
    served
}

fn export(served: &Served) -> BucketImage {
    block_on(served.store.export_bucket(samples::bucket())).unwrap()
}

/// Equal in the other store, and served there after a take-over, under a higher epoch.
pub fn an_image_comes_out_as_it_went_in<M: Medium>() {
    let (from, to) = (M::fresh(), M::fresh());
    let source = filled(&from);
    let image = export(&source);
    assert!(image.rows.is_sorted_by(|a, b| a.0 < b.0), "by key, each once");
    assert_eq!(image.transfers.len(), 1);
    assert!(image.rows.iter().any(|(key, version, _)| key.kind == RowKind::Order && *version == 2));
    let kinds: std::collections::BTreeSet<_> = image.rows.iter().map(|(key, ..)| key.kind).collect();
    let here = samples::rows().iter().filter(|row| row.key().bucket == samples::bucket()).count();
    assert_eq!(kinds.len(), here);

    let mut target = Served::on(&to);
    target.put([samples::row(RowKind::Card)]);
    block_on(target.store.fence(samples::bucket())).unwrap();
    block_on(target.store.import_bucket(samples::bucket(), &image)).unwrap();
    assert_eq!(export(&target), image);
    let result = target.commit(vec![write(2, samples::row(RowKind::Order))]);
    assert!(matches!(result, Err(StoreError::Fenced { .. })), "{result:?}");

    let before = source.epoch.max(target.epoch);
    target.epoch = block_on(target.store.take_over()).unwrap();
    assert!(target.epoch > before);
    target.commit(vec![write(2, samples::row(RowKind::Order))]).unwrap();
    let journal = |served: &Served| -> Owner { served.owner(samples::bucket()).1 };
    assert_eq!(journal(&target).journal, journal(&source).journal);
}

/// What is served here is not overwritten from elsewhere.
pub fn a_served_bucket_takes_no_image<M: Medium>() {
    let (from, to) = (M::fresh(), M::fresh());
    let image = export(&filled(&from));
    let target = Served::on(&to);
    let result = block_on(target.store.import_bucket(samples::bucket(), &image));
    assert!(matches!(result, Err(StoreError::Served { .. })), "{result:?}");
    assert_eq!(target.read(&samples::row(RowKind::Order).key()), (0, None));
}

/// An image is of one bucket.
pub fn rows_of_other_buckets_are_refused<M: Medium>() {
    let (from, to) = (M::fresh(), M::fresh());
    let mut image = export(&filled(&from));
    let card = samples::row(RowKind::Card);
    image.rows.push((card.key(), 1, card.clone()));
    let target = Served::on(&to);
    block_on(target.store.fence(samples::bucket())).unwrap();
    let result = block_on(target.store.import_bucket(samples::bucket(), &image));
    assert!(matches!(result, Err(StoreError::Tripwire(_))), "{result:?}");
    assert_eq!(target.read(&card.key()), (0, None));
}
