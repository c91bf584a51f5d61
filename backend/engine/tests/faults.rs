//! A store that fails: nothing is lost, nothing is done twice, one bad row stops nobody else.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod market;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::executor::block_on;
use market::faulty::Faults;
use market::{BUYER, Market, address};
use souk_domain::id::{IntentId, OfferId, OrderId};
use souk_domain::order::Order;
use souk_domain::outcome::Outcome;
use souk_domain::rows::Key;
use souk_domain::stock::Stock;
use souk_engine::batch::BATCH_INTENTS_MAX;
use souk_engine::handle::{EngineHandle, QUEUE_MAX};
use souk_engine::{Answer, Ask};
use souk_protocol::sync::{PushItem, PushState};

fn market() -> (Market, Arc<Faults>, OfferId) {
    let (mut market, faults) = Market::faulty(4);
    market.make_shop();
    let offer = market.put_product("A-1", 10_000, 5);
    market.relay();
    (market, faults, offer)
}

/// A signed order and its place in the stream.
fn item(market: &mut Market, who: usize, offer: OfferId) -> (IntentId, PushItem) {
    let id = market.mint(market.shop_bucket());
    let body = market.place_body(&[(offer, 1, 10_000)]);
    let now = market.now;
    let signed = market.people[who].text(id, &body, &address(), now);
    let lane = body.lane();
    (id, market.people[who].item(lane, id.bucket(), signed))
}

fn available(market: &Market, offer: OfferId) -> u32 {
    market.one::<Stock>(Key::stock(offer)).available()
}

fn is_placed(market: &Market, id: IntentId) -> bool {
    let key = Key::order(OrderId::from_bytes(*id.bytes()).unwrap());
    block_on(market.reader.row::<Order>(key)).unwrap().is_some()
}

fn is_accepted(state: &PushState) -> bool {
    matches!(state, PushState::Decided { outcome } if Outcome::from(outcome.clone()).is_accepted())
}

#[test]
fn a_commit_that_failed_and_one_whose_answer_was_lost() {
    for is_durable in [false, true] {
        let (mut market, faults, offer) = market();
        let (id, item) = item(&mut market, BUYER, offer);
        let fault = if is_durable { &faults.io_after } else { &faults.io_before };
        fault.store(1, Ordering::Relaxed);
        assert!(matches!(market.push(BUYER, vec![item.clone()]), Answer::Later { .. }));
        // Whoever asks again gets the one outcome, and the stock is taken once.
        let results = market.push_results(BUYER, vec![item.clone()]);
        assert!(is_accepted(&results[0].state), "{results:?}");
        assert_eq!(market.push_results(BUYER, vec![item]), results);
        assert!(is_placed(&market, id));
        assert_eq!(available(&market, offer), 4, "durable: {is_durable}");
        market.check();
    }
}

#[test]
fn while_the_medium_is_in_doubt_nothing_is_taken_in() {
    let (mut market, faults, offer) = market();
    let (_, item) = item(&mut market, BUYER, offer);
    faults.io_before.store(1, Ordering::Relaxed);
    faults.is_stuck.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert!(matches!(market.push(BUYER, vec![item.clone()]), Answer::Later { .. }));
    }
    assert_eq!(available(&market, offer), 5);
    faults.is_stuck.store(false, Ordering::Relaxed);
    let results = market.push_results(BUYER, vec![item]);
    assert!(is_accepted(&results[0].state));
}

#[test]
fn a_full_disk_and_lost_races_pass() {
    let (mut market, faults, offer) = market();
    let (_, first) = item(&mut market, BUYER, offer);
    faults.full.store(1, Ordering::Relaxed);
    assert!(matches!(market.push(BUYER, vec![first.clone()]), Answer::Later { .. }));
    faults.race.store(3, Ordering::Relaxed);
    let results = market.push_results(BUYER, vec![first]);
    assert!(is_accepted(&results[0].state), "decided again until it fits");
    assert_eq!(market.engine.metrics().races.load(Ordering::Relaxed), 3);
    assert_eq!(available(&market, offer), 4);
}

#[test]
fn one_bad_row_stops_nobody_else() {
    let (mut market, faults, offer) = market();
    let items: Vec<_> = (0..3).map(|_| item(&mut market, BUYER, offer)).collect();
    let (other, of_other) = item(&mut market, BUYER + 1, offer);
    *faults.offender.lock().unwrap() = Some(*items[1].0.bytes());
    let asks = vec![
        Ask::push(market.people[BUYER].actor(), 1, items.iter().map(|(_, item)| item.clone()).collect()),
        Ask::push(market.people[BUYER + 1].actor(), 1, vec![of_other]),
    ];
    let answers = block_on(market.engine.decide_batch(asks, market.now));
    let states: Vec<&PushState> = answers[0].results().iter().map(|result| &result.state).collect();
    assert!(is_accepted(states[0]));
    assert_eq!(states[1], &PushState::Refused { code: "store.tripwire".to_owned() });
    assert_eq!(states[2], &PushState::Fork { last: 1 }, "its position is free: the sender sets it aside");
    assert!(is_accepted(&answers[1].results()[0].state));
    assert!(is_placed(&market, other) && !is_placed(&market, items[1].0));
    assert_eq!(market.engine.metrics().tripwires.load(Ordering::Relaxed), 1);
    assert_eq!(available(&market, offer), 3);
    market.check();
}

#[test]
fn a_hand_off_outlives_a_failure() {
    let (mut market, faults, _) = market();
    market.put_product("B-1", 10_000, 5);
    let waiting = market.engine.in_flight();
    assert!(waiting > 0);
    faults.io_after.store(1, Ordering::Relaxed);
    assert_eq!(market.relay(), 0);
    // It had arrived, but nobody here knew: the second time is harmless.
    assert!(market.relay() <= waiting);
    assert_eq!(market.engine.in_flight(), 0);
    assert!(block_on(market.store().outbox_pending(100)).unwrap().is_empty());
    let snapshot = block_on(market.reader.snapshot(None, 100, market.now)).unwrap();
    assert_eq!(snapshot.page.n, Some(3), "two products and the shop");
}

/// The queue has a bound: what does not fit hears *later* at once, and what was taken in is answered.
#[test]
fn a_full_queue_says_later() {
    let (mut market, faults, offer) = market();
    let id = market.mint(market.people[BUYER].account.bucket());
    let line = souk_domain::intent::Body::SetCartLine { offer, quantity: 1, seen: market::krw(10_000) };
    let now = market.now;
    let signed = market.people[BUYER].text(id, &line, &[], now);
    let actor = market.people[BUYER].actor();
    let Market { engine, dir, .. } = market;
    let handle = EngineHandle::start(engine, Arc::new(move || now)).unwrap();
    let asks: Vec<Ask> = (0..2 * QUEUE_MAX).map(|_| Ask::direct(actor.clone(), signed.clone())).collect();
    let gate = faults.gate.lock().unwrap();
    let answers = block_on(async {
        let mut answers = std::pin::pin!(handle.decide_all(asks));
        // The first poll queues all of them, while the writer stands at the gate.
        assert!(futures::poll!(&mut answers).is_pending());
        drop(gate);
        answers.await
    });
    let taken = answers.iter().filter(|answer| answer.results().len() == 1).count();
    let later = answers.iter().filter(|answer| matches!(answer, Answer::Later { .. })).count();
    assert_eq!(taken + later, 2 * QUEUE_MAX);
    assert!((QUEUE_MAX..=QUEUE_MAX + BATCH_INTENTS_MAX).contains(&taken), "{taken}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(handle.stop()).unwrap();
    drop(dir);
}
