//! The runner: answers come, batches form, timers and hand-offs go by themselves, a stop loses nothing.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod market;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use market::{BUYER, Market, address};
use souk_domain::id::OrderId;
use souk_domain::order::{Order, OrderState};
use souk_domain::rows::Key;
use souk_domain::time::{Span, Time};
use souk_engine::handle::EngineHandle;
use souk_engine::{Answer, Ask};
use souk_protocol::sync::PushState;

fn accepted(answer: &Answer) -> bool {
    let decided = |state: &PushState| match state {
        PushState::Decided { outcome } => souk_domain::outcome::Outcome::from(outcome.clone()).is_accepted(),
        _ => false,
    };
    answer.results().iter().all(|result| decided(&result.state)) && !answer.results().is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_engine() {
    let mut market = tokio::task::spawn_blocking(|| Market::open_shop(8)).await.unwrap();
    let offer = market.put_product("A-1", 10_000, 500);
    let mut asks = Vec::new();
    for round in 0..40 {
        for who in BUYER..BUYER + 8 {
            let id = market.mint(market.shop_bucket());
            let body = market.place_body(&[(offer, 1, 10_000)]);
            let now = market.now;
            let signed = market.people[who].text(id, &body, &address(), now);
            let actor = market.people[who].actor();
            asks.push((round, OrderId::from_bytes(*id.bytes()).unwrap(), actor, signed));
        }
    }
    let Market { engine, dir, now, .. } = market;
    let clock_us = Arc::new(AtomicI64::new(now.micros()));
    let clock = clock_us.clone();
    let before = engine.metrics().commits.load(Ordering::Relaxed);
    let handle =
        EngineHandle::start(engine, Arc::new(move || Time::from_micros(clock.load(Ordering::Relaxed))))
            .unwrap();
    let mut hints = handle.hints();
    let mut tasks = Vec::new();
    let mut ids = Vec::new();
    for (_, id, actor, signed) in asks {
        let handle = handle.clone();
        ids.push(id);
        tasks.push(tokio::spawn(async move { handle.decide(Ask::direct(actor, signed)).await }));
    }
    for task in tasks {
        assert!(accepted(&task.await.unwrap()));
    }
    let commits = handle.reader().metrics().commits.load(Ordering::Relaxed) - before;
    assert!(commits < 320, "what queued while a commit ran shares the next one: {commits}");
    assert!(hints.recv().await.is_ok());
    let state = |id: OrderId| {
        let reader = handle.reader().clone();
        async move { reader.row::<Order>(Key::order(id)).await.unwrap().unwrap().state }
    };
    assert_eq!(state(ids[0]).await, OrderState::Created);

    // Time goes on: the writer fires the timers by itself.
    clock_us.fetch_add(Span::from_hours(1).micros(), Ordering::Relaxed);
    loop {
        let last = hints.recv().await;
        if state(ids[319]).await == OrderState::Cancelled {
            break;
        }
        assert!(last.is_ok() || matches!(last, Err(tokio::sync::broadcast::error::RecvError::Lagged(_))));
    }
    assert!(handle.rail_due(10).await.is_empty());
    assert!(handle.is_alive());
    handle.stop().await.unwrap();
    assert!(!handle.is_alive());
    assert!(matches!(handle.decide_all(Vec::new()).await.as_slice(), []));
    assert!(handle.stop().await.is_err());
    drop(dir);
}
