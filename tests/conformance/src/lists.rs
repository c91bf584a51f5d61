//! Lists: timers, outbox, orders, blockers, devices, intents.

use futures::executor::block_on;
use souk_domain::bookkeeping::{IntentRow, Message, Outbox, ScopeOf, Timer, TimerKind};
use souk_domain::id::OrderId;
use souk_domain::order::{Blocker, BlockerKind, Order, OrderState};
use souk_domain::party::Device;
use souk_domain::rows::{Entity, Row};
use souk_domain::scope::Scope;
use souk_domain::time::Time;
use souk_store::OrdersAsk;
use souk_testkit::samples;

use crate::harness::{Medium, Served, delete, write};

fn sample<T: Entity>() -> T {
    T::from_row(&samples::row(T::KIND)).unwrap().clone()
}

/// By due time over all buckets; one that was deleted does not come again.
pub fn timers_come_by_their_due_time<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    assert_eq!(block_on(served.store.timer_next()).unwrap(), None);
    let timer = |seconds, bucket: u16, kind| Timer {
        bucket: samples::numbered(bucket),
        due: samples::time(seconds),
        entity: [u8::try_from(seconds).unwrap(); 16],
        kind,
        generation: 1,
    };
    let first = timer(10, 900, TimerKind::ReserveEnd);
    let second = timer(20, 3, TimerKind::PayWindow);
    let third = timer(20, 700, TimerKind::PayWindow);
    let last = timer(30, 1, TimerKind::Release);
    served.put([last, third, first, second].map(Row::Timer));
    assert_eq!(block_on(served.store.timer_next()).unwrap(), Some(first.due));
    let due = |at: Time, limit| block_on(served.store.timers_due(at, limit)).unwrap();
    assert_eq!(due(samples::time(9), 10), []);
    assert_eq!(due(samples::time(10), 10), [first]);
    assert_eq!(due(samples::time(20), 10), [first, second, third]);
    assert_eq!(due(samples::time(99), 2), [first, second]);
    served.commit(vec![delete(1, Row::Timer(first).key())]).unwrap();
    assert_eq!(block_on(served.store.timer_next()).unwrap(), Some(second.due));
    assert_eq!(due(samples::time(99), 10), [second, third, last]);
}

/// What is not done, by bucket and sequence.
pub fn the_outbox_gives_what_is_not_done<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let outbox = |bucket: u16, seq, done| Outbox {
        bucket: samples::numbered(bucket),
        seq,
        message: Message::Rail { op: samples::derived_id(samples::numbered(bucket), seq) },
        done,
        at: samples::time(0),
    };
    let waiting = [outbox(2, 9, false), outbox(2, 10, false), outbox(700, 1, false)];
    let done = [outbox(2, 8, true), outbox(700, 2, true)];
    served.put(waiting.iter().rev().chain(&done).cloned().map(Row::Outbox));
    let pending = |limit| block_on(served.store.outbox_pending(limit)).unwrap();
    assert_eq!(pending(10), waiting);
    assert_eq!(pending(2), waiting[..2]);
    served.commit(vec![write(1, Row::Outbox(outbox(2, 9, true)))]).unwrap();
    assert_eq!(pending(10), waiting[1..]);
}

