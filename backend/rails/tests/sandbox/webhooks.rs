//! Webhooks: what they say, and late, double, reordered, lost, badly signed, old, refused and across a restart.

use serde_json::json;
use souk_domain::time::Span;
use souk_rails::rail::{FetchBy, OpKind, PayMethod, Rail, RailState};
use souk_rails::sandbox::server::BACKOFF;

use crate::rig::{OLD_SECRET, Rig, SECRET, Seen, by, op};

async fn pay(rig: &Rig, number: u64) {
    rig.rail.begin(&op(number, OpKind::Pay, 1000), &by(PayMethod::Mandate)).await.unwrap();
}

/// Whatever is due is delivered when this returns.
async fn settle(rig: &Rig) {
    rig.advance(Span::from_millis(0)).await;
}

fn verdicts(seen: &[Seen]) -> Vec<&'static str> {
    seen.iter().map(|seen| seen.verdict.as_ref().map_or_else(|code| *code, |_| "ok")).collect()
}

#[tokio::test]
async fn an_event_says_what_fetch_says() {
    let mut rig = Rig::start().await;
    pay(&rig, 1).await;
    let fetched = rig.rail.fetch(FetchBy::PaymentOf(op(1, OpKind::Pay, 1).op_id)).await.unwrap();
    let RailState::Payment(payment) = &fetched else { panic!("{fetched:?}") };
    let seen = rig.receiver.next().await;
    assert_eq!(seen.body["type"], "payment.received");
    let events = seen.verdict.as_ref().unwrap();
    assert_eq!((events.len(), &events[0].event_id, &events[0].state), (1, &seen.event_id(), &fetched));
    assert_eq!(events[0].state.op_id(), Some(op(1, OpKind::Pay, 1).op_id));

    let refund = rig.rail.refund(&op(2, OpKind::Refund, 400), &payment.rail_ref).await.unwrap();
    assert!(rig.rail.refund(&op(3, OpKind::Refund, 601), &payment.rail_ref).await.is_err());
    let open = rig.rail.begin(&op(4, OpKind::Pay, 5), &by(PayMethod::Payer)).await.unwrap();
    let cancelled = rig.rail.cancel(&op(5, OpKind::Cancel, 5), &open.payment().rail_ref).await.unwrap();
    rig.fault("payment.create", "decline").await;
    assert!(rig.rail.begin(&op(6, OpKind::Pay, 5), &by(PayMethod::Mandate)).await.is_err());
    let mut told = Vec::new();
    for kind in ["refund.succeeded", "refund.refused", "payment.cancelled", "payment.refused"] {
        let seen = rig.receiver.next().await;
        assert_eq!(seen.body["type"], kind);
        told.push(seen.verdict.unwrap().remove(0).state);
    }
    assert_eq!((&told[0], &told[2]), (&RailState::Refund(refund), &RailState::Payment(cancelled)));
}

#[tokio::test]
async fn late() {
    let mut rig = Rig::start().await;
    rig.fault("payment.create", "webhook_delay").await;
    pay(&rig, 1).await;
    rig.advance(Span::from_millis(3_599_999)).await;
    assert!(rig.receiver.drain().is_empty());
    rig.advance(Span::from_millis(1)).await;
    assert_eq!(verdicts(&rig.receiver.drain()), ["ok"]);
    // Or sooner, by hand.
    rig.fault("payment.create", "webhook_delay").await;
    pay(&rig, 2).await;
    settle(&rig).await;
    assert!(rig.receiver.drain().is_empty());
    let released = rig.control("webhooks/release", json!({})).await;
    assert_eq!(released, json!({"released": 1, "delivered": 1, "failed": 0}));
    assert_eq!(verdicts(&rig.receiver.drain()), ["ok"]);
}

#[tokio::test]
async fn double() {
    let mut rig = Rig::start().await;
    rig.fault("payment.create", "webhook_duplicate").await;
    pay(&rig, 1).await;
    settle(&rig).await;
    let seen = rig.receiver.drain();
    assert_eq!(verdicts(&seen), ["ok", "ok"]);
    assert_eq!(seen[0].event_id(), seen[1].event_id());
    rig.advance(Span::from_hours(24)).await;
    assert!(rig.receiver.drain().is_empty());
}

#[tokio::test]
async fn reordered() {
    let mut rig = Rig::start().await;
    rig.fault("payment.create", "webhook_reorder").await;
    pay(&rig, 1).await;
    settle(&rig).await;
    assert!(rig.receiver.drain().is_empty());
    pay(&rig, 2).await;
    settle(&rig).await;
    let keys: Vec<_> =
        rig.receiver.drain().iter().map(|seen| seen.body["data"]["payment"]["key"].clone()).collect();
    assert_eq!(keys, [op(2, OpKind::Pay, 1).key(), op(1, OpKind::Pay, 1).key()]);
    // With nothing to come after, it comes a minute late.
    rig.fault("payment.create", "webhook_reorder").await;
    pay(&rig, 3).await;
    rig.advance(Span::from_secs(60)).await;
    assert_eq!(verdicts(&rig.receiver.drain()), ["ok"]);
}

