//! One whole trade through decide, engine and the SQLite store: shop, product, order, payment, escrow, label, custody
//! with real signatures, hand-over, release; the books are checked after every step.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod market;

use market::{BUYER, COURIER, Market, SELLER, accepted};
use souk_codes::proof::EventKind;
use souk_domain::intent::Body;
use souk_domain::ledger::AccountCode;
use souk_domain::order::{OrderState, Settlement, ShipmentState};
use souk_domain::parcel::{Level, Parcel, ParcelState, Route, Stop};
use souk_domain::rows::Key;
use souk_domain::stock::Stock;
use souk_domain::time::Span;

#[test]
fn one_whole_trade() {
    let mut market = Market::new(1);
    let shop = market.make_shop();
    let offer = market.put_product("A-1", 12_900, 5);
    market.relay();
    market.check();

    let order = market.paid(BUYER, &[(offer, 2, 12_900)]);
    market.check();
    assert_eq!(market.balance(AccountCode::OrderEscrow, *order.bytes()), 28_800);
    let stock: Stock = market.one(Key::stock(offer));
    assert_eq!((stock.reserved, stock.committed), (0, 2));

    let parcel = market.label(order);
    market.relay();
    let courier = market.people[COURIER].account;
    let stop: Stop = market.one(Key::stop(courier, parcel.id));
    assert_eq!(stop.label, parcel.label, "the courier's bucket has the label");

    let certificate = market.open_shift();
    for kind in [EventKind::PickedUp, EventKind::OutForDelivery] {
        accepted(&market.scan(parcel.id, kind, &certificate, &[]));
        market.check();
        market.wait(Span::from_minutes(20));
    }
    let proof = market.handover(BUYER, &parcel);
    accepted(&market.scan(parcel.id, EventKind::Delivered, &certificate, &proof));
    market.check();

    let done = market.order(order);
    assert_eq!((done.state, done.shipment), (OrderState::Completed, ShipmentState::Delivered));
    let parcel: Parcel = market.one(Key::parcel(parcel.id));
    assert_eq!((parcel.state, parcel.level), (ParcelState::Delivered, Level::E4));
    // 25,800 of goods at 5 % with 10 % tax on it; 3,000 of shipping to the courier.
    assert_eq!(market.balance(AccountCode::OrderEscrow, *order.bytes()), 0);
    assert_eq!(market.balance(AccountCode::SellerPending, *shop.bytes()), 25_800 - 1_290 - 129);
    assert_eq!(market.balance(AccountCode::CourierPayable, *courier.bytes()), 3_000);
    assert_eq!(market.balance(AccountCode::Commission, [0; 16]), 1_290);

    market.relay();
    let route: Route = market.one(Key::route(courier));
    assert!(route.open.is_empty() && route.ended == vec![parcel.id]);
    market.wait(Span::from_days(8));
    assert!(market.fire() > 0);
    market.check();
    assert_eq!(market.balance(AccountCode::SellerAvailable, *shop.bytes()), 24_381);
    let settlement = market.order(order).settlement;
    assert!(matches!(settlement, Some(Settlement::Available { amount: 24_381 })), "{settlement:?}");
    assert_eq!(market.engine.in_flight(), 0);

    // All of it stands in the file: a second start sees the same, and nothing is done twice.
    let before = market.order(order);
    market.restart();
    assert_eq!(market.order(order), before);
    assert_eq!((market.relay(), market.fire()), (0, 0));
    market.check();
    let (_, again) = market.act(SELLER, Body::Ship { order });
    market::refused(&again, "order.state");
}