/// Newest first, page by page, by shop or by buyer, in some states or all.
pub fn orders_come_newest_first<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let bucket = samples::bucket();
    let order = |number: u64, seconds, state| {
        let id = samples::order_id(bucket, number);
        Order { state, ..samples::order(id, samples::time(seconds)) }
    };
    // Two of them at the same moment: the id decides.
    let mut orders = vec![
        order(1, 10, OrderState::Created),
        order(2, 20, OrderState::Open),
        order(3, 20, OrderState::Completed),
        order(4, 30, OrderState::Open),
    ];
    let stranger = Order {
        shop: samples::shop_id(bucket, 50),
        buyer: samples::account_id(bucket, 51),
        ..order(5, 25, OrderState::Open)
    };
    served.put(orders.iter().cloned().chain([stranger.clone()]).map(Row::Order));
    orders.sort_by_key(|order| std::cmp::Reverse((order.placed_at, order.id)));
    let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();

    let all = OrdersAsk { shop: Some(samples::shop()), buyer: None, states: vec![], before: None, limit: 10 };
    let list = |ask: &OrdersAsk| -> Vec<OrderId> {
        block_on(served.store.orders(ask)).unwrap().iter().map(|order| order.id).collect()
    };
    assert_eq!(block_on(served.store.orders(&all)).unwrap(), orders);
    let of_buyer = OrdersAsk { shop: None, buyer: Some((samples::buyer(), bucket)), ..all.clone() };
    assert_eq!(list(&of_buyer), ids);
    for ask in [&all, &of_buyer] {
        for limit in [1, 2, 3, 4, 5] {
            let mut ask = OrdersAsk { limit, ..ask.clone() };
            let mut found = Vec::new();
            loop {
                let page = block_on(served.store.orders(&ask)).unwrap();
                assert!(page.len() <= limit);
                let Some(last) = page.last() else { break };
                ask.before = Some((last.placed_at, last.id));
                found.extend(page.iter().map(|order| order.id));
            }
            assert_eq!(found, ids, "pages of {limit}");
        }
    }
    let open = OrdersAsk { states: vec![OrderState::Open, OrderState::Created], ..all.clone() };
    assert_eq!(list(&open), [ids[0], samples::order_id(bucket, 2), ids[3]]);
    let both = OrdersAsk { buyer: Some((stranger.buyer, bucket)), ..all.clone() };
    assert_eq!(list(&both), []);
    assert_eq!(list(&OrdersAsk { shop: Some(stranger.shop), ..both }), [stranger.id]);
    assert_eq!(list(&OrdersAsk { shop: None, ..all }), []);
}

/// By due time over all buckets.
pub fn blockers_come_by_their_due_time<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let blocker = |number, seconds| Blocker {
        order: samples::order_id(samples::numbered(u16::try_from(900 - number).unwrap()), number),
        kind: BlockerKind::RefundStuck,
        next_due: samples::time(seconds),
    };
    let blockers = [blocker(1, 10), blocker(2, 20), blocker(3, 30)];
    served.put(blockers.iter().rev().cloned().map(Row::Blocker));
    let due = |seconds, limit| block_on(served.store.blockers_due(samples::time(seconds), limit)).unwrap();
    assert_eq!(due(9, 10), []);
    assert_eq!(due(20, 10), blockers[..2]);
    assert_eq!(due(99, 1), blockers[..1]);
}

/// Devices of one account; parts of one scope.
pub fn devices_and_scope_parts_are_found<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let device = |number, account| Device { id: samples::device_id(number), account, ..sample::<Device>() };
    let own = [device(1, samples::buyer()), device(2, samples::buyer())];
    served.put(own.iter().cloned().chain([device(3, samples::courier())]).map(Row::Device));
    assert_eq!(block_on(served.store.devices_of(samples::buyer())).unwrap(), own);

    let scope = Scope::Account(samples::buyer());
    let part = |scope: &Scope, part| ScopeOf { scope: scope.clone(), part: samples::numbered(part) };
    let other = Scope::Route(samples::buyer());
    served.put([part(&scope, 687), part(&scope, 2), part(&other, 5)].map(Row::ScopeOf));
    let parts = block_on(served.store.scope_parts(&scope)).unwrap();
    assert_eq!(parts, [samples::numbered(2), samples::numbered(687)]);
    assert_eq!(block_on(served.store.scope_parts(&Scope::Catalogue)).unwrap(), []);
}

/// Oldest decision first, the server's own and the users' alike.
pub fn intents_come_in_the_order_of_decision<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let intent = |number: u64, seconds, by_server: bool| {
        let sample: IntentRow = sample();
        IntentRow {
            account: if by_server { None } else { sample.account },
            device: if by_server { None } else { sample.device },
            sent: if by_server { None } else { sample.sent },
            id: *samples::intent_id(samples::bucket(), number).bytes(),
            decided_at: samples::time(seconds),
            ..sample
        }
    };
    let intents = [intent(3, 1, true), intent(2, 2, false), intent(1, 3, true)];
    served.put(intents.iter().rev().cloned().map(Row::Intent));
    let list = |limit| block_on(served.store.intents(samples::bucket(), limit)).unwrap();
    assert_eq!(list(10), intents);
    assert_eq!(list(2), intents[..2]);
    assert_eq!(served.read(&Row::Intent(intents[0].clone()).key()).0, 1);
    assert_eq!(block_on(served.store.buckets_in_use()).unwrap(), [samples::bucket()]);
}
