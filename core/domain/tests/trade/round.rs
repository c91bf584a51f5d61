//! A courier's shift: what is planned is what came of it, whatever happens and in whatever order the word of it comes.

use proptest::prelude::*;
use souk_codes::proof::{CERT_HOURS_MAX, EventKind, EvidenceType, Verdict};
use souk_domain::id::OrderId;
use souk_domain::intent::Body;
use souk_domain::outcome::{Fact, Outcome};
use souk_domain::parcel::{Parcel, ParcelState, Route, Shift, Stop};
use souk_domain::rows::Key;
use souk_domain::time::Span;

use super::world::{BUYER, COURIER, RIVAL, SELLER, World};
use super::{accepted, labelled, refused};

#[test]
fn shifts_open_and_close() {
    let mut world = World::new(1);
    let bucket = world.people[COURIER].account.bucket();
    for (hours, code) in
        [(0, Some("shift.hours")), (CERT_HOURS_MAX + 1, Some("shift.hours")), (u8::MAX, Some("shift.hours"))]
    {
        let id = world.mint(bucket);
        assert_eq!(world.decide(COURIER, id, Body::OpenShift { hours }).code(), code);
    }
    let (first, _) = world.open_shift(COURIER);
    let again = |world: &mut World| {
        let id = world.mint(bucket);
        world.decide(COURIER, id, Body::OpenShift { hours: CERT_HOURS_MAX })
    };
    refused(&again(&mut world), "shift.open");
    refused(&world.close_shift(RIVAL, first), "shift.not_open");
    // Its certificate runs out and it is never closed: another shift takes over, and closing the first one late leaves
    // the second one open.
    world.now = world.now.plus(Span::from_hours(12));
    let (second, _) = world.open_shift(COURIER);
    accepted(world.close_shift(COURIER, first));
    let route: Route = world.one(&Key::route(world.people[COURIER].account)).unwrap();
    assert_eq!(route.shift, Some(second));
    refused(&again(&mut world), "shift.open");
    accepted(world.close_shift(COURIER, second));
    accepted(world.close_shift(COURIER, second));
    accepted(again(&mut world));
}

/// A parcel that is brought back after the delivery is the courier's again.
#[test]
fn what_comes_back_is_open_again() {
    let mut world = World::new(1);
    let (_, parcel) = labelled(&mut world);
    world.relay();
    let (shift, certificate) = world.open_shift(COURIER);
    for upload in world.journey(BUYER, &parcel) {
        accepted(world.upload(&parcel, &upload, &certificate));
    }
    world.relay();
    accepted(world.close_shift(COURIER, shift));
    let (shift, _) = world.open_shift(COURIER);
    let back = world.plain(&parcel, EventKind::ReturnStarted);
    accepted(world.upload(&parcel, &back, &certificate));
    world.relay();
    let route: Route = world.one(&Key::route(world.people[COURIER].account)).unwrap();
    assert_eq!((route.open, route.ended), (vec![parcel.id], vec![]));
    world.check();
    accepted(world.close_shift(COURIER, shift));
}

/// What a parcel of the round meets.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Absent,
    Void,
    Loaded,
    Out,
    Delivered,
    Photo,
    Attempted,
    Refused,
    Returned,
}

