//! Offers, prices, stock and carts: what PlaceOrder takes, in which order it refuses, and what is cut.

use souk_domain::catalogue::{OfferState, QuantityRule, TAX_RATE_MAX, TaxRule};
use souk_domain::intent::{Body, PlaceOrder, PutProduct, ShortPolicy, WantedLine};
use souk_domain::money::{Currency, Money, Ppm};
use souk_domain::num::Rounding;
use souk_domain::order::{LINE_QUANTITY_MAX, LINES_MAX, LineKind, NOTE_CHARS_MAX};
use souk_domain::outcome::{Fact, Outcome};
use souk_domain::party::{CheckoutLine, Shop, ShopState};
use souk_domain::rows::Key;

use super::world::{BUYER, SELLER, World, krw};
use super::{accepted, refused};

const ALL: ShortPolicy = ShortPolicy::AllOrNothing;
const PART: ShortPolicy = ShortPolicy::Partial;

/// What was cut, as (wanted, had).
fn cut(outcome: &Outcome) -> Vec<(i64, i64)> {
    let Outcome::Accepted { data, .. } = outcome else { panic!("{outcome:?}") };
    let Some(Fact::List(lines)) = data.get("cut") else { return Vec::new() };
    lines.iter().map(|line| (line.int("wanted").unwrap(), line.int("available").unwrap())).collect()
}

#[test]
fn prices_that_moved() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10_000, 99);
    let usd = Money::new(13_000, Currency::USD);
    for (seen, max, expected) in [
        (10_000, None, Ok(13_000)),
        (12_000, None, Ok(13_000)),
        (9_999, None, Err("price.changed")),
        (9_999, Some(krw(13_000)), Ok(13_000)),
        (9_999, Some(krw(12_999)), Err("price.changed")),
        // Nothing was seen to rise, but the whole is dearer than agreed: the shipping, for one.
        (10_000, Some(krw(12_999)), Err("price.changed")),
        (10_000, Some(krw(13_000)), Ok(13_000)),
        (10_000, Some(usd), Err("money.currency")),
    ] {
        let (order, outcome) = world.place_with(BUYER, &[(offer, 1, seen)], ALL, max);
        match expected {
            Ok(total) => assert_eq!(world.order(order).total, krw(total)),
            Err(code) => refused(&outcome, code),
        }
        world.check();
    }
}

#[test]
fn several_lines_and_several_offers() {
    let mut world = World::new(1);
    let a = world.put_product("A-1", 10_000, 5);
    let b = world.put_product("B-1", 7_000, 5);
    // Two lines of one offer are first summed.
    refused(&world.place(BUYER, &[(a, 3, 10_000), (b, 1, 7_000), (a, 3, 10_000)]).1, "stock.short");
    let lines = [(a, 3, 10_000), (b, 1, 7_000), (a, 2, 10_000)];
    let order = world.paid(BUYER, &lines);
    let row = world.order(order);
    assert_eq!((row.lines.len(), row.total), (3, krw(57_000)), "no shipping from 50,000 on");
    assert_eq!(row.units().iter().map(|(_, units)| *units).collect::<Vec<_>>(), [5, 1]);
    world.check();
    accepted(world.act(SELLER, Body::Ship { order }).1);
    accepted(world.act(BUYER, Body::Confirm { order }).1);
    world.check();
}

#[test]
fn short_lines_are_cut_within_the_rules() {
    let mut world = World::new(1);
    let a = world.put_product("A-1", 10_000, 5);
    let b = world.put_product("B-1", 10_000, 1);
    // Fewer goods: the shipping is not free any more, and that must be within what was agreed to.
    let lines = [(a, 4, 10_000), (b, 2, 10_000)];
    refused(
        &world.place_with(BUYER, &[(a, 2, 10_000), (b, 3, 10_000)], PART, Some(krw(32_999))).1,
        "price.changed",
    );
    let (order, outcome) = world.place_with(BUYER, &lines, PART, Some(krw(60_000)));
    assert_eq!(cut(&outcome), [(2, 1)]);
    assert_eq!(world.order(order).total, krw(50_000));
    world.check();
    // Nothing is left of one offer, one unit of the other.
    let (order, outcome) = world.place_with(BUYER, &lines, PART, None);
    assert_eq!(cut(&outcome), [(4, 1), (2, 0)]);
    let row = world.order(order);
    assert_eq!((row.lines.len(), row.lines[1].kind, row.total), (2, LineKind::Shipping, krw(13_000)));
    refused(&world.place_with(BUYER, &lines, PART, None).1, "stock.short");
    world.check();
}

