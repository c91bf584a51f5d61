//! One trade through `decide`: the good path here, each floor in a file of its own, and whatever may happen in
//! `history`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod custody;
mod evidence;
mod history;
mod numbers;
mod payment;
mod placing;
mod refund;
mod rights;
mod round;
mod ways;
mod world;

use souk_domain::id::OrderId;
use souk_domain::ledger::AccountCode;
use souk_domain::order::{Order, OrderState, Settlement, ShipmentState};
use souk_domain::outcome::Outcome;
use souk_domain::parcel::{Level, Parcel, ParcelState, Route};
use souk_domain::rows::Key;
use souk_domain::time::Span;
use world::{BUYER, COURIER, World};

#[track_caller]
fn accepted(outcome: Outcome) {
    assert!(outcome.is_accepted(), "{outcome:?}");
}

#[track_caller]
fn refused(outcome: &Outcome, code: &str) {
    assert_eq!(outcome.code(), Some(code), "{outcome:?}");
}

/// A paid order of two things with a label, ready to go.
fn labelled(world: &mut World) -> (OrderId, Parcel) {
    let offer = world.put_product("A-1", 12_900, 5);
    let order = world.paid(BUYER, &[(offer, 2, 12_900)]);
    let (parcel, outcome) = world.make_label(order);
    accepted(outcome);
    (order, world.parcel(parcel))
}

#[test]
fn one_whole_trade() {
    let mut world = World::new(1);
    let (order, parcel) = labelled(&mut world);
    let shop = *world.shop.unwrap().bytes();
    assert_eq!(world.balance(AccountCode::OrderEscrow, *order.bytes()), 28_800);
    world.relay();
    let (_, certificate) = world.open_shift(COURIER);
    for upload in world.journey(BUYER, &parcel) {
        accepted(world.upload(&parcel, &upload, &certificate));
        world.check();
    }
    let done = world.order(order);
    assert_eq!((done.state, done.shipment), (OrderState::Completed, ShipmentState::Delivered));
    let parcel = world.parcel(parcel.id);
    assert_eq!((parcel.state, parcel.level), (ParcelState::Delivered, Level::E4));
    assert!(parcel.anomalies.is_empty(), "{:?}", parcel.anomalies);
    // 25,800 of goods at 5 % with 10 % tax on it; 3,000 of shipping to the courier.
    assert_eq!(world.balance(AccountCode::SellerPending, shop), 25_800 - 1_290 - 129);
    assert_eq!(world.balance(AccountCode::CourierPayable, *world.people[COURIER].account.bytes()), 3_000);
    assert_eq!(world.balance(AccountCode::Commission, [0; 16]), 1_290);
    assert_eq!(world.balance(AccountCode::OrderEscrow, *order.bytes()), 0);
    world.relay();
    let route: Route = world.one(&Key::route(world.people[COURIER].account)).unwrap();
    assert!(route.open.is_empty() && route.ended == vec![parcel.id]);
    world.now = world.now.plus(Span::from_days(15));
    world.fire_timers();
    world.check();
    world.check_rest();
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