fn meet(world: &mut World, order: OrderId, parcel: &Parcel, certificate: &[u8], fate: Fate) {
    let plain = EvidenceType::None;
    let hand = EvidenceType::HandoverBound;
    let kinds: Vec<(EventKind, EvidenceType, Option<Verdict>)> = match fate {
        Fate::Absent => vec![],
        Fate::Void => {
            accepted(world.act(SELLER, Body::RefundOrder { order }).1);
            vec![]
        }
        Fate::Loaded => vec![(EventKind::PickedUp, plain, None)],
        Fate::Out => vec![(EventKind::PickedUp, plain, None), (EventKind::OutForDelivery, plain, None)],
        Fate::Delivered => vec![
            (EventKind::PickedUp, plain, None),
            (EventKind::OutForDelivery, plain, None),
            (EventKind::Delivered, hand, Some(Verdict::Accept)),
        ],
        Fate::Photo => vec![
            (EventKind::PickedUp, plain, None),
            (EventKind::OutForDelivery, plain, None),
            (EventKind::Delivered, EvidenceType::Photo, None),
        ],
        Fate::Attempted => vec![
            (EventKind::PickedUp, plain, None),
            (EventKind::OutForDelivery, plain, None),
            (EventKind::Attempted, plain, None),
        ],
        Fate::Refused => vec![
            (EventKind::PickedUp, plain, None),
            (EventKind::OutForDelivery, plain, None),
            (EventKind::Delivered, hand, Some(Verdict::Refuse)),
        ],
        Fate::Returned => vec![(EventKind::PickedUp, plain, None), (EventKind::Returned, plain, None)],
    };
    for (kind, proof, verdict) in kinds {
        let evidence = match verdict {
            Some(verdict) => world.handover(BUYER, parcel, verdict),
            None if proof == EvidenceType::Photo => b"jpeg".to_vec(),
            None => Vec::new(),
        };
        let upload = world.scan(parcel, kind, proof, evidence);
        accepted(world.upload(parcel, &upload, certificate));
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Absent),
        Just(Fate::Void),
        Just(Fate::Loaded),
        Just(Fate::Out),
        Just(Fate::Delivered),
        Just(Fate::Photo),
        Just(Fate::Attempted),
        Just(Fate::Refused),
        Just(Fate::Returned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// planned = sum of outcomes, always; a loaded parcel without an outcome keeps the shift open and is named. The
    /// word of each move reaches the courier's bucket in any order and more than once.
    #[test]
    fn planned_is_the_sum_of_outcomes(
        fates in prop::collection::vec(fate(), 0..6),
        order_of in Just((0..64usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut world = World::new(1);
        let offer = world.put_product("A-1", 10_000, 9);
        let (shift, certificate) = world.open_shift(COURIER);
        for fate in &fates {
            let order = world.paid(BUYER, &[(offer, 1, 10_000)]);
            let (parcel, outcome) = world.make_label(order);
            accepted(outcome);
            let parcel = world.parcel(parcel);
            meet(&mut world, order, &parcel, &certificate, *fate);
        }
        // Scrambled, some twice, and what came too early comes again.
        let mut rounds = 0;
        while !world.waiting().is_empty() {
            let waiting = world.waiting();
            for at in &order_of {
                let row = &waiting[at % waiting.len()];
                let outcome = world.deliver(row);
                prop_assert!(outcome.is_accepted() || outcome.code() == Some("handoff.early"), "{outcome:?}");
                world.check();
            }
            rounds += 1;
            prop_assert!(rounds < 9, "never arrives");
        }
        let loaded: Vec<String> = world
            .all::<Parcel>()
            .iter()
            .filter(|parcel| matches!(parcel.state, ParcelState::PickedUp | ParcelState::OutForDelivery))
            .map(|parcel| parcel.id.to_string())
            .collect();
        let outcome = world.close_shift(COURIER, shift);
        if let Outcome::Rejected { code, data } = &outcome {
            prop_assert_eq!(code, "shift.parcels_open");
            let Some(Fact::List(named)) = data.get("parcels") else { panic!("{data:?}") };
            let named: Vec<String> = named.iter().map(|facts| facts.text("parcel").unwrap().to_owned()).collect();
            prop_assert_eq!(named.len(), loaded.len());
            prop_assert!(loaded.iter().all(|parcel| named.contains(parcel)));
        }
        prop_assert_eq!(outcome.is_accepted(), loaded.is_empty(), "{:?}", outcome);
        // Everything loaded is brought back: now it closes.
        for parcel in world.all::<Parcel>() {
            if loaded.contains(&parcel.id.to_string()) {
                let back = world.plain(&parcel, EventKind::ReturnStarted);
                accepted(world.upload(&parcel, &back, &certificate));
            }
        }
        world.relay();
        accepted(world.close_shift(COURIER, shift));
        let report = world.one::<Shift>(&Key::shift(shift)).unwrap().report.unwrap();
        let count = |of: &dyn Fn(Fate) -> bool| fates.iter().filter(|fate| of(**fate)).count() as u32;
        prop_assert_eq!(report.planned, fates.len() as u32);
        prop_assert_eq!(report.planned, report.delivered + report.attempted + report.returned + report.absent);
        prop_assert_eq!(report.delivered, count(&|fate| matches!(fate, Fate::Delivered | Fate::Photo)));
        prop_assert_eq!(report.attempted, count(&|fate| matches!(fate, Fate::Attempted)));
        prop_assert_eq!(report.absent, count(&|fate| matches!(fate, Fate::Absent | Fate::Void)));
        for stop in world.all::<Stop>() {
            let parcel = world.parcel(stop.parcel);
            prop_assert_eq!((stop.state, stop.chain_index), (parcel.state, parcel.chain_index));
        }
        world.check();
    }
}
