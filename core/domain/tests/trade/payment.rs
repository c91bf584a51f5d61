//! Money that arrives: in time, late, in parts, twice, too much, in another currency, or not at all.

use souk_domain::bookkeeping::{Timer, TimerKind};
use souk_domain::intent::{Body, Fact, RailFact, ServerAct};
use souk_domain::ledger::AccountCode;
use souk_domain::money::{Currency, Money};
use souk_domain::order::{
    Blocker, BlockerKind, OrderState, PayMethod, Payment, PaymentState, RailId, RailOp, RailOpKind,
    RailOpState, RefundState,
};
use souk_domain::outcome::Outcome;
use souk_domain::rows::Key;
use souk_domain::time::{Span, Time};

use super::world::{BUYER, World, krw, sandbox};
use super::{accepted, refused};

/// An unpaid order of 10,000 and 3,000 of shipping, with a payment begun.
fn begun(world: &mut World) -> souk_domain::id::OrderId {
    let offer = world.put_product("A-1", 10_000, 9);
    let (order, outcome) = world.place(BUYER, &[(offer, 1, 10_000)]);
    accepted(outcome);
    accepted(world.pay_start(BUYER, order));
    order
}

#[test]
fn unpaid_order_ends_and_late_money_goes_back() {
    let mut world = World::new(1);
    let order = begun(&mut world);
    world.now = world.now.plus(Span::from_minutes(31));
    assert_eq!(world.fire_timers().len(), 1);
    assert_eq!(world.order(order).state, OrderState::Cancelled);
    assert_eq!(world.all::<souk_domain::stock::Stock>()[0].available(), 9);
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
    world.check_rest();
    assert_eq!(world.balance(AccountCode::RailClearing, sandbox().owner()), 0);
}

