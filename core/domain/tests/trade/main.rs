//! One trade through `decide`: the good path, the unhappy paths, and what must hold whatever happens.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use proptest::prelude::*;
use souk_codes::proof::{EventKind, Verdict};
use souk_crypto::hash::sha256;
use souk_domain::intent::Body;
use souk_domain::ledger::AccountCode;
use souk_domain::order::{Order, OrderState, RefundState, Settlement, ShipmentState};
use souk_domain::outcome::Outcome;
use souk_domain::parcel::{Level, Parcel, ParcelState, Route};
use souk_domain::rows::Key;
use souk_domain::stock::Stock;
use souk_domain::time::Span;
use world::{BUYER, COURIER, SELLER, World};

#[track_caller]
fn accepted(outcome: Outcome) {
    assert!(outcome.is_accepted(), "{outcome:?}");
}

#[track_caller]
fn refused(outcome: &Outcome, code: &str) {
    assert_eq!(outcome.code(), Some(code), "{outcome:?}");
}

/// A paid order of two things with a label, ready to go.
fn labelled(world: &mut World) -> (souk_domain::id::OrderId, Parcel) {
    let offer = world.put_product("A-1", 12_900, 5);
    let (order, outcome) = world.place(BUYER, &[(offer, 2, 12_900)]);
    accepted(outcome);
    accepted(world.pay_start(BUYER, order));
    accepted(world.capture(order, 28_800).unwrap());
    let (parcel, outcome) = world.make_label(order);
    accepted(outcome);
    (order, world.one(&Key::parcel(parcel)).unwrap())
}

#[test]
fn one_whole_trade() {
    let mut world = World::new(1);
    let (order, parcel) = labelled(&mut world);
    let shop = *world.shop.unwrap().bytes();
    assert_eq!(world.balance(AccountCode::OrderEscrow, *order.bytes()), 28_800);
    world.relay();
    let certificate = world.open_shift();
    for (event, evidence) in world.journey(BUYER, &parcel) {
        accepted(world.upload(&parcel, event, &certificate, &evidence));
        world.check();
    }
    let done = world.order(order);
    assert_eq!((done.state, done.shipment), (OrderState::Completed, ShipmentState::Delivered));
    let parcel: Parcel = world.one(&Key::parcel(parcel.id)).unwrap();
    assert_eq!((parcel.state, parcel.level), (ParcelState::Delivered, Level::E4));
    // 25,800 of goods at 5 % with 10 % tax on it; 3,000 of shipping to the courier.
    assert_eq!(world.balance(AccountCode::SellerPending, shop), 25_800 - 1_290 - 129);
    assert_eq!(world.balance(AccountCode::CourierPayable, *world.people[COURIER].account.bytes()), 3_000);
    assert_eq!(world.balance(AccountCode::Commission, [0; 16]), 1_290);
    assert_eq!(world.balance(AccountCode::OrderEscrow, *order.bytes()), 0);
    world.relay();
    let route: Route = world.one(&Key::route(world.people[COURIER].account)).unwrap();
    assert!(route.open.is_empty() && route.ended == vec![parcel.id]);
    world.now = world.now.plus(Span::from_days(8));
    world.fire_timers();
    world.check();
    assert_eq!(world.balance(AccountCode::SellerAvailable, shop), 24_381);
    assert!(matches!(world.order(order).settlement, Some(Settlement::Available { amount: 24_381 })));
}

#[test]
fn five_in_stock_twenty_buyers() {
    for at_once in [false, true] {
        let mut world = World::new(20);
        let offer = world.put_product("A-1", 1_000, 5);
        let mut placed = Vec::new();
        for who in BUYER..BUYER + 20 {
            let (order, outcome) = world.place(who, &[(offer, 1, 1_000)]);
            if outcome.is_accepted() {
                placed.push((who, order));
                if !at_once {
                    accepted(world.pay_start(who, order));
                    accepted(world.capture(order, 4_000).unwrap());
                }
            } else {
                refused(&outcome, "stock.short");
            }
            world.check();
        }
        if at_once {
            for (who, order) in &placed {
                accepted(world.pay_start(*who, *order));
            }
            for (_, order) in &placed {
                accepted(world.capture(*order, 4_000).unwrap());
                world.check();
            }
        }
        let paid = world.all::<Order>().iter().filter(|order| order.paid > 0).count();
        assert_eq!(paid, 5);
    }
}

