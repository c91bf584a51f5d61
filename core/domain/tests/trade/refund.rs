//! Money that goes back or is released: refunds before shipping, by the shop, by silence; confirmation and its fees.

use souk_domain::bookkeeping::Timer;
use souk_domain::intent::{Body, ServerAct};
use souk_domain::ledger::AccountCode;
use souk_domain::money::{Bp, Ppm};
use souk_domain::order::{Blocker, BlockerKind, CaseState, OrderState, ShipmentState};
use souk_domain::outcome::Fact;
use souk_domain::parcel::ParcelState;
use souk_domain::rows::Key;
use souk_domain::time::Span;

use super::world::{BUYER, COURIER, SELLER, World};
use super::{accepted, labelled, refused};

#[test]
fn refund_before_shipping() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10_000, 3);
    let ask = |order| Body::OpenCase { order, reason: "too slow".to_owned() };
    let wanted = [(offer, 1, 10_000)];
    // Within the free time: at once.
    let order = world.paid(BUYER, &wanted);
    world.now = world.now.plus(Span::from_minutes(30));
    accepted(world.act(BUYER, ask(order)).1);
    assert_eq!(world.order(order).state, OrderState::Completed);
    assert_eq!(world.order(order).refunded, 13_000);
    // Within the free time, but a label is made: the shop is asked.
    let order = world.paid(BUYER, &wanted);
    accepted(world.make_label(order).1);
    accepted(world.act(BUYER, ask(order)).1);
    assert_eq!(world.order(order).state, OrderState::Open);
    // Later: the shop has 24 h, silence agrees.
    let order = world.paid(BUYER, &wanted);
    world.now = world.now.plus(Span::from_minutes(30)).plus(Span::from_micros(1));
    world.fire_timers();
    accepted(world.act(BUYER, ask(order)).1);
    assert_eq!(world.order(order).state, OrderState::Open);
    refused(&world.act(BUYER, ask(order)).1, "case.open");
    world.check();
    let timers: Vec<Timer> = world.all();
    world.now = world.now.plus(Span::from_hours(24));
    world.fire_timers();
    assert_eq!(world.order(order).refunded, 13_000);
    // All of them once more, late: nothing happens twice.
    let now = world.now;
    for timer in timers.into_iter().filter(|timer| timer.due <= now) {
        accepted(world.server(ServerAct::Timeout(timer)));
    }
    world.check();
    // The deadline has passed, with or without its timer: at once.
    let order = world.paid(BUYER, &wanted);
    world.now = world.now.plus(Span::from_hours(72)).plus(Span::from_micros(1));
    accepted(world.act(BUYER, ask(order)).1);
    assert_eq!(world.order(order).refunded, 13_000);
    // Never shipped.
    let order = world.paid(BUYER, &wanted);
    world.now = world.now.plus(Span::from_days(14));
    world.fire_timers();
    assert_eq!(world.order(order).refunded, 13_000);
    world.relay();
    world.confirm_refunds();
    world.check();
    world.check_rest();
    assert_eq!(world.stock(offer).available(), 3);
}

/// Whoever ends the order answers the request: none stays open for ever.
#[test]
fn an_open_request_is_answered_by_every_end() {
    type End = fn(&mut World, souk_domain::id::OrderId);
    let ends: [(&str, End); 3] = [
        ("by the shop", |world, order| accepted(world.act(SELLER, Body::RefundOrder { order }).1)),
        ("by leaving", |world, order| accepted(world.act(SELLER, Body::Ship { order }).1)),
        ("never shipped", |world, _| {
            world.now = world.now.plus(Span::from_days(14));
            world.fire_timers();
        }),
    ];
    for (name, end) in ends {
        let mut world = World::new(1);
        let offer = world.put_product("A-1", 10_000, 3);
        let order = world.paid(BUYER, &[(offer, 1, 10_000)]);
        world.now = world.now.plus(Span::from_hours(1));
        accepted(world.act(BUYER, Body::OpenCase { order, reason: String::new() }).1);
        end(&mut world, order);
        assert_eq!(world.order(order).case.unwrap().state, CaseState::Closed, "{name}");
        world.check();
    }
}