#[test]
fn money_in_parts_over_and_twice() {
    let mut world = World::new(1);
    let order = begun(&mut world);
    accepted(world.capture_as(order, krw(5_000), 900).unwrap());
    accepted(world.capture_as(order, krw(5_000), 900).unwrap());
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

/// A part that waits belongs to one payment: until it has gone back or is completed no other payment may begin, or the
/// order would count money that stands elsewhere.
#[test]
fn a_part_keeps_the_payment_open() {
    let refusal = || Fact::PaymentRefused { reason: "declined".to_owned() };
    for refuse_first in [false, true] {
        let mut world = World::new(1);
        let order = begun(&mut world);
        let payment = world.order(order).payment.unwrap();
        if refuse_first {
            accepted(world.rail(payment, refusal()));
        }
        accepted(world.capture(order, 5_000).unwrap());
        accepted(world.rail(payment, refusal()));
        accepted(world.capture(order, 9_000).unwrap());
        world.check();
        refused(&world.pay_start(BUYER, order), "pay.in_progress");
        accepted(world.capture(order, 8_000).unwrap());
        world.check();
        assert_eq!((world.order(order).state, world.order(order).paid), (OrderState::Open, 13_000));
    }
    // The window ends: the part goes back.
    let mut world = World::new(1);
    let order = begun(&mut world);
    accepted(world.capture(order, 5_000).unwrap());
    world.now = world.now.plus(Span::from_minutes(31));
    world.fire_timers();
    world.check();
    let ended = world.order(order);
    assert_eq!((ended.state, ended.refunds[0].amount), (OrderState::Cancelled, 5_000));
}

#[test]
fn after_a_refusal_another_payment_may_begin() {
    let mut world = World::new(1);
    let order = begun(&mut world);
    let first = world.order(order).payment.unwrap();
    refused(&world.pay_start(BUYER, order), "pay.in_progress");
    accepted(world.rail(first, Fact::PaymentRefused { reason: "declined".to_owned() }));
    accepted(world.pay_start(BUYER, order));
    let second = world.order(order).payment.unwrap();
    assert!(first != second);
    // Both are captured after all, the refused one first: it goes back.
    accepted(world.capture_of(first, krw(13_000), 1));
    assert_eq!(world.order(order).state, OrderState::Created);
    accepted(world.capture_of(second, krw(13_000), 1));
    world.check();
    assert_eq!((world.order(order).paid, world.order(order).refunds.len()), (13_000, 1));
    // A refusal that comes after the money says nothing any more.
    accepted(world.rail(second, Fact::PaymentRefused { reason: "late".to_owned() }));
    assert_eq!(world.one::<Payment>(&Key::payment(second)).unwrap().state, PaymentState::Paid);
    refused(&world.pay_start(BUYER, order), "order.already_paid");
}

/// The goods have gone while the money was on its way: all of it goes back, parts too.
#[test]
fn goods_gone_before_the_money_came() {
    let mut world = World::new(1);
    let order = begun(&mut world);
    accepted(world.capture(order, 5_000).unwrap());
    let (offer, _) = world.order(order).units()[0];
    let stock = world.stock(offer);
    // A shortfall, as damage or a counter sale leaves it.
    world.set(souk_domain::stock::Stock { on_hand: 0, lost: 9, ..stock });
    accepted(world.capture(order, 8_000).unwrap());
    let ended = world.order(order);
    assert_eq!((ended.state, ended.paid, ended.refunds.len()), (OrderState::Cancelled, 0, 2));
    assert_eq!(ended.refunds.iter().map(|refund| refund.amount).sum::<i64>(), 13_000);
    world.confirm_refunds();
    world.check();
    world.check_rest();
}

#[test]
fn money_of_another_currency_goes_back_in_it() {
    let mut world = World::new(1);
    let order = begun(&mut world);
    let usd = |minor| Money::new(minor, Currency::USD);
    accepted(world.capture_as(order, usd(13_000), 7).unwrap());
    accepted(world.capture_as(order, usd(13_000), 7).unwrap());
    world.check();
    let row = world.order(order);
    assert_eq!(
        (row.state, row.refunds.len(), row.refunds[0].foreign),
        (OrderState::Created, 1, Some(Currency::USD))
    );
    let op = &world.ops(RailOpKind::Refund)[0];
    assert_eq!((op.id, op.amount), (row.refunds[0].id, usd(13_000)));
    world.confirm_refunds();
    world.confirm_refunds();
    world.check();
    assert_eq!(world.balance_in(AccountCode::RailClearing, sandbox().owner(), Currency::USD), 0);
    // The order may still be paid.
    accepted(world.pay_start(BUYER, order));
    accepted(world.capture(order, 13_000).unwrap());
    assert_eq!(world.order(order).state, OrderState::Open);
    world.check();
}

/// Facts that no rail of ours can mean: refused, and nothing has changed.
#[test]
fn facts_that_are_none() {
    let mut world = World::new(1);
    let order = begun(&mut world);
    let payment = world.order(order).payment.unwrap();
    let begin = world.ops(RailOpKind::Begin)[0].id;
    for (amount, code) in [(0, "money.range"), (-1, "money.range"), (i64::MIN, "money.range")] {
        refused(&world.capture(order, amount).unwrap(), code);
    }
    refused(&world.capture(order, i64::MAX).unwrap(), "ledger.amount");
    refused(&world.rail(payment, Fact::Refunded { op: begin }), "op.unknown");
    refused(&world.rail(payment, Fact::RefundRefused { op: begin, reason: String::new() }), "op.unknown");
    let elsewhere = RailFact {
        rail: RailId::new("other").unwrap(),
        payment,
        rail_ref: String::new(),
        fact: Fact::Captured { capture: "1".to_owned(), amount: krw(13_000) },
    };
    refused(&world.server(ServerAct::RailFact(elsewhere)), "payment.unknown");
    // A refund of one payment, told of another one by another rail.
    accepted(world.capture(order, 14_000).unwrap());
    let refund = world.order(order).refunds[0].id;
    let other = Body::PayStart { order, rail: RailId::new("other").unwrap(), method: PayMethod::Payer };
    accepted(world.act(BUYER, other).1);
    let second = world.order(order).payment.unwrap();
    let told = RailFact {
        rail: RailId::new("other").unwrap(),
        payment: second,
        rail_ref: String::new(),
        fact: Fact::Refunded { op: refund },
    };
    refused(&world.server(ServerAct::RailFact(told)), "op.unknown");
    world.check();
}

/// Never dearer than the buyer has agreed to, and not after the window.
#[test]
fn what_pay_start_refuses() {
    let mut world = World::new(1);
    let offer = world.put_product("A-1", 10_000, 9);
    let (order, _) = world.place(BUYER, &[(offer, 1, 10_000)]);
    let start = |world: &mut World, max: Option<Money>| -> Outcome {
        let id = world.mint(order.bucket());
        let body = Body::PayStart { order, rail: sandbox(), method: PayMethod::Mandate };
        world.decide_with(BUYER, id, body, Vec::new(), max)
    };
    refused(&start(&mut world, Some(krw(12_999))), "pay.amount_mismatch");
    refused(&start(&mut world, Some(Money::new(13_000, Currency::USD))), "pay.currency_mismatch");
    // The timer is late; the window is over all the same, and nothing is put off.
    let by = world.order(order).pay_by;
    world.now = by.plus(Span::from_micros(1));
    refused(&start(&mut world, None), "order.closed");
    world.now = by;
    accepted(start(&mut world, Some(krw(13_000))));
    let moved = world.order(order);
    assert_eq!((moved.pay_by, moved.pay_generation), (by.plus(Span::from_minutes(10)), 2));
    world.check();
    // Once only.
    let payment = moved.payment.unwrap();
    accepted(world.rail(payment, Fact::PaymentRefused { reason: "no".to_owned() }));
    world.now = world.now.plus(Span::from_minutes(9));
    accepted(start(&mut world, None));
    assert_eq!(world.order(order).pay_by, moved.pay_by);
    // The first window's timer comes now, and twice: it is of another generation.
    let late = Timer {
        bucket: order.bucket(),
        due: by,
        entity: *order.bytes(),
        kind: TimerKind::PayWindow,
        generation: 1,
    };
    accepted(world.server(ServerAct::Timeout(late)));
    assert_eq!(world.order(order).state, OrderState::Created);
    world.check();
}

/// A timer that is decided before its time (the clock was set back) changes nothing and stays.
#[test]
fn a_timer_too_early() {
    let mut world = World::new(1);
    let order = begun(&mut world);
    let timers: Vec<Timer> = world.all();
    world.now = timers[0].due.minus(Span::from_micros(1));
    accepted(world.server(ServerAct::Timeout(timers[0])));
    assert_eq!(world.order(order).state, OrderState::Created);
    assert_eq!(world.all::<Timer>(), timers);
    world.check();
}

/// A refund that the rail keeps silent about, refuses, and pays after all; the blocker says so until it is done.
#[test]
fn refunds_have_a_blocker_until_they_are_done() {
    let mut world = World::new(1);
    let order = begun(&mut world);
    accepted(world.capture(order, 14_000).unwrap());
    let (asked_at, refund) = (world.now, world.order(order).refunds[0].id);
    let payment = world.order(order).payment.unwrap();
    let blocker = |world: &World| {
        let row: Option<Blocker> = world.one(&Key::blocker(order));
        row.map(|row| (row.kind, row.next_due))
    };
    let patience = Span::from_minutes(15);
    assert_eq!(blocker(&world), Some((BlockerKind::RailUnknown, asked_at.plus(patience))));
    // The order is paid, shipped and released; its own waiting is due later.
    accepted(world.pay_start(BUYER, order));
    accepted(world.capture(order, 13_000).unwrap());
    accepted(world.act(super::world::SELLER, Body::Ship { order }).1);
    accepted(world.act(BUYER, Body::Confirm { order }).1);
    assert_eq!(blocker(&world).unwrap().0, BlockerKind::RailUnknown);
    let progress = |world: &mut World, state, next_try: Time| {
        let rail_ref = "pay_1".to_owned();
        world.server(ServerAct::RailProgress { op: refund, state, rail_ref, next_try })
    };
    let until = match world.order(order).settlement {
        Some(souk_domain::order::Settlement::Pending { until, .. }) => until,
        other => panic!("{other:?}"),
    };
    // The rail wants to be asked again in ten days; the reserve ends before that.
    accepted(progress(&mut world, RailOpState::Unknown, asked_at.plus(Span::from_days(10))));
    assert_eq!(blocker(&world), Some((BlockerKind::Reserve, until)));
    accepted(progress(&mut world, RailOpState::Accepted, asked_at.plus(Span::from_hours(1))));
    assert_eq!(blocker(&world), Some((BlockerKind::RailUnknown, asked_at.plus(Span::from_hours(1)))));
    // A call cannot end a refund: only the fact posts it.
    accepted(progress(&mut world, RailOpState::Succeeded, asked_at));
    assert_eq!(world.one::<RailOp>(&Key::rail_op(refund)).unwrap().state, RailOpState::Accepted);
    let refuse = Fact::RefundRefused { op: refund, reason: "closed card".to_owned() };
    accepted(world.rail(payment, refuse.clone()));
    let stuck_at = world.now;
    assert_eq!(blocker(&world), Some((BlockerKind::RefundStuck, stuck_at)));
    world.now = world.now.plus(Span::from_minutes(5));
    accepted(world.rail(payment, refuse.clone()));
    assert_eq!(blocker(&world), Some((BlockerKind::RefundStuck, stuck_at)), "nothing puts it off");
    world.check();
    world.confirm_refunds();
    assert_eq!(blocker(&world), Some((BlockerKind::Reserve, until)));
    accepted(world.rail(payment, refuse));
    assert_eq!(world.order(order).refunds[0].state, RefundState::Done);
    world.now = until;
    world.fire_timers();
    assert_eq!(blocker(&world), None);
    world.check();
    world.check_rest();
}
