//! Ways that a parcel takes besides the plain one: refused, brought back, lost, forked, told in any order.

use proptest::prelude::*;
use souk_codes::proof::{EventKind, EvidenceType, Verdict};
use souk_domain::order::{BlockerKind, OrderState, ReleaseClock, ShipmentState};
use souk_domain::parcel::{Parcel, ParcelState};
use souk_domain::time::Span;

use super::custody::{BOUND, PHOTO, at_the_door, blocker};
use super::world::{BUYER, COURIER, RIVAL, Told, Upload, World};
use super::{accepted, labelled};

/// The buyer has signed a refusal; a photo of the courier does not outweigh it, whichever comes first.
#[test]
fn a_signed_refusal_outweighs_a_photo() {
    for refusal_first in [false, true] {
        let mut world = World::new(1);
        let (order, parcel, certificate) = at_the_door(&mut world);
        let photo = world.scan(&parcel, EventKind::Delivered, PHOTO, b"jpeg".to_vec());
        world.now = world.now.plus(Span::from_minutes(1));
        let proof = world.handover(BUYER, &parcel, Verdict::Refuse);
        for step in 0..2 {
            if (step == 0) == refusal_first {
                accepted(world.word(BUYER, &parcel, &proof));
            } else {
                accepted(world.upload(&parcel, &photo, &certificate));
            }
            world.check();
        }
        assert_eq!(world.parcel(parcel.id).state, ParcelState::Delivered);
        assert_eq!(blocker(&world, order).unwrap().0, BlockerKind::Frozen);
        world.now = world.now.plus(Span::from_days(60));
        world.fire_timers();
        assert_eq!(world.order(order).released, 0);
    }
}

/// Refused at first, brought once more and taken: the order goes on.
#[test]
fn a_second_try_after_a_refusal() {
    let mut world = World::new(1);
    let (order, parcel, certificate) = at_the_door(&mut world);
    let refusal = world.handover(BUYER, &parcel, Verdict::Refuse);
    let refuse = world.scan(&parcel, EventKind::Refused, BOUND, refusal);
    accepted(world.upload(&parcel, &refuse, &certificate));
    assert_eq!(blocker(&world, order).unwrap().0, BlockerKind::Frozen);
    let out = world.plain(&parcel, EventKind::OutForDelivery);
    accepted(world.upload(&parcel, &out, &certificate));
    assert_eq!(world.order(order).shipment, ShipmentState::Shipped);
    assert_eq!(blocker(&world, order).unwrap().0, BlockerKind::InTransit);
    let proof = world.handover(BUYER, &parcel, Verdict::Accept);
    let delivered = world.scan(&parcel, EventKind::Delivered, BOUND, proof);
    accepted(world.upload(&parcel, &delivered, &certificate));
    assert_eq!(world.order(order).released, 28_800);
    world.check();
}

/// Every way out of the courier's van ends the order or has a blocker with a due time.
#[test]
fn lost_returned_and_forgotten() {
    for (name, kinds, kind) in [
        ("on its way", vec![], BlockerKind::InTransit),
        ("attempted", vec![EventKind::Attempted], BlockerKind::InTransit),
        ("returned at once", vec![EventKind::Returned], BlockerKind::Frozen),
        ("on its way back", vec![EventKind::ReturnStarted], BlockerKind::Frozen),
        ("brought back", vec![EventKind::ReturnStarted, EventKind::Returned], BlockerKind::Frozen),
    ] {
        let mut world = World::new(1);
        let (order, parcel) = labelled(&mut world);
        world.relay();
        let (_, certificate) = world.open_shift(COURIER);
        for kind in std::iter::once(EventKind::PickedUp).chain(kinds) {
            if kind == EventKind::Attempted {
                let out = world.plain(&parcel, EventKind::OutForDelivery);
                accepted(world.upload(&parcel, &out, &certificate));
            }
            let upload = world.plain(&parcel, kind);
            accepted(world.upload(&parcel, &upload, &certificate));
            world.check();
        }
        assert_eq!(blocker(&world, order).unwrap().0, kind, "{name}");
        world.now = world.now.plus(Span::from_days(100));
        world.fire_timers();
        world.relay();
        world.check();
        world.check_rest();
    }
}