#[test]
fn unpaid_order_ends_and_late_money_goes_back() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10_000, 1);
    let (order, _) = world.place(BUYER, &[(offer, 1, 10_000)]);
    accepted(world.pay_start(BUYER, order));
    world.now = world.now.plus(Span::from_minutes(31));
    assert_eq!(world.fire_timers().len(), 1);
    assert_eq!(world.order(order).state, OrderState::Cancelled);
    assert_eq!(world.all::<Stock>()[0].available(), 1);
    accepted(world.capture(order, 13_000).unwrap());
    world.check();
    let late = world.order(order);
    assert_eq!(
        (late.state, late.refunds.len(), late.refunds[0].state),
        (OrderState::Cancelled, 1, RefundState::Pending)
    );
    world.confirm_refunds();
    world.confirm_refunds();
    world.check();
    assert_eq!(world.balance(AccountCode::RailClearing, *b"sandbox\0\0\0\0\0\0\0\0\0"), 0);
}

#[test]
fn money_in_parts_over_and_twice() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10_000, 9);
    let (order, _) = world.place(BUYER, &[(offer, 1, 10_000)]);
    accepted(world.pay_start(BUYER, order));
    accepted(world.capture_as(order, 5_000, 900).unwrap());
    accepted(world.capture_as(order, 5_000, 900).unwrap());
    assert_eq!(world.order(order).unapplied, 5_000, "a capture counts once");
    accepted(world.capture(order, 9_000).unwrap());
    world.check();
    assert_eq!(world.order(order).state, OrderState::Created, "too much goes back whole");
    accepted(world.capture(order, 8_000).unwrap());
    assert_eq!(world.order(order).state, OrderState::Open);
    accepted(world.capture(order, 13_000).unwrap());
    world.check();
    assert_eq!(world.order(order).paid, 13_000, "paid twice goes back");
    assert_eq!(world.order(order).refunds.len(), 2);
}

#[test]
fn refund_before_shipping() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10_000, 3);
    let pay = |world: &mut World| {
        let (order, _) = world.place(BUYER, &[(offer, 1, 10_000)]);
        accepted(world.pay_start(BUYER, order));
        accepted(world.capture(order, 13_000).unwrap());
        order
    };
    let ask = |order| Body::OpenCase { order, reason: "too slow".to_owned() };
    // Within the free time: at once.
    let order = pay(&mut world);
    accepted(world.act(BUYER, ask(order)).1);
    assert_eq!(world.order(order).state, OrderState::Completed);
    assert_eq!(world.order(order).refunded, 13_000);
    // Later: the shop has 24 h, silence agrees.
    let order = pay(&mut world);
    world.now = world.now.plus(Span::from_minutes(31));
    world.fire_timers();
    accepted(world.act(BUYER, ask(order)).1);
    assert_eq!(world.order(order).state, OrderState::Open);
    refused(&world.act(BUYER, ask(order)).1, "case.open");
    world.now = world.now.plus(Span::from_hours(24));
    world.fire_timers();
    assert_eq!(world.order(order).refunded, 13_000);
    // Never shipped.
    let order = pay(&mut world);
    world.now = world.now.plus(Span::from_days(14));
    world.fire_timers();
    assert_eq!(world.order(order).refunded, 13_000);
    world.confirm_refunds();
    world.check();
    assert_eq!(world.all::<Stock>()[0].available(), 3);
}