/// A refusal says which axis is in the way and where it stands.
#[test]
fn order_state_names_axis_and_value() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10_000, 9);
    let wanted = [(offer, 1, 10_000)];
    let (created, _) = world.place(BUYER, &wanted);
    let open = world.paid(BUYER, &wanted);
    let shipped = world.paid(BUYER, &wanted);
    accepted(world.act(SELLER, Body::Ship { order: shipped }).1);
    accepted(world.act(SELLER, Body::Ship { order: shipped }).1);
    let done = world.paid(BUYER, &wanted);
    accepted(world.act(SELLER, Body::RefundOrder { order: done }).1);
    let ask = |order| Body::OpenCase { order, reason: String::new() };
    let label = |order| Body::MakeLabels { order, weight_g: 1, courier: None };
    let mut text = String::new();
    for (name, who, body) in [
        ("confirm created", BUYER, Body::Confirm { order: created }),
        ("confirm open", BUYER, Body::Confirm { order: open }),
        ("confirm refunded", BUYER, Body::Confirm { order: done }),
        ("cancel open", BUYER, Body::CancelOrder { order: open }),
        ("cancel completed", SELLER, Body::CancelOrder { order: done }),
        ("ask created", BUYER, ask(created)),
        ("ask shipped", BUYER, ask(shipped)),
        ("label created", SELLER, label(created)),
        ("label shipped", SELLER, label(shipped)),
        ("ship created", SELLER, Body::Ship { order: created }),
        ("ship completed", SELLER, Body::Ship { order: done }),
        ("refund created", SELLER, Body::RefundOrder { order: created }),
        ("refund completed", SELLER, Body::RefundOrder { order: done }),
    ] {
        let outcome = world.act(who, body).1;
        refused(&outcome, "order.state");
        let souk_domain::outcome::Outcome::Rejected { data, .. } = &outcome else { panic!() };
        let word = |fact: &str| match data.get(fact) {
            Some(Fact::Text(text)) => text.clone(),
            other => panic!("{name}: {other:?}"),
        };
        text += &format!("{name}: {} {}\n", word("axis"), word("value"));
    }
    expect_test::expect![[r#"
        confirm created: order CREATED
        confirm open: shipment NONE
        confirm refunded: order COMPLETED
        cancel open: order OPEN
        cancel completed: order COMPLETED
        ask created: order CREATED
        ask shipped: shipment SHIPPED
        label created: order CREATED
        label shipped: shipment SHIPPED
        ship created: order CREATED
        ship completed: order COMPLETED
        refund created: order CREATED
        refund completed: order COMPLETED
    "#]]
    .assert_eq(&text);
    world.check();
}

/// A label that never moved is void with the refund, and the courier hears of it.
#[test]
fn a_refund_voids_the_label() {
    let mut world = World::new(1);
    let (order, parcel) = labelled(&mut world);
    accepted(world.act(SELLER, Body::RefundOrder { order }).1);
    world.relay();
    world.confirm_refunds();
    world.check();
    world.check_rest();
    let (_, certificate) = world.open_shift(COURIER);
    for upload in world.journey(BUYER, &parcel) {
        accepted(world.upload(&parcel, &upload, &certificate));
    }
    let proof = world.handover(BUYER, &parcel, souk_codes::proof::Verdict::Accept);
    refused(&world.word(BUYER, &parcel, &proof), "label.void");
    let row = world.parcel(parcel.id);
    assert_eq!((row.state, row.links.len()), (ParcelState::Cancelled, 3), "kept, and moves nothing");
    assert_eq!(row.anomalies, ["scan_of_void_label"]);
    assert_eq!(world.order(order).shipment, ShipmentState::None);
    world.check();
}

/// The shop brings it itself: nobody else has earned the shipping, and a delivery that nobody tells has a due time.
#[test]
fn shipped_by_the_shops_own_means() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10_000, 3);
    let order = world.paid(BUYER, &[(offer, 1, 10_000)]);
    accepted(world.act(SELLER, Body::Ship { order }).1);
    let blocker: Blocker = world.one(&Key::blocker(order)).unwrap();
    assert_eq!(
        (blocker.kind, blocker.next_due),
        (BlockerKind::InTransit, world.now.plus(Span::from_days(30)))
    );
    accepted(world.act(BUYER, Body::Confirm { order }).1);
    accepted(world.act(BUYER, Body::Confirm { order }).1);
    world.check();
    let shop = *world.shop.unwrap().bytes();
    assert_eq!(world.balance(AccountCode::CourierPayable, *world.people[COURIER].account.bytes()), 0);
    assert_eq!(world.balance(AccountCode::SellerPending, shop), 13_000 - 500 - 50);
}

/// Fees never take more than there is: no release is stuck on their rounding.
#[test]
fn fees_of_any_rate_leave_the_release_possible() {
    for (commission, tax) in [(0, 0), (500, 100_000), (9_999, 1_000_000), (10_000, 0), (10_000, 250_000)] {
        for price in [1, 2, 7, 10, 999] {
            let mut world = World::new(1);
            world.reference.fee_plan.commission = Bp(commission);
            world.reference.fee_plan.commission_tax = Ppm(tax);
            let offer = world.put_product("A-1", price, 3);
            let order = world.paid(BUYER, &[(offer, 1, price)]);
            // A later change of the plan does not matter: rates are frozen.
            world.reference.fee_plan.commission = Bp(77);
            accepted(world.act(SELLER, Body::Ship { order }).1);
            accepted(world.act(BUYER, Body::Confirm { order }).1);
            world.check();
            let row = world.order(order);
            assert_eq!(row.released, price + 3_000);
            let expected = Bp(commission).of(super::world::krw(price)).unwrap().minor;
            assert_eq!(row.lines[0].commission, expected);
            assert_eq!(row.lines[1].commission, 0, "shipping bears none");
        }
    }
}