/// A cut must keep what the offer asks: a dozen is not sold by the piece.
#[test]
fn a_cut_keeps_the_quantity_rule() {
    let mut world = World::new(1);
    let rule = QuantityRule { min: 4, step: 3, max: 13 };
    let dozen = world.product("D-1", 100, 9);
    let a = world.put(PutProduct { quantity: rule, ..dozen });
    let (order, outcome) = world.place_with(BUYER, &[(a, 13, 100)], PART, None);
    assert_eq!(cut(&outcome), [(13, 7)]);
    assert_eq!(world.order(order).lines[0].quantity, 7);
    // Two are left, which is less than the least.
    refused(&world.place_with(BUYER, &[(a, 4, 100)], PART, None).1, "stock.short");
    for (quantity, fits) in
        [(0, false), (1, false), (3, false), (4, true), (5, false), (7, true), (13, true), (16, false)]
    {
        assert_eq!(rule.allows(quantity), fits, "{quantity}");
    }
    for (available, most) in [(0, 0), (3, 0), (4, 4), (6, 4), (7, 7), (12, 10), (13, 13), (u32::MAX, 13)] {
        assert_eq!(rule.most_within(available), most, "{available}");
    }
    world.check();
}

/// The first stage that fails is the answer (spec/market.md 5.6).
#[test]
fn stages_in_their_order() {
    let mut world = World::new(1);
    let gone = world.put_product("A-1", 10_000, 1);
    let dear = world.put_product("B-1", 10_000, 1);
    accepted(world.act(SELLER, Body::SetOfferState { offer: gone, state: OfferState::Paused }).1);
    let shop: Shop = world.one(&Key::shop(world.shop.unwrap())).unwrap();
    let place = |world: &mut World, lines: &[(souk_domain::id::OfferId, u32, i64)], bin: &[u8]| {
        let lines = lines
            .iter()
            .map(|(offer, quantity, seen)| WantedLine { offer: *offer, quantity: *quantity, seen: *seen })
            .collect();
        let place = PlaceOrder { shop: world.shop.unwrap(), lines, policy: ALL, note: String::new() };
        let id = world.mint(world.shop.unwrap().bucket());
        world.decide_with(BUYER, id, Body::PlaceOrder(place), bin.to_vec(), None)
    };
    let all = [(gone, 1, 10_000), (dear, LINE_QUANTITY_MAX + 1, 9_000)];
    world.set(Shop { state: ShopState::Closed, ..shop.clone() });
    refused(&place(&mut world, &all, b"x"), "shop.closed");
    world.set(shop);
    refused(&place(&mut world, &all, b"x"), "offer.gone");
    refused(&place(&mut world, &[(dear, LINE_QUANTITY_MAX + 1, 9_000)], b"x"), "offer.quantity");
    refused(&place(&mut world, &[(dear, 0, 10_000)], b"x"), "offer.quantity");
    refused(&place(&mut world, &[(dear, 2, 9_000)], b"x"), "price.changed");
    refused(&place(&mut world, &[(dear, 2, 10_000)], b"x"), "addr.form");
    refused(&place(&mut world, &[(dear, 2, 10_000)], b""), "stock.short");
    accepted(place(&mut world, &[(dear, 1, 10_000)], b""));
    world.check();
}

#[test]
fn limits_of_an_order() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10, 10_000);
    let lines = |n: usize| vec![(offer, 1, 10); n];
    accepted(world.place(BUYER, &lines(LINES_MAX)).1);
    refused(&world.place(BUYER, &lines(LINES_MAX + 1)).1, "order.lines");
    refused(&world.place(BUYER, &[]).1, "order.lines");
    for (n, fits) in [(NOTE_CHARS_MAX, true), (NOTE_CHARS_MAX + 1, false)] {
        let place = PlaceOrder {
            shop: world.shop.unwrap(),
            lines: vec![WantedLine { offer, quantity: 1, seen: 10 }],
            policy: ALL,
            note: "가".repeat(n),
        };
        let outcome = world.act(BUYER, Body::PlaceOrder(place)).1;
        assert_eq!(outcome.is_accepted(), fits, "{outcome:?}");
    }
    world.check();
}

#[test]
fn what_an_offer_may_not_be() {
    let mut world = World::new(1);
    let good = world.product("A-1", 10_000, 5);
    let tax = |rate| TaxRule { rate: Ppm(rate), inclusive: false, rounding: Rounding::HalfUp };
    let rule = |min, step, max| QuantityRule { min, step, max };
    let max = (1i64 << 53) - 1;
    for (product, code) in [
        (PutProduct { price: krw(0), ..good.clone() }, Some("price.bad")),
        (PutProduct { price: krw(-1), ..good.clone() }, Some("price.bad")),
        (PutProduct { price: krw(max / 100_000), ..good.clone() }, None),
        (PutProduct { price: krw(max / 100_000 + 1), ..good.clone() }, Some("price.bad")),
        (PutProduct { price: Money::new(1, Currency::USD), ..good.clone() }, Some("money.currency")),
        (PutProduct { tax: tax(-1), ..good.clone() }, Some("offer.tax")),
        (PutProduct { tax: tax(-2_000_000), ..good.clone() }, Some("offer.tax")),
        (PutProduct { tax: tax(TAX_RATE_MAX.0), ..good.clone() }, None),
        (PutProduct { tax: tax(TAX_RATE_MAX.0 + 1), ..good.clone() }, Some("offer.tax")),
        (PutProduct { quantity: rule(0, 1, 5), ..good.clone() }, Some("offer.quantity")),
        (PutProduct { quantity: rule(1, 0, 5), ..good.clone() }, Some("offer.quantity")),
        (PutProduct { quantity: rule(2, 1, 1), ..good.clone() }, Some("offer.quantity")),
        (PutProduct { quantity: rule(1, 1, LINE_QUANTITY_MAX), ..good.clone() }, None),
        (PutProduct { quantity: rule(1, 1, LINE_QUANTITY_MAX + 1), ..good.clone() }, Some("offer.quantity")),
        (PutProduct { sku: String::new(), ..good.clone() }, Some("offer.sku")),
    ] {
        let outcome = world.act(SELLER, Body::PutProduct(Box::new(product.clone()))).1;
        assert_eq!(outcome.code(), code, "{product:?}");
    }
    world.check();
}