#[test]
fn who_may_not() {
    let mut world = World::new(2);
    let (order, parcel) = labelled(&mut world);
    let other = BUYER + 1;
    refused(&world.act(other, Body::Confirm { order }).1, "order.not_party");
    refused(&world.act(other, Body::CancelOrder { order }).1, "order.not_party");
    refused(&world.pay_start(other, order), "order.not_party");
    refused(&world.act(BUYER, Body::MakeLabels { order, weight_g: 1, courier: None }).1, "order.not_party");
    refused(&world.act(BUYER, Body::Ship { order }).1, "order.not_party");
    refused(&world.act(SELLER, Body::Ship { order }).1, "ship.scan_expected");
    refused(&world.act(SELLER, Body::MakeLabels { order, weight_g: 1, courier: None }).1, "label.state");
    let id = world.mint(world.people[BUYER].account.bucket());
    refused(&world.decide(BUYER, id, Body::OpenShift { hours: 8 }), "auth.forbidden");
    let proof = world.handover(BUYER, &parcel, Verdict::Accept);
    let confirm = |label: Vec<u8>, proof: Vec<u8>| Body::ConfirmHandOver {
        waybill: parcel.waybill,
        label,
        proof,
        acknowledgement: Vec::new(),
    };
    refused(&world.act(other, confirm(parcel.label.clone(), proof.clone())).1, "label.not_mine");
    let foreign = world.handover(other, &parcel, Verdict::Accept);
    refused(&world.act(BUYER, confirm(parcel.label.clone(), foreign)).1, "handover.key");
    let mut bent = proof.clone();
    bent[95] ^= 1;
    refused(&world.act(BUYER, confirm(parcel.label.clone(), bent)).1, "proof.signature");
    let mut label = parcel.label.clone();
    label[20] = 2;
    label[21] = 2;
    refused(&world.act(BUYER, confirm(label, proof)).1, "proof.signature");
    world.check();
}

#[test]
fn replayed_and_forged_custody() {
    let mut world = World::new(1);
    let (order, parcel) = labelled(&mut world);
    world.relay();
    let certificate = world.open_shift();
    let journey = world.journey(BUYER, &parcel);
    let (event, proof) = journey[2].clone();
    let mut bent = event.clone();
    bent[223] ^= 1;
    refused(&world.upload(&parcel, bent, &certificate, &proof), "proof.signature");
    refused(&world.upload(&parcel, event[..200].to_vec(), &[], &[]), "custody.length");
    let mut forged = certificate.clone();
    forged[100] ^= 1;
    refused(&world.upload(&parcel, event.clone(), &forged, &proof), "custody.key_unknown");
    // A hand-over for another counter value replayed under the same counter: kept, but proves nothing.
    world.people[BUYER].counter -= 1;
    let other = world.handover(BUYER, &parcel, Verdict::Refuse);
    accepted(world.upload(&parcel, event, &certificate, &proof));
    let (_, again) = world.event(&parcel, 3, sha256(b"x"), EventKind::Delivered, &other);
    accepted(world.upload(&parcel, again, &certificate, &other));
    let row: Parcel = world.one(&Key::parcel(parcel.id)).unwrap();
    assert!(row.anomalies.contains(&"handover.replay".to_owned()), "{:?}", row.anomalies);
    assert_eq!(world.order(order).released, 28_800);
    world.check();
}

#[test]
fn a_fork_holds_the_money() {
    let mut world = World::new(1);
    let (order, parcel) = labelled(&mut world);
    world.relay();
    let certificate = world.open_shift();
    let tip = sha256(&parcel.label);
    let (first, picked_up) = world.event(&parcel, 0, tip, EventKind::PickedUp, &[]);
    accepted(world.upload(&parcel, picked_up, &certificate, &[]));
    let (_, one) = world.event(&parcel, 1, first, EventKind::OutForDelivery, &[]);
    let (_, two) = world.event(&parcel, 1, first, EventKind::ReturnStarted, &[]);
    accepted(world.upload(&parcel, one, &certificate, &[]));
    accepted(world.upload(&parcel, two, &certificate, &[]));
    let row: Parcel = world.one(&Key::parcel(parcel.id)).unwrap();
    assert!(row.on_hold);
    assert_eq!(world.order(order).released, 0);
    world.now = world.now.plus(Span::from_days(30));
    world.fire_timers();
    assert_eq!(world.order(order).released, 0, "no automatic release while custody is forked");
    world.check();
}

