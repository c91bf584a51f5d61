//! What the evidence of a delivery does to the money: delays, stale and weak proof, the taker's verdicts.

use souk_codes::proof::{EventKind, EvidenceType, Verdict};
use souk_crypto::hash::sha256;
use souk_domain::bookkeeping::{Timer, TimerKind};
use souk_domain::intent::{Body, ServerAct};
use souk_domain::order::{BlockerKind, ReleaseClock, ShipmentState};
use souk_domain::parcel::{Level, Parcel, ParcelState};
use souk_domain::time::Span;

use super::custody::{BOUND, PHOTO, at_the_door, blocker};
use super::world::{BUYER, COURIER, HandoverFields, SELLER, Told, Upload, World};
use super::{accepted, labelled, refused};

/// What each evidence makes of the release (spec/money.md 4.4), at the hour and after it.
/// How a courier tells of a delivery.
type Way = dyn Fn(&mut World, &Parcel) -> Upload;

#[test]
fn evidence_decides_the_delay() {
    let far = Some((0, 0));
    let day = Span::from_days;
    let scan = |evidence: fn(&mut World, &Parcel) -> Vec<u8>, proof, place| {
        move |world: &mut World, parcel: &Parcel| {
            let bytes = evidence(world, parcel);
            let (index, prev) = (2, world.parcel(parcel.id).chain_tip);
            let told = world.told(index, prev, EventKind::Delivered);
            world.sign(parcel, &Told { proof, evidence: bytes, place, ..told })
        }
    };
    let none: fn(&mut World, &Parcel) -> Vec<u8> = |_, _| Vec::new();
    let photo: fn(&mut World, &Parcel) -> Vec<u8> = |_, _| b"jpeg".to_vec();
    let hand: fn(&mut World, &Parcel) -> Vec<u8> =
        |world, parcel| world.handover(BUYER, parcel, Verdict::Accept);
    let unbound: fn(&mut World, &Parcel) -> Vec<u8> = |world, parcel| {
        world.handover_with(BUYER, parcel, |_| HandoverFields {
            is_unbound: true,
            ..HandoverFields::default()
        })
    };
    let home = Some(super::world::HOME);
    let rows: [(&str, &Way, Level, Option<Span>); 8] = [
        ("nothing", &scan(none, EvidenceType::None, home), Level::E0, None),
        ("photo at the door", &scan(photo, PHOTO, home), Level::E1, Some(day(7))),
        ("photo elsewhere", &scan(photo, PHOTO, far), Level::E0, None),
        ("photo nowhere", &scan(photo, PHOTO, None), Level::E0, None),
        ("photo without bytes", &scan(none, PHOTO, home), Level::E0, None),
        ("hand-over elsewhere", &scan(hand, BOUND, far), Level::E3, Some(day(0))),
        ("hand-over unbound", &scan(unbound, EvidenceType::HandoverUnbound, home), Level::E3, Some(day(0))),
        ("hand-over at the door", &scan(hand, BOUND, home), Level::E4, Some(day(0))),
    ];
    for (name, tell, level, delay) in rows {
        let mut world = World::new(1);
        let (order, parcel, certificate) = at_the_door(&mut world);
        let upload = tell(&mut world, &parcel);
        accepted(world.upload(&parcel, &upload, &certificate));
        world.check();
        assert_eq!(world.parcel(parcel.id).level, level, "{name}");
        assert_eq!(world.order(order).shipment, ShipmentState::Delivered, "{name}");
        match delay {
            None => {
                assert_eq!(blocker(&world, order), Some((BlockerKind::EvidenceE0, world.now.plus(day(10)))));
                world.now = world.now.plus(day(400));
                world.fire_timers();
                assert_eq!(world.order(order).released, 0, "{name}");
            }
            Some(delay) if delay > day(0) => {
                let due = world.now.plus(delay);
                assert_eq!(blocker(&world, order), Some((BlockerKind::Clock, due)), "{name}");
                world.now = due.minus(Span::from_micros(1));
                world.fire_timers();
                assert_eq!(world.order(order).released, 0, "{name}");
                world.now = due;
                world.fire_timers();
                assert_eq!(world.order(order).released, 28_800, "{name}");
            }
            Some(_) => assert_eq!(world.order(order).released, 28_800, "{name}"),
        }
        world.check();
    }
}