#[tokio::test]
async fn lost() {
    let mut rig = Rig::start().await;
    rig.fault("payment.create", "webhook_lost").await;
    pay(&rig, 1).await;
    rig.advance(Span::from_days(30)).await;
    rig.control("webhooks/release", json!({})).await;
    assert!(rig.receiver.drain().is_empty());
    let list = rig.get("/_control/webhooks").await;
    assert_eq!(
        (&list["webhooks"][0]["state"], &list["webhooks"][0]["fault"]),
        (&json!("lost"), &json!("webhook_lost"))
    );
    assert_eq!(rig.truth().await["webhooks"], json!({"queued": 0, "delivered": 0, "lost": 1}));
    // By name it can still be brought out.
    let id = list["webhooks"][0]["id"].clone();
    rig.control("webhooks/release", json!({"ids": [id]})).await;
    assert_eq!(verdicts(&rig.receiver.drain()), ["ok"]);
}

#[tokio::test]
async fn badly_signed_and_old() {
    for (fault, verdict) in
        [("webhook_bad_signature", "webhook.signature"), ("webhook_old", "webhook.too_old")]
    {
        let mut rig = Rig::start().await;
        rig.fault("payment.create", fault).await;
        pay(&rig, 1).await;
        settle(&rig).await;
        assert_eq!(verdicts(&rig.receiver.drain()), [verdict]);
        rig.advance(BACKOFF[0]).await;
        assert_eq!(verdicts(&rig.receiver.drain()), ["ok"], "{fault}");
        assert_eq!(rig.injected(fault).await, 1);
    }
}

#[tokio::test]
async fn refused_events_come_again_at_growing_distances() {
    let mut rig = Rig::start().await;
    rig.receiver.answers.lock().unwrap().extend([500, 404, 301, 401, 503, 500, 500, 500, 500]);
    pay(&rig, 1).await;
    settle(&rig).await;
    assert_eq!(rig.receiver.drain().len(), 1);
    for wait in BACKOFF.into_iter().chain([BACKOFF[6], BACKOFF[6]]) {
        rig.advance(Span::from_millis(wait.millis() - 1)).await;
        assert!(rig.receiver.drain().is_empty(), "{wait:?}");
        rig.advance(Span::from_millis(1)).await;
        assert_eq!(verdicts(&rig.receiver.drain()), ["ok"], "{wait:?}");
    }
    // The tenth try was answered 200: that was the last.
    rig.advance(Span::from_days(2)).await;
    assert!(rig.receiver.drain().is_empty());
}

#[tokio::test]
async fn a_new_secret_while_the_old_one_lives() {
    let mut rig = Rig::start().await;
    let url = rig.receiver.url();
    for (number, secret, verdict) in
        [(1, OLD_SECRET, "ok"), (2, SECRET, "ok"), (3, "a secret that is retired", "webhook.signature")]
    {
        rig.control("webhooks/endpoint", json!({"url": url, "secret": secret})).await;
        pay(&rig, number).await;
        assert_eq!(verdicts(&[rig.receiver.next().await]), [verdict], "{secret}");
        settle(&rig).await;
    }
}

#[tokio::test]
async fn the_queue_outlives_a_restart() {
    let mut rig = Rig::start().await;
    rig.receiver.answers.lock().unwrap().push_back(500);
    pay(&rig, 1).await;
    let first = rig.receiver.next().await;
    settle(&rig).await;
    let mut rig = rig.restart().await;
    // The clock and the endpoint are kept too.
    rig.advance(BACKOFF[0]).await;
    let second = rig.receiver.next().await;
    assert_eq!((second.event_id(), verdicts(&[second])[0]), (first.event_id(), "ok"));
    assert_eq!(rig.truth().await["webhooks"]["delivered"], 1);
}

#[tokio::test]
async fn bodies_that_are_not_ours() {
    use axum::http::{HeaderMap, HeaderValue};
    use souk_domain::time::Time;
    use souk_rails::webhook::signature;
    let rig = Rig::start().await;
    let now = Time::from_secs(1_767_225_600);
    for (body, expected) in [
        ("", "webhook.body"),
        ("{}", "webhook.body"),
        (r#"{"id":"e","type":"payment.received","created_at":1,"data":{}}"#, "webhook.body"),
        (r#"{"id":"e","type":"payment.received","created_at":1,"data":{"payment":{}}}"#, "webhook.body"),
        (r#"{"id":"e","type":"something.new","created_at":1,"data":{"anything":[1]}}"#, "ok"),
    ] {
        let mut headers = HeaderMap::new();
        let header = signature(SECRET, body.as_bytes(), now);
        headers.insert("Souk-Sandbox-Signature", HeaderValue::from_str(&header).unwrap());
        let verdict = rig.rail.verify(&headers, body.as_bytes(), now);
        assert_eq!(
            verdict.map_or_else(|error| error.code(), |events| ["ok", "event"][events.len()]),
            expected,
            "{body}"
        );
    }
}