/// What can happen to orders, at random.
#[derive(Clone, Debug)]
enum Happening {
    Place { who: usize, offer: usize, quantity: u32 },
    PayStart { order: usize },
    Capture { order: usize, percent: i64 },
    SameCapture { order: usize },
    Cancel { order: usize, by_shop: bool },
    Ask { order: usize },
    RefundByShop { order: usize },
    Label { order: usize },
    Ship { order: usize },
    Scan { order: usize, steps: usize },
    Confirm { order: usize },
    SetStock { offer: usize, units: u32 },
    Refunds,
    Wait { minutes: i64 },
    Relay,
}

fn happening() -> impl Strategy<Value = Happening> {
    let order = 0..12usize;
    prop_oneof![
        4 => (0..3usize, 0..2usize, 1..4u32).prop_map(|(who, offer, quantity)| Happening::Place { who, offer, quantity }),
        4 => order.clone().prop_map(|order| Happening::PayStart { order }),
        5 => (order.clone(), prop_oneof![5 => Just(100i64), 1 => Just(50), 1 => Just(120)])
            .prop_map(|(order, percent)| Happening::Capture { order, percent }),
        1 => order.clone().prop_map(|order| Happening::SameCapture { order }),
        1 => (order.clone(), any::<bool>()).prop_map(|(order, by_shop)| Happening::Cancel { order, by_shop }),
        2 => order.clone().prop_map(|order| Happening::Ask { order }),
        1 => order.clone().prop_map(|order| Happening::RefundByShop { order }),
        4 => order.clone().prop_map(|order| Happening::Label { order }),
        1 => order.clone().prop_map(|order| Happening::Ship { order }),
        4 => (order.clone(), 1..4usize).prop_map(|(order, steps)| Happening::Scan { order, steps }),
        2 => order.prop_map(|order| Happening::Confirm { order }),
        1 => (0..2usize, 0..8u32).prop_map(|(offer, units)| Happening::SetStock { offer, units }),
        2 => Just(Happening::Refunds),
        2 => prop_oneof![Just(5i64), Just(40), Just(60 * 25), Just(60 * 24 * 8)].prop_map(|minutes| Happening::Wait { minutes }),
        1 => Just(Happening::Relay),
    ]
}

