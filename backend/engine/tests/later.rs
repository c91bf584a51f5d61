//! What comes later, twice or not at all: timers, hand-offs, rails, a store that fails.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod market;

use futures::executor::block_on;
use market::{BUYER, COURIER, Market, accepted};
use souk_domain::bookkeeping::{Outbox, Timer};
use souk_domain::id::{DerivedId, OrderId};
use souk_domain::ledger::AccountCode;
use souk_domain::money::Money;
use souk_domain::order::{OrderState, Payment, PaymentState, RailId, RailOp, RailOpState, RefundState};
use souk_domain::outcome::Outcome;
use souk_domain::rows::Key;
use souk_domain::stock::Stock;
use souk_domain::time::{Span, Time};
use souk_engine::rail::{PaymentStatus, RailAsk, RailReply, acts};
use souk_engine::relay::handed_off;
use souk_engine::{Answer, Ask, MemoryBudget, timers};

fn timers_of(market: &Market) -> Vec<Timer> {
    block_on(market.store().timers_due(Time::from_micros(i64::MAX), 1_000)).unwrap()
}

#[test]
fn a_timer_twice_late_and_after_its_cause() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    let (order, outcome) = market.place(BUYER, &[(offer, 1, 10_000)]);
    accepted(&outcome);
    let unpaid = timers_of(&market);
    assert_eq!(unpaid.len(), 1);
    assert_eq!(block_on(market.engine.next_due()).unwrap(), Some(unpaid[0].due));
    assert_eq!(market.fire(), 0, "not due");
    market.wait(Span::from_days(3));
    assert_eq!(market.fire(), 1);
    assert_eq!(market.order(order).state, OrderState::Cancelled);
    let stock: Stock = market.one(Key::stock(offer));
    assert_eq!(stock.available(), 5);
    let before = market.order(order);
    for _ in 0..2 {
        accepted(&market.server(timers::timeout(&unpaid[0])));
        assert_eq!(market.order(order), before, "a timer that fires again changes nothing");
    }
    // Paid in time: its timer finds nothing to do.
    let order = market.paid(BUYER, &[(offer, 1, 10_000)]);
    let before = market.order(order);
    let stale = Timer { entity: *order.bytes(), due: before.pay_by, ..unpaid[0] };
    accepted(&market.server(timers::timeout(&stale)));
    assert_eq!(market.order(order), before);
    market.check();
}

#[test]
fn more_timers_than_a_batch_takes() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 2_000);
    let mut asks = Vec::new();
    for _ in 0..1_003 {
        let id = market.mint(market.shop_bucket());
        let body = market.place_body(&[(offer, 1, 10_000)]);
        let now = market.now;
        let signed = market.people[BUYER].text(id, &body, &market::address(), now);
        asks.push(Ask::direct(market.people[BUYER].actor(), signed));
    }
    for answer in block_on(market.engine.decide_batch(asks, market.now)) {
        assert_eq!(answer.results().len(), 1);
    }
    market.wait(Span::from_hours(1));
    assert_eq!(market.fire(), 1_003);
    assert_eq!(block_on(market.engine.next_due()).unwrap(), None);
}

#[test]
fn a_hand_off_twice_and_after_a_restart() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    let order = market.paid(BUYER, &[(offer, 1, 10_000)]);
    let parcel = market.label(order);
    let pending: Vec<Outbox> = block_on(market.store().outbox_pending(100)).unwrap();
    assert!(pending.len() > 1);
    assert_eq!(market.engine.in_flight(), pending.len());
    // Killed before anything left: the next process finds it all.
    market.restart();
    assert_eq!(market.engine.in_flight(), pending.len());
    assert!(block_on(market.engine.rail_due(market.now, 10)).unwrap().is_empty(), "it had ended");
    assert_eq!(market.relay(), pending.len());
    assert_eq!(market.engine.in_flight(), 0);
    assert!(block_on(market.store().outbox_pending(100)).unwrap().is_empty());
    let courier = market.people[COURIER].account;
    let stop: souk_domain::parcel::Stop = market.one(Key::stop(courier, parcel.id));
    let cards = block_on(market.reader.snapshot(None, 100, market.now)).unwrap();
    for (id, act) in pending.iter().rev().filter_map(handed_off) {
        let Outcome::Accepted { data, .. } = market.server(Ask::Server { id, act }) else { panic!("again") };
        assert_eq!(data.get("again"), Some(&souk_domain::outcome::Fact::Flag(true)));
    }
    assert_eq!(market.one::<souk_domain::parcel::Stop>(Key::stop(courier, parcel.id)), stop);
    let again = block_on(market.reader.snapshot(None, 100, market.now)).unwrap();
    assert_eq!((again.page.sum, again.page.n), (cards.page.sum, cards.page.n));
}