/// After the release a parcel may still come back; the order's books and its blocker stay as they are.
#[test]
fn a_return_after_the_release() {
    let mut world = World::new(1);
    let (order, parcel, certificate) = at_the_door(&mut world);
    let proof = world.handover(BUYER, &parcel, Verdict::Accept);
    let delivered = world.scan(&parcel, EventKind::Delivered, BOUND, proof);
    accepted(world.upload(&parcel, &delivered, &certificate));
    let before = blocker(&world, order);
    assert_eq!(before.unwrap().0, BlockerKind::Reserve);
    world.relay();
    for kind in [EventKind::ReturnStarted, EventKind::Returned] {
        let upload = world.plain(&parcel, kind);
        accepted(world.upload(&parcel, &upload, &certificate));
        assert_eq!(blocker(&world, order), before);
        world.relay();
        world.check();
    }
    world.now = world.now.plus(Span::from_days(8));
    world.fire_timers();
    world.check();
    world.check_rest();
}

#[test]
fn a_fork_holds_the_money() {
    let mut world = World::new(1);
    let (order, parcel) = labelled(&mut world);
    world.relay();
    let (_, certificate) = world.open_shift(COURIER);
    let picked_up = world.plain(&parcel, EventKind::PickedUp);
    accepted(world.upload(&parcel, &picked_up, &certificate));
    for kind in [EventKind::OutForDelivery, EventKind::ReturnStarted] {
        let upload = world.sign(&parcel, &world.told(1, picked_up.id, kind));
        accepted(world.upload(&parcel, &upload, &certificate));
    }
    assert!(world.parcel(parcel.id).on_hold);
    assert_eq!(blocker(&world, order).unwrap().0, BlockerKind::Frozen);
    let proof = world.handover(BUYER, &parcel, Verdict::Accept);
    accepted(world.word(BUYER, &parcel, &proof));
    world.now = world.now.plus(Span::from_days(30));
    world.fire_timers();
    assert_eq!(world.order(order).released, 0, "no automatic release while custody is forked");
    world.check();
}

/// A fork that shows up while the clock runs stops it, even where it moves the parcel away from the buyer.
#[test]
fn a_late_fork_stops_the_clock() {
    let mut world = World::new(1);
    let (order, parcel, certificate) = at_the_door(&mut world);
    let tip = world.parcel(parcel.id).chain_tip;
    let photo = world.scan(&parcel, EventKind::Delivered, PHOTO, b"jpeg".to_vec());
    accepted(world.upload(&parcel, &photo, &certificate));
    assert!(matches!(world.order(order).clock, ReleaseClock::Running { .. }));
    world.now = world.now.plus(Span::from_days(1));
    let (_, rival) = world.open_shift(RIVAL);
    for kind in [EventKind::Departed, EventKind::Attempted] {
        let told = Told { who: RIVAL, ..world.told(2, tip, kind) };
        let upload = world.sign(&parcel, &told);
        accepted(world.upload_as(RIVAL, &parcel, &upload, &rival));
        world.check();
    }
    let row = world.parcel(parcel.id);
    assert!(row.on_hold && row.anomalies.contains(&"not_holder".to_owned()), "{row:?}");
    let ReleaseClock::Frozen { left_us, .. } = world.order(order).clock else { panic!() };
    assert_eq!(left_us, Span::from_days(6).micros());
    world.now = world.now.plus(Span::from_days(30));
    world.fire_timers();
    assert_eq!(world.order(order).released, 0);
    world.check();
}