#[test]
fn what_a_shop_may_not_be() {
    let mut world = World::new(1);
    let good = world.shop_to_open();
    let flat = |flat| souk_domain::party::Shipping { flat, free_from: None };
    let usd = Money::new(5, Currency::USD);
    let mut table = Vec::new();
    for (change, code) in [
        ((String::new(), "Seoul", "KR", flat(krw(0))), "shop.name"),
        (("x".repeat(61), "Seoul", "KR", flat(krw(0))), "shop.name"),
        (("x".repeat(60), "Seoul", "kr", flat(krw(0))), "shop.country"),
        (("x".to_owned(), "Seoul", "KR", flat(usd)), "money.currency"),
        (("x".to_owned(), "Seoul", "KR", flat(krw(-1))), "money.range"),
        (("x".to_owned(), "Seoul", "KR", flat(krw(1 << 53))), "money.range"),
    ] {
        let (name, city, country, shipping) = change;
        let (city, country) = (city.to_owned(), country.to_owned());
        table.push((souk_domain::intent::OpenShop { name, city, country, shipping, ..good.clone() }, code));
    }
    table.push((souk_domain::intent::OpenShop { city: "x".repeat(61), ..good.clone() }, "shop.name"));
    table.push((good, "shop.exists"));
    for (open, code) in table {
        let who = if code == "shop.exists" { SELLER } else { BUYER };
        let id = world.mint(world.people[who].account.bucket());
        refused(&world.decide(who, id, Body::OpenShop(open)), code);
    }
}

#[test]
fn carts_and_checkouts() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10, 10);
    let bucket = world.people[BUYER].account.bucket();
    let line = |quantity| CheckoutLine { offer, quantity };
    let checkout = world.mint(bucket);
    let mut put = |lines: Vec<CheckoutLine>, bin: &[u8]| {
        let id = world.mint(bucket);
        world.decide_with(BUYER, id, Body::PutCheckout { checkout, lines }, bin.to_vec(), None)
    };
    refused(&put(Vec::new(), b"home"), "checkout.unknown");
    refused(&put(vec![line(1); LINES_MAX + 1], b""), "order.lines");
    refused(&put(vec![line(LINE_QUANTITY_MAX + 1)], b""), "offer.quantity");
    accepted(put(vec![line(LINE_QUANTITY_MAX)], b""));
    accepted(put(Vec::new(), b"home"));
    accepted(put(vec![line(2)], b""));
    let row: souk_domain::party::Checkout =
        world.one(&Key::checkout(world.people[BUYER].account, checkout)).unwrap();
    assert_eq!((row.lines.clone(), row.address.as_deref()), (vec![line(2)], Some(b"home".as_slice())));
    let text = serde_json::to_string(&row).unwrap();
    assert!(text.contains(r#""address":"686f6d65""#), "{text}");
    assert_eq!(serde_json::from_str::<souk_domain::party::Checkout>(&text).unwrap(), row);
    for (quantity, fits) in [(0, true), (LINE_QUANTITY_MAX, true), (LINE_QUANTITY_MAX + 1, false)] {
        let id = world.mint(bucket);
        let outcome = world.decide(BUYER, id, Body::SetCartLine { offer, quantity, seen: krw(10) });
        assert_eq!(outcome.is_accepted(), fits);
    }
}

#[test]
fn stock_by_the_seller() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10, 10);
    let revision = world.stock(offer).revision;
    let set = |on_hand, base_revision| Body::SetStock { offer, on_hand, base_revision };
    accepted(world.place(BUYER, &[(offer, 4, 10)]).1);
    refused(&world.act(SELLER, set(3, None)).1, "stock.range");
    accepted(world.act(SELLER, set(4, Some(revision))).1);
    refused(&world.act(SELLER, set(9, Some(revision))).1, "edit.conflict");
    refused(&world.place(BUYER, &[(offer, 1, 10)]).1, "stock.short");
    accepted(world.act(SELLER, set(u32::MAX, None)).1);
    world.check();
    let row = world.stock(offer);
    assert_eq!((row.lost, row.received), (6, 10 + u64::from(u32::MAX) - 4));
}
