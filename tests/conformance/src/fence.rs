//! Who may write: epochs and owner rows (spec/scale.md 5, 7).

use futures::executor::block_on;
use souk_domain::id::{BUCKETS, Bucket};
use souk_domain::rows::{Key, Row, RowKind};
use souk_store::{StoreError, WriteSet};
use souk_testkit::samples;

use crate::harness::{Medium, Served, write};

/// A new sample row of a bucket.
fn route(bucket: Bucket) -> Row {
    let courier = samples::account_id(bucket, 1);
    Row::Route(souk_domain::parcel::Route { courier, open: Vec::new(), ended: Vec::new(), shift: None })
}

fn fenced(result: Result<(), StoreError>, bucket: Bucket) {
    assert!(
        matches!(result, Err(StoreError::Fenced { bucket: found }) if found == bucket),
        "wanted bucket {bucket}: {result:?}"
    );
}

/// What the former owner still has on its way is refused; epochs only rise.
pub fn a_take_over_ends_the_former_owner<M: Medium>() {
    let medium = M::fresh();
    let mut served = Served::on(&medium);
    let former = served.epoch;
    served.epoch = block_on(served.store.take_over()).unwrap();
    assert!(served.epoch > former);
    let (bucket, row) = (samples::bucket(), route(samples::bucket()));

    let (expected, owner) = served.owner(bucket);
    assert_eq!(owner.epoch, served.epoch);
    let mut stale = owner.clone();
    stale.epoch = former;
    for writes in [
        vec![write(0, row.clone())],
        vec![write(0, row.clone()), write(expected, Row::Owner(stale))],
        vec![write(0, row.clone()), write(expected, Row::Owner(owner))],
    ] {
        let set = WriteSet { writes, transfers: Vec::new(), epoch: former };
        fenced(block_on(served.store.commit(&set)), bucket);
        assert_eq!(served.read(&row.key()), (0, None));
    }
    served.put([row]);
}

/// A fenced bucket refuses, its neighbours do not, and a set over both writes nothing.
pub fn a_fenced_bucket_takes_no_commit<M: Medium>() {
    let medium = M::fresh();
    let mut served = Served::on(&medium);
    let (bucket, neighbour) = (samples::bucket(), samples::numbered(418));
    assert_eq!(block_on(served.store.fence(bucket)).unwrap(), served.epoch);
    fenced(served.commit(vec![write(0, route(bucket))]), bucket);
    fenced(served.commit(vec![write(0, route(neighbour)), write(0, route(bucket))]), bucket);
    assert_eq!(served.read(&route(neighbour).key()), (0, None));
    served.put([route(neighbour)]);
    // The next take-over serves it again.
    served.epoch = block_on(served.store.take_over()).unwrap();
    served.put([route(bucket)]);
}

/// A store that nobody has taken over takes no commit.
pub fn nobody_commits_before_the_first_take_over<M: Medium>() {
    let medium = M::fresh();
    let store = medium.open();
    let row = route(samples::bucket());
    let set = WriteSet { writes: vec![write(0, row)], transfers: Vec::new(), epoch: 0 };
    fenced(block_on(store.commit(&set)), samples::bucket());
}

/// The owner row's counters are written by the commit; its epoch is not.
pub fn owner_counters_move_on_with_the_commit<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let bucket = samples::bucket();
    let (expected, mut owner) = served.owner(bucket);
    (owner.outbox_seq, owner.catalogue_seq, owner.waybill_seq) = (1, 2, 3);
    let commit = |expected| {
        let writes = vec![write(expected, Row::Owner(owner.clone()))];
        block_on(served.store.commit(&WriteSet { writes, transfers: Vec::new(), epoch: served.epoch }))
    };
    commit(expected).unwrap();
    assert_eq!(served.owner(bucket), (expected + 1, owner.clone()));
    let result = commit(expected);
    assert!(matches!(result, Err(StoreError::LostRace { kind: RowKind::Owner })), "{result:?}");
}

/// A take-over leaves an owner row in each bucket, and keeps those that are there.
pub fn all_buckets_have_an_owner<M: Medium>() {
    let medium = M::fresh();
    let mut served = Served::on(&medium);
    served.put([route(samples::bucket())]);
    served.epoch = block_on(served.store.take_over()).unwrap();
    for number in 0..BUCKETS {
        let (_, owner) = served.owner(samples::numbered(number));
        assert_eq!((owner.bucket, owner.epoch), (samples::numbered(number), served.epoch));
    }
    assert_eq!(served.read(&Key::route(samples::account_id(samples::bucket(), 1))).0, 1);
}