/// Two scans made without knowing what was before them are no fork; they stand where their time says.
#[test]
fn scans_without_a_manifest_are_no_fork() {
    let mut world = World::new(1);
    let (order, parcel) = labelled(&mut world);
    let (_, certificate) = world.open_shift(COURIER);
    let blind = |world: &World, kind| world.sign(&parcel, &world.told(0, [0; 32], kind));
    let first = blind(&world, EventKind::PickedUp);
    world.now = world.now.plus(Span::from_minutes(1));
    let second = blind(&world, EventKind::OutForDelivery);
    accepted(world.upload(&parcel, &second, &certificate));
    accepted(world.upload(&parcel, &first, &certificate));
    let row = world.parcel(parcel.id);
    assert_eq!((row.state, row.on_hold, row.chain_index), (ParcelState::OutForDelivery, false, 0));
    assert_eq!(row.anomalies, [""; 0]);
    assert_eq!(world.order(order).shipment, ShipmentState::Shipped);
    world.check();
}

/// What arrives in any order, twice each: the scans of a round with a photo, a refusal and a second try, the buyer's
/// words. Rows end the same to the byte, clock and blocker too.
fn story(world: &mut World, parcel: &Parcel, which: usize) -> Vec<(Option<Upload>, Vec<u8>)> {
    let mut told: Vec<(Option<Upload>, Vec<u8>)> = Vec::new();
    let start = world.now;
    let mut scan = |world: &mut World, minutes: i64, kind, proof, evidence: Vec<u8>| {
        world.now = start.plus(Span::from_minutes(minutes));
        let upload = world.scan(parcel, kind, proof, evidence);
        told.push((Some(upload), Vec::new()));
    };
    scan(world, 1, EventKind::PickedUp, EvidenceType::None, Vec::new());
    scan(world, 2, EventKind::OutForDelivery, EvidenceType::None, Vec::new());
    if which == 1 || which == 3 {
        let refusal = world.handover(BUYER, parcel, Verdict::Refuse);
        scan(world, 3, EventKind::Refused, BOUND, refusal);
        scan(world, 4, EventKind::OutForDelivery, EvidenceType::None, Vec::new());
    }
    match which {
        0 | 1 => {
            let proof = world.handover(BUYER, parcel, Verdict::Accept);
            scan(world, 5, EventKind::Delivered, BOUND, proof.clone());
            told.push((None, proof));
        }
        2 => scan(world, 5, EventKind::Delivered, PHOTO, b"jpeg".to_vec()),
        3 => scan(world, 5, EventKind::Attempted, EvidenceType::None, Vec::new()),
        4 => {
            scan(world, 5, EventKind::Delivered, PHOTO, b"jpeg".to_vec());
            world.now = start.plus(Span::from_minutes(6));
            let proof = world.handover(BUYER, parcel, Verdict::AcceptDamaged);
            told.push((None, proof));
        }
        _ => {
            scan(world, 5, EventKind::Delivered, EvidenceType::None, Vec::new());
            let word = world.handover(BUYER, parcel, Verdict::Refuse);
            told.push((None, word));
        }
    }
    world.now = start.plus(Span::from_minutes(10));
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_order_ends_the_same(
        which in 0..6usize,
        shuffled in Just((0..12usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let end = |sequence: &[usize]| {
            let mut world = World::new(1);
            let (order, parcel) = labelled(&mut world);
            world.relay();
            let (_, certificate) = world.open_shift(COURIER);
            let told = story(&mut world, &parcel, which);
            for step in sequence {
                match &told[step % told.len()] {
                    (Some(upload), _) => accepted(world.upload(&parcel, upload, &certificate)),
                    (None, proof) => accepted(world.word(BUYER, &parcel, proof)),
                }
                world.check();
            }
            world.relay();
            world.check();
            let is_over = world.order(order).state == OrderState::Completed;
            assert_eq!(is_over, which < 2, "{which}");
            world.snapshot()
        };
        let plain: Vec<usize> = (0..12).collect();
        prop_assert_eq!(end(&shuffled), end(&plain));
    }
}