/// A later, stronger proof shortens the clock; the first timer then finds another generation.
#[test]
fn a_stronger_proof_shortens_the_clock() {
    let mut world = World::new(1);
    world.reference.policies.release_e1_us = Span::from_days(7);
    let (order, parcel, certificate) = at_the_door(&mut world);
    let photo = world.scan(&parcel, EventKind::Delivered, PHOTO, b"jpeg".to_vec());
    accepted(world.upload(&parcel, &photo, &certificate));
    let ReleaseClock::Running { due, generation } = world.order(order).clock else { panic!() };
    // A note, and the same delivery told again two days later: the clock stays.
    world.now = world.now.plus(Span::from_days(2));
    for (kind, proof, bytes) in
        [(EventKind::Note, EvidenceType::None, Vec::new()), (EventKind::Delivered, PHOTO, b"jpeg2".to_vec())]
    {
        let upload = world.scan(&parcel, kind, proof, bytes);
        accepted(world.upload(&parcel, &upload, &certificate));
        assert_eq!(world.order(order).clock, ReleaseClock::Running { due, generation });
    }
    // The buyer's proof: at once. The timer that is still there changes nothing.
    let proof = world.handover(BUYER, &parcel, Verdict::Accept);
    accepted(world.word(BUYER, &parcel, &proof));
    let released = world.order(order);
    assert_eq!(released.released, 28_800);
    let late =
        Timer { bucket: order.bucket(), due, entity: *order.bytes(), kind: TimerKind::Release, generation };
    world.now = due;
    accepted(world.server(ServerAct::Timeout(late)));
    assert_eq!(world.order(order).released, 28_800);
    world.check();
}

/// Nobody lets a clock run out by dating a delivery back: not before the shift, not before the label.
#[test]
fn a_delivery_cannot_be_dated_back() {
    let mut world = World::new(1);
    let (order, parcel) = labelled(&mut world);
    world.now = world.now.plus(Span::from_days(9));
    let (_, certificate) = world.open_shift(COURIER);
    let opened_at = world.now;
    world.now = world.now.plus(Span::from_minutes(30));
    let mut prev = sha256(&parcel.label);
    for (index, (kind, proof, evidence)) in [
        (EventKind::PickedUp, EvidenceType::None, &b""[..]),
        (EventKind::OutForDelivery, EvidenceType::None, b""),
        (EventKind::Delivered, PHOTO, b"jpeg"),
    ]
    .into_iter()
    .enumerate()
    {
        let at = Some(world.now.minus(Span::from_days(8)));
        let told = world.told(index as u16, prev, kind);
        let upload = world.sign(&parcel, &Told { at, proof, evidence: evidence.to_vec(), ..told });
        accepted(world.upload(&parcel, &upload, &certificate));
        prev = upload.id;
    }
    let row = world.parcel(parcel.id);
    assert_eq!((row.level, row.delivered_at), (Level::E1, Some(opened_at)));
    assert_eq!(row.anomalies, ["custody.shift"]);
    assert_eq!(world.order(order).released, 0);
    assert_eq!(blocker(&world, order), Some((BlockerKind::Clock, opened_at.plus(Span::from_days(7)))));
    world.check();
    // A certificate of an earlier shift does not help before the label was made.
    let mut world = World::new(1);
    let (_, old) = world.open_shift(COURIER);
    world.now = world.now.plus(Span::from_days(8));
    let (order, parcel) = labelled(&mut world);
    let labelled_at = world.now;
    let mut prev = sha256(&parcel.label);
    for (index, kind) in
        [EventKind::PickedUp, EventKind::OutForDelivery, EventKind::Delivered].into_iter().enumerate()
    {
        let told = world.told(index as u16, prev, kind);
        let at = Some(super::world::START);
        let upload = world.sign(&parcel, &Told { at, proof: PHOTO, evidence: b"jpeg".to_vec(), ..told });
        accepted(world.upload(&parcel, &upload, &old));
        prev = upload.id;
    }
    assert_eq!(world.parcel(parcel.id).delivered_at, Some(labelled_at));
    assert_eq!(world.order(order).released, 0);
    world.check();
}

/// Outside its shift an event proves at most E1, without a clock of its own it counts from its arrival, and a time to
/// come is now.
#[test]
fn times_of_events() {
    let hours = Span::from_hours;
    for (name, wait, told, level, anomalies) in [
        ("in time", hours(0), Some(hours(0)), Level::E4, vec![]),
        ("from the future", hours(0), Some(hours(5)), Level::E4, vec![]),
        ("no clock", hours(0), None, Level::E4, vec![]),
        ("after the shift", hours(13), Some(hours(13)), Level::E1, vec!["custody.shift"]),
        ("uploaded later", hours(13), Some(hours(0)), Level::E4, vec![]),
    ] {
        let mut world = World::new(1);
        let (_, parcel, certificate) = at_the_door(&mut world);
        let start = world.now;
        let at = told.map(|told| start.plus(told));
        let made_at = Some(at.map_or(start, |at| at.min(start.plus(wait))));
        let proof = world
            .handover_with(BUYER, &parcel, |_| HandoverFields { at: made_at, ..HandoverFields::default() });
        let prev = world.parcel(parcel.id).chain_tip;
        let told = world.told(2, prev, EventKind::Delivered);
        let upload = world.sign(&parcel, &Told { at, proof: BOUND, evidence: proof, ..told });
        world.now = start.plus(wait);
        accepted(world.upload(&parcel, &upload, &certificate));
        let row = world.parcel(parcel.id);
        assert_eq!(
            (row.level, row.anomalies.clone()),
            (level, anomalies.iter().map(|odd| (*odd).to_owned()).collect()),
            "{name}"
        );
        assert!(row.delivered_at.unwrap() <= world.now);
        world.check();
    }
}