#[test]
fn an_operation_in_doubt_is_asked_for_before_it_is_sent_again() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    let (order, _) = market.place(BUYER, &[(offer, 1, 10_000)]);
    accepted(&market.pay_start(BUYER, order));
    let answer = |market: &mut Market, call: &_, reply: RailReply| {
        for answer in block_on(market.engine.rail_answer(call, &reply, market.now, u64::MAX)) {
            accepted(answer.outcome().unwrap());
        }
    };
    let due = |market: &mut Market| block_on(market.engine.rail_due(market.now, 10)).unwrap();
    let call = market.rail_call();
    assert_eq!(call.ask, RailAsk::Begin);
    assert!(due(&mut market).is_empty(), "a call that is out is not handed out again");
    answer(&mut market, &call, RailReply::Unknown);
    let op: RailOp = market.one(Key::rail_op(call.op.id));
    assert_eq!((op.state, op.attempts), (RailOpState::Unknown, 1));
    assert!(due(&mut market).is_empty(), "not before the wait is over");
    market.wait(Span::from_secs(1));
    let call = market.rail_call();
    assert_eq!(call.ask, RailAsk::Fetch);
    answer(&mut market, &call, RailReply::NotFound);
    let call = market.rail_call();
    assert_eq!((call.ask, call.op.id), (RailAsk::Begin, op.id), "the same operation, so the same key");
    answer(&mut market, &call, RailReply::Throttled { after: Span::from_secs(30) });
    market.wait(Span::from_secs(29));
    assert!(due(&mut market).is_empty());
    market.wait(Span::from_secs(2));
    // The process dies while the call is out: the next one asks first.
    let call = market.rail_call();
    assert_eq!(call.ask, RailAsk::Begin);
    market.restart();
    let call = market.rail_call();
    assert_eq!(call.ask, RailAsk::Fetch);
    let total = call.op.amount;
    let part = Money::new(4_000, total.currency);
    let rest = Money::new(total.minor - 4_000, total.currency);
    let open = |status, captures: &[(&str, Money)]| RailReply::Payment {
        rail_ref: "pay_1".to_owned(),
        status,
        captures: captures.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect(),
    };
    answer(&mut market, &call, open(PaymentStatus::Open, &[("cap_1", part)]));
    assert_eq!(market.order(order).unapplied, 4_000);
    market.wait(Span::from_minutes(1));
    let call = market.rail_call();
    assert_eq!(call.ask, RailAsk::Fetch, "an open payment is looked at");
    let whole = open(PaymentStatus::Paid, &[("cap_1", part), ("cap_2", rest)]);
    answer(&mut market, &call, whole.clone());
    assert_eq!(market.order(order).state, OrderState::Open);
    // A webhook tells the same once more, and an older one comes behind it.
    answer(&mut market, &call, whole);
    answer(&mut market, &call, open(PaymentStatus::Open, &[("cap_1", part)]));
    assert_eq!(market.order(order).paid, total.minor);
    assert_eq!(market.balance(AccountCode::OrderEscrow, *order.bytes()), total.minor);
    market.relay();
    market.wait(Span::from_days(1));
    assert!(due(&mut market).is_empty(), "an ended operation is not called");
    assert_eq!(market.engine.in_flight(), 0);
    market.check();
}

#[test]
fn late_money_goes_back_through_the_rail() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    let (order, _) = market.place(BUYER, &[(offer, 1, 10_000)]);
    accepted(&market.pay_start(BUYER, order));
    let call = market.rail_call();
    market.wait(Span::from_hours(1));
    assert_eq!(market.fire(), 1);
    assert_eq!(market.order(order).state, OrderState::Cancelled);
    let reply = RailReply::Payment {
        rail_ref: "pay_1".to_owned(),
        status: PaymentStatus::Paid,
        captures: vec![("cap_1".to_owned(), call.op.amount)],
    };
    block_on(market.engine.rail_answer(&call, &reply, market.now, 0));
    let refund = market.rail_call();
    assert_eq!((refund.ask, refund.op.amount), (RailAsk::Refund, call.op.amount));
    assert_eq!(refund.payment.rail_ref, "pay_1");
    block_on(market.engine.rail_answer(&refund, &RailReply::Refund { refused: None }, market.now, 0));
    assert_eq!(market.order(order).refunds[0].state, RefundState::Done);
    assert_eq!(market.balance(AccountCode::RailClearing, *b"sandbox\0\0\0\0\0\0\0\0\0"), 0);
    market.relay();
    assert_eq!(market.engine.in_flight(), 0);
    market.check();
}

#[test]
fn a_refused_payment_frees_the_order_for_another() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    let (order, _) = market.place(BUYER, &[(offer, 1, 10_000)]);
    accepted(&market.pay_start(BUYER, order));
    let call = market.rail_call();
    let reply = RailReply::Refused { code: "card_declined".to_owned() };
    assert_eq!(acts(&call, &reply, market.now, 0).len(), 2);
    block_on(market.engine.rail_answer(&call, &reply, market.now, 0));
    let payment: Payment = market.one(Key::payment(call.payment.id));
    assert_eq!((payment.state, payment.refusal.as_str()), (PaymentState::Refused, "card_declined"));
    market.relay();
    accepted(&market.pay_start(BUYER, order));
    market.capture();
    assert_eq!(market.order(order).state, OrderState::Open);
}