fn happen(world: &mut World, offers: &[souk_domain::id::OfferId], certificate: &[u8], what: &Happening) {
    let orders = world.all::<Order>();
    let pick = |order: usize| (!orders.is_empty()).then(|| orders[order % orders.len()].clone());
    let buyer_of = |world: &World, order: &Order| {
        world.people.iter().position(|person| person.account == order.buyer).unwrap()
    };
    match what {
        Happening::Place { who, offer, quantity } => {
            world.place(BUYER + who, &[(offers[*offer], *quantity, 10_000)]);
        }
        Happening::PayStart { order } => {
            if let Some(order) = pick(*order) {
                world.pay_start(buyer_of(world, &order), order.id);
            }
        }
        Happening::Capture { order, percent } => {
            if let Some(order) = pick(*order) {
                world.capture(order.id, order.total.minor * percent / 100);
            }
        }
        Happening::SameCapture { order } => {
            if let Some(order) = pick(*order) {
                world.capture_as(order.id, order.total.minor, 1);
            }
        }
        Happening::Cancel { order, by_shop } => {
            if let Some(order) = pick(*order) {
                let who = if *by_shop { SELLER } else { buyer_of(world, &order) };
                world.act(who, Body::CancelOrder { order: order.id });
            }
        }
        Happening::Ask { order } => {
            if let Some(order) = pick(*order) {
                world.act(buyer_of(world, &order), Body::OpenCase { order: order.id, reason: String::new() });
            }
        }
        Happening::RefundByShop { order } => {
            if let Some(order) = pick(*order) {
                world.act(SELLER, Body::RefundOrder { order: order.id });
            }
        }
        Happening::Label { order } => {
            if let Some(order) = pick(*order) {
                world.make_label(order.id);
            }
        }
        Happening::Ship { order } => {
            if let Some(order) = pick(*order) {
                world.act(SELLER, Body::Ship { order: order.id });
            }
        }
        Happening::Scan { order, steps } => {
            if let Some(order) = pick(*order)
                && let Some(parcel) = order.parcels.first()
            {
                let parcel: Parcel = world.one(&Key::parcel(*parcel)).unwrap();
                let journey = world.journey(buyer_of(world, &order), &parcel);
                for (event, evidence) in journey.into_iter().take(*steps) {
                    accepted(world.upload(&parcel, event, certificate, &evidence));
                }
            }
        }
        Happening::Confirm { order } => {
            if let Some(order) = pick(*order) {
                world.act(buyer_of(world, &order), Body::Confirm { order: order.id });
            }
        }
        Happening::SetStock { offer, units } => {
            world.act(SELLER, Body::SetStock { offer: offers[*offer], on_hand: *units, base_revision: None });
        }
        Happening::Refunds => world.confirm_refunds(),
        Happening::Wait { minutes } => {
            world.now = world.now.plus(Span::from_minutes(*minutes));
            world.fire_timers();
        }
        Happening::Relay => world.relay(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Books, escrow and stock are right after every step of any history, and everything ends.
    #[test]
    fn whatever_happens(history in prop::collection::vec(happening(), 1..60)) {
        let mut world = World::new(3);
        let offers = [world.put_product("A-1", 10_000, 4), world.put_product("A-2", 10_000, 2)];
        let certificate = world.open_shift();
        for what in &history {
            happen(&mut world, &offers, &certificate, what);
            world.check();
        }
        // Time passes: nothing unpaid or unshipped stays open for ever, and all money that goes back has gone.
        for _ in 0..4 {
            world.now = world.now.plus(Span::from_days(15));
            world.fire_timers();
            world.confirm_refunds();
            world.check();
        }
        for order in world.all::<Order>() {
            prop_assert!(order.state != OrderState::Created);
            prop_assert!(order.state != OrderState::Open || order.shipment != ShipmentState::None);
            prop_assert!(order.refunds.iter().all(|refund| refund.state == RefundState::Done));
        }
    }

    /// Scans, the buyer's proof and confirmation, twice each and in any order, end the same.
    #[test]
    fn any_order_ends_the_same(order_of in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle()) {
        let end = |sequence: &[usize]| {
            let mut world = World::new(1);
            let (order, parcel) = labelled(&mut world);
            world.relay();
            let certificate = world.open_shift();
            let journey = world.journey(BUYER, &parcel);
            for step in sequence {
                match step % 4 {
                    3 => {
                        let proof = journey[2].1.clone();
                        let body = Body::ConfirmHandOver {
                            waybill: parcel.waybill,
                            label: parcel.label.clone(),
                            proof,
                            acknowledgement: Vec::new(),
                        };
                        accepted(world.act(BUYER, body).1);
                    }
                    step => {
                        let (event, evidence) = journey[step].clone();
                        accepted(world.upload(&parcel, event, &certificate, &evidence));
                    }
                }
                world.check();
            }
            assert_eq!(world.order(order).state, OrderState::Completed);
            world.snapshot()
        };
        prop_assert_eq!(end(&order_of), end(&[0, 1, 2, 3, 4, 5, 6, 7]));
    }
}
