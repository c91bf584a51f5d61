//! Rows by key, versions, lost races.

use futures::executor::block_on;
use souk_domain::rows::{Key, Row, RowKind};
use souk_store::StoreError;
use souk_testkit::samples;

use crate::harness::{Medium, Served, delete, write};

/// Sample rows but that of the owner, which only a take-over makes.
fn sample_rows() -> Vec<Row> {
    samples::rows().into_iter().filter(|row| row.kind() != RowKind::Owner).collect()
}

/// Kinds whose rows never change.
fn never_changes(kind: RowKind) -> bool {
    matches!(kind, RowKind::Intent | RowKind::Inbox)
}

/// What is written is read back equal, with version 1.
pub fn every_kind_is_read_back_equal<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    served.put(sample_rows());
    for row in sample_rows() {
        assert_eq!(served.read(&row.key()), (1, Some(row.clone())), "{:?}", row.kind());
    }
}

/// Each key comes back once, in the order asked, whether it is there or not.
pub fn answers_stand_in_the_order_asked<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    served.put(sample_rows());
    let mut keys: Vec<Key> = sample_rows().iter().map(Row::key).rev().collect();
    keys.insert(3, Key::order(samples::order_id(samples::bucket(), 999)));
    keys.insert(7, Key::account(samples::account_id(samples::numbered(5), 1)));
    let found = block_on(served.store.prefetch(&keys)).unwrap();
    assert_eq!(found.iter().map(|(key, ..)| key.clone()).collect::<Vec<_>>(), keys);
    let there: Vec<bool> = found.iter().map(|(_, version, row)| *version > 0 && row.is_some()).collect();
    let absent: Vec<usize> = (0..keys.len()).filter(|at| !there[*at]).collect();
    assert_eq!(absent, [3, 7]);
    assert_eq!(block_on(served.store.prefetch(&[])).unwrap(), []);
}

/// A new row has version 1, each write adds one, and a deleted row is as if it never was.
pub fn versions_count_the_writes<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    for row in sample_rows() {
        let key = row.key();
        served.put([row.clone()]);
        let mut last = 1;
        if !never_changes(row.kind()) {
            for expected in 1..4 {
                served.commit(vec![write(expected, row.clone())]).unwrap();
                last = expected + 1;
                assert_eq!(served.read(&key), (last, Some(row.clone())), "{:?}", row.kind());
            }
        }
        served.commit(vec![delete(last, key.clone())]).unwrap();
        assert_eq!(served.read(&key), (0, None), "{:?}", row.kind());
        served.put([row.clone()]);
        assert_eq!(served.read(&key), (1, Some(row)));
    }
}

/// One row that has moved on ends the whole commit: nothing of it is written.
pub fn a_lost_race_changes_nothing<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let other = Row::Route(souk_domain::parcel::Route {
        courier: samples::account_id(samples::bucket(), 77),
        open: Vec::new(),
        ended: Vec::new(),
        shift: None,
    });
    for row in sample_rows() {
        let (kind, key) = (row.kind(), row.key());
        let check = |write, what: &str| {
            let before = (served.read(&key), served.owner(key.bucket));
            let result = served.commit(vec![self::write(0, other.clone()), write]);
            assert!(
                matches!(result, Err(StoreError::LostRace { kind: found }) if found == kind),
                "{kind:?}, {what}: {result:?}"
            );
            assert_eq!((served.read(&key), served.owner(key.bucket)), before, "{kind:?}, {what}");
            assert_eq!(served.read(&other.key()), (0, None), "{kind:?}, {what}");
        };
        check(delete(1, key.clone()), "delete of a row that is not there");
        if !never_changes(kind) {
            check(write(1, row.clone()), "change of a row that is not there");
        }
        served.put([row.clone()]);
        check(write(0, row.clone()), "new row that is there");
        if !never_changes(kind) {
            served.commit(vec![write(1, row.clone())]).unwrap();
            check(write(1, row.clone()), "change of a row that has moved on");
            check(write(3, row.clone()), "change of a row that has not got there");
            check(delete(1, key.clone()), "delete of a row that has moved on");
        }
    }
}

/// A stored outcome never changes, whatever a rule thinks.
pub fn rows_that_never_change_refuse_to<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    for row in sample_rows().into_iter().filter(|row| never_changes(row.kind())) {
        served.put([row.clone()]);
        let result = served.commit(vec![write(1, row.clone())]);
        assert!(matches!(result, Err(StoreError::Tripwire(_))), "{:?}: {result:?}", row.kind());
        assert_eq!(served.read(&row.key()), (1, Some(row)));
    }
}

/// A row stands under its own key or not at all.
pub fn a_row_under_another_key_is_refused<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let row = samples::row(RowKind::Order);
    let other = Key::order(samples::order_id(samples::bucket(), 999));
    for key in [other.clone(), samples::row(RowKind::Parcel).key(), Key { id: vec![1; 15], ..row.key() }] {
        let mut wrong = write(0, row.clone());
        wrong.key = key;
        let result = served.commit(vec![wrong]);
        assert!(matches!(result, Err(StoreError::Tripwire(_))), "{result:?}");
    }
    assert_eq!(served.read(&other), (0, None));
}