/// Two engines on one file: the one that came first is fenced, and nothing of it is written.
#[test]
fn a_former_owner_writes_nothing() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    block_on(market.store().take_over()).unwrap();
    let id = market.mint(market.shop_bucket());
    let body = market.place_body(&[(offer, 1, 10_000)]);
    let now = market.now;
    let signed = market.people[BUYER].text(id, &body, &market::address(), now);
    for _ in 0..2 {
        let ask = Ask::direct(market.people[BUYER].actor(), signed.clone());
        let answer = block_on(market.engine.decide_one(ask, market.now));
        assert!(matches!(answer, Answer::Later { .. }), "{answer:?}");
    }
    let order: Option<souk_domain::order::Order> =
        block_on(market.reader.row(Key::order(OrderId::from_bytes(*id.bytes()).unwrap()))).unwrap();
    assert_eq!(order, None);
    market.restart();
    let ask = Ask::direct(market.people[BUYER].actor(), signed);
    let answer = block_on(market.engine.decide_one(ask, market.now));
    assert_eq!(answer.results().len(), 1, "the new owner decides it");
}

/// How much is kept in memory changes no outcome, and nothing that waits is forgotten.
#[test]
fn memory_is_a_budget_and_no_rule() {
    let run = |memory: MemoryBudget| {
        let mut market = Market::new(1);
        block_on(market.engine.set_memory(memory)).unwrap();
        market.make_shop();
        let offer = market.put_product("A-1", 10_000, 50);
        for _ in 0..3 {
            let order = market.paid(BUYER, &[(offer, 1, 10_000)]);
            market.deliver(BUYER, order);
            market.relay();
            accepted(&market.close_shift());
        }
        market.check();
        assert_eq!(market.engine.in_flight(), 0);
        let cards = block_on(market.reader.snapshot(None, 100, market.now)).unwrap();
        (block_on(market.reader.state_hash()).unwrap(), cards.page.sum, cards.page.n)
    };
    let usual = run(MemoryBudget::DEFAULT);
    for (cache_rows, outbox_rows) in [(0, 100), (30, 100), (100, 1), (0, 1)] {
        assert_eq!(run(MemoryBudget { cache_rows, outbox_rows }), usual, "{cache_rows} {outbox_rows}");
    }
}

#[test]
fn an_outbox_beyond_the_budget_is_read_in_turns() {
    for rows in [5, 6, 7] {
        let mut market = Market::open_shop(1);
        for number in 0..6 {
            market.put_product(&format!("A-{number}"), 10_000, 5);
        }
        market.restart();
        let memory = MemoryBudget { outbox_rows: rows, ..MemoryBudget::DEFAULT };
        block_on(market.engine.set_memory(memory)).unwrap();
        assert_eq!(market.engine.in_flight(), rows.min(6));
        assert_eq!(market.relay(), 6, "{rows}");
    }
    // Operations at a rail that is down do not hold hand-offs back.
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    market.relay();
    for _ in 0..3 {
        let (order, _) = market.place(BUYER, &[(offer, 1, 10_000)]);
        market.relay();
        accepted(&market.pay_start(BUYER, order));
    }
    market.put_product("A-2", 10_000, 5);
    market.restart();
    let memory = MemoryBudget { outbox_rows: 1, ..MemoryBudget::DEFAULT };
    block_on(market.engine.set_memory(memory)).unwrap();
    assert_eq!(market.relay(), 1);
}

#[test]
fn a_webhook_means_the_same_as_an_answer() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    let (order, _) = market.place(BUYER, &[(offer, 1, 10_000)]);
    accepted(&market.pay_start(BUYER, order));
    let op = market.rail_call().op;
    let paid = RailReply::Payment {
        rail_ref: "pay_1".to_owned(),
        status: PaymentStatus::Paid,
        captures: vec![("cap_1".to_owned(), op.amount)],
    };
    let event = |market: &Market, rail: &RailId, id: DerivedId| {
        block_on(market.reader.rail_event(rail, id, &paid, market.now)).map_err(|error| error.code())
    };
    let other = RailId::new("other").unwrap();
    let unknown = DerivedId::derived(op.id.bucket(), &[1; 32]);
    assert_eq!(event(&market, &other, op.id).err(), Some("op.unknown"));
    assert_eq!(event(&market, &op.rail, unknown).err(), Some("op.unknown"));
    for _ in 0..3 {
        let asks = event(&market, &op.rail, op.id).unwrap();
        for answer in block_on(market.engine.decide_batch(asks, market.now)) {
            accepted(answer.outcome().unwrap());
        }
        assert_eq!(market.order(order).paid, op.amount.minor);
    }
    market.relay();
    assert_eq!(market.engine.in_flight(), 0);
    market.check();
}
