//! Pages of a feed (spec/sync.md 4).

use futures::executor::block_on;
use souk_domain::bookkeeping::{Change, Lane, ScopePart, Stream};
use souk_domain::id::Bucket;
use souk_domain::rows::Row;
use souk_domain::scope::{EntityKind, Scope};
use souk_store::{Page, PageAsk};
use souk_testkit::samples;

use crate::harness::{Medium, Served, write};

fn scope() -> Scope {
    Scope::Seller(samples::shop())
}

/// A change of the n-th order at sequence n.
fn change(number: u64, live: bool) -> Change {
    Change {
        bucket: samples::bucket(),
        scope: scope(),
        entity: EntityKind::Order.number(),
        id: *samples::order_id(samples::bucket(), number).bytes(),
        seq: number,
        live,
    }
}

fn order(number: u64) -> Row {
    Row::Order(samples::order(samples::order_id(samples::bucket(), number), samples::time(0)))
}

fn ask(served: &Served, after: u64, limit: usize) -> Page {
    page(served, samples::bucket(), scope(), after, limit)
}

fn page(served: &Served, bucket: Bucket, scope: Scope, after: u64, limit: usize) -> Page {
    let ask = PageAsk { bucket, scope, after, limit, device: Some(samples::device_id(1)) };
    block_on(served.store.page(&ask)).unwrap()
}

fn seqs(page: &Page) -> Vec<u64> {
    page.changes.iter().map(|(change, _)| change.seq).collect()
}

/// By sequence, with the rows as they are now, until there is no more.
pub fn pages_follow_each_other<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let part = ScopePart { bucket: samples::bucket(), scope: scope(), seq: 5, sum: u64::MAX, rows: 5 };
    served.put((1..=5).flat_map(|number| [Row::Change(change(number, true)), order(number)]));
    assert_eq!(ask(&served, 0, 5).part, None);
    served.put([Row::ScopePart(part.clone())]);

    let whole = ask(&served, 0, 5);
    let wanted: Vec<_> = (1..=5).map(|number| (change(number, true), Some(order(number)))).collect();
    assert_eq!((&whole.changes, whole.more, &whole.part), (&wanted, false, &Some(part)));
    let first = ask(&served, 0, 4);
    assert_eq!((seqs(&first), first.more), (vec![1, 2, 3, 4], true));
    let rest = ask(&served, 4, 4);
    assert_eq!((seqs(&rest), rest.more), (vec![5], false));
    let end = ask(&served, 5, 4);
    assert_eq!((seqs(&end), end.more), (vec![], false));

    // A thing that changes again moves to the end of the feed.
    let moved = Change { seq: 6, ..change(2, true) };
    served.commit(vec![write(1, Row::Change(moved))]).unwrap();
    assert_eq!(seqs(&ask(&served, 0, 10)), [1, 3, 4, 5, 6]);
    assert_eq!(seqs(&ask(&served, 4, 10)), [5, 6]);
    assert_eq!(block_on(served.store.changes(samples::bucket(), &scope(), 4, 1)).unwrap().len(), 1);
    // Another scope of the same bucket has its own feed.
    assert_eq!(seqs(&page(&served, samples::bucket(), Scope::Catalogue, 0, 10)), [0; 0]);
}

/// Who has nothing yet is not told of deletes; all others are, and get no row with them.
pub fn a_beginner_gets_no_deletes<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    served.put((1..=4).map(|number| Row::Change(change(number, number % 2 == 0))));
    served.put((1..=4).map(order));
    let first = ask(&served, 0, 1);
    assert_eq!((seqs(&first), first.more), (vec![2], true));
    assert_eq!(seqs(&ask(&served, 0, 10)), [2, 4]);
    let later = ask(&served, 1, 10);
    assert_eq!(seqs(&later), [2, 3, 4]);
    let rows: Vec<bool> = later.changes.iter().map(|(_, row)| row.is_some()).collect();
    assert_eq!(rows, [true, false, true]);
    let all = block_on(served.store.changes(samples::bucket(), &scope(), 0, 10)).unwrap();
    assert_eq!(
        all.iter().map(|change| (change.seq, change.live)).collect::<Vec<_>>(),
        [(1, false), (2, true), (3, false), (4, true)]
    );
}

/// Every row that names a scope is found again through the feed of that scope.
pub fn every_kind_of_the_feed_finds_its_row<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let mut seen = std::collections::BTreeSet::new();
    for row in samples::rows() {
        for (place, (scope, entity, id)) in (1..).zip(row.scopes()) {
            if place == 1 {
                served.put([row.clone()]);
            }
            let bucket = row.key().bucket;
            let seq = 100 + u64::from(entity.number());
            let change =
                Change { bucket, scope: scope.clone(), entity: entity.number(), id, seq, live: true };
            served.put([Row::Change(change.clone())]);
            let found = page(&served, bucket, scope, seq - 1, 1).changes;
            assert_eq!(found, [(change, Some(row.clone()))], "{entity:?}");
            seen.insert(entity);
        }
    }
    let all: Vec<_> = EntityKind::ALL.into_iter().filter(|kind| *kind != EntityKind::Reference).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}

/// The streams of the device that asks, and of no other.
pub fn streams_of_the_asking_device_come_along<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let stream = |device, bucket, lane| Stream {
        bucket,
        device: samples::device_id(device),
        epoch: 2,
        lane,
        last: 41,
        reused: 0,
    };
    let here = samples::bucket();
    let own = [stream(1, here, Lane::Money), stream(1, here, Lane::Bulk)];
    let others = [stream(2, here, Lane::Money), stream(1, samples::numbered(3), Lane::Money)];
    served.put(own.into_iter().chain(others).map(Row::Stream));
    assert_eq!(ask(&served, 0, 1).streams, own);
    let nobody = PageAsk { bucket: here, scope: scope(), after: 0, limit: 1, device: None };
    assert_eq!(block_on(served.store.page(&nobody)).unwrap().streams, []);
}