/// A hand-over of more than a day ago proves the delivery and releases nothing, whatever is scanned behind it; the
/// buyer's own word does (spec/logistics.md 4.6).
#[test]
fn a_stale_hand_over_releases_nothing() {
    for (off, is_stale) in [(Span::from_hours(24), false), (Span::from_secs(86_401), true)] {
        let mut world = World::new(1);
        let (order, parcel, certificate) = at_the_door(&mut world);
        let at = Some(world.now.minus(off));
        let proof =
            world.handover_with(BUYER, &parcel, |_| HandoverFields { at, ..HandoverFields::default() });
        let delivered = world.scan(&parcel, EventKind::Delivered, BOUND, proof.clone());
        accepted(world.upload(&parcel, &delivered, &certificate));
        let row = world.parcel(parcel.id);
        assert_eq!((row.state, row.level), (ParcelState::Delivered, Level::E3));
        assert_eq!(row.anomalies, ["handover.late"]);
        assert_eq!(world.order(order).released > 0, !is_stale);
        if !is_stale {
            continue;
        }
        assert_eq!(blocker(&world, order).unwrap().0, BlockerKind::EvidenceE0);
        let note = world.plain(&parcel, EventKind::Note);
        accepted(world.upload(&parcel, &note, &certificate));
        let again = world.scan(&parcel, EventKind::Delivered, EvidenceType::None, Vec::new());
        accepted(world.upload(&parcel, &again, &certificate));
        assert_eq!(world.order(order).released, 0);
        world.check();
        accepted(world.word(BUYER, &parcel, &proof));
        // It was known from the courier's event, but not as the buyer's word.
        assert_eq!(world.order(order).released, 28_800);
        world.check();
    }
}

#[test]
fn verdicts_at_the_door() {
    // (verdict, by the courier's scan or the buyer's word) -> state, shipment, blocker, may confirm
    for (verdict, by_word, state, shipment, may_confirm) in [
        (Verdict::AcceptDamaged, false, ParcelState::Delivered, ShipmentState::Delivered, true),
        (Verdict::AcceptDamaged, true, ParcelState::Delivered, ShipmentState::Delivered, true),
        (Verdict::Refuse, false, ParcelState::Refused, ShipmentState::Returning, false),
        (Verdict::Refuse, true, ParcelState::Refused, ShipmentState::Returning, false),
    ] {
        let mut world = World::new(1);
        let (order, parcel, certificate) = at_the_door(&mut world);
        let proof = world.handover(BUYER, &parcel, verdict);
        if by_word {
            accepted(world.word(BUYER, &parcel, &proof));
        } else {
            let told = world.scan(&parcel, EventKind::Delivered, BOUND, proof);
            accepted(world.upload(&parcel, &told, &certificate));
        }
        world.check();
        assert_eq!((world.parcel(parcel.id).state, world.order(order).shipment), (state, shipment));
        let first = blocker(&world, order);
        assert_eq!(first, Some((BlockerKind::Frozen, world.now.plus(Span::from_days(10)))));
        // Later scans put nothing off, and no timer releases it.
        world.now = world.now.plus(Span::from_days(3));
        let note = world.plain(&parcel, EventKind::Note);
        accepted(world.upload(&parcel, &note, &certificate));
        assert_eq!(blocker(&world, order), first);
        world.now = world.now.plus(Span::from_days(90));
        world.fire_timers();
        world.relay();
        assert_eq!(world.order(order).released, 0);
        world.check();
        world.check_rest();
        let confirmed = world.act(BUYER, Body::Confirm { order }).1;
        assert_eq!(confirmed.is_accepted(), may_confirm, "{confirmed:?}");
        if !may_confirm {
            refused(&confirmed, "order.state");
            accepted(world.act(SELLER, Body::RefundOrder { order }).1);
        }
        world.check();
    }
}

/// A courier's remark about a dent is no complaint of the buyer, who took it without one.
#[test]
fn a_dent_that_the_buyer_did_not_mind() {
    let mut world = World::new(1);
    let (order, parcel, certificate) = at_the_door(&mut world);
    let dent = world.plain(&parcel, EventKind::Damaged);
    accepted(world.upload(&parcel, &dent, &certificate));
    let proof = world.handover(BUYER, &parcel, Verdict::Accept);
    let delivered = world.scan(&parcel, EventKind::Delivered, BOUND, proof);
    accepted(world.upload(&parcel, &delivered, &certificate));
    assert!(world.parcel(parcel.id).damaged);
    assert_eq!(world.order(order).released, 28_800);
    world.check();
}
