//! One key moves money once: the table of draft-ietf-httpapi-idempotency-key-header-07, and bad requests.

use serde_json::{Value, json};
use souk_domain::time::Span;
use souk_rails::rail::{FetchBy, OpKind, PayMethod, Rail, RailError, RailState};

use crate::rig::{Rig, by, op};

fn payment(minor: i64, reference: &str) -> Value {
    json!({"amount": {"minor": minor, "currency": "EUR"}, "reference": reference, "description": "",
           "method": "mandate"})
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or("-")
}

#[tokio::test]
async fn one_key_one_movement() {
    let rig = Rig::start().await;
    let with_key = [("idempotency-key", "k1")];
    let (_, first) = rig.post("/v1/payments", &with_key, &payment(500, "a").to_string()).await;
    let refund = |minor: i64| json!({"payment": first["id"], "amount": {"minor": minor, "currency": "EUR"}});
    let spaced = serde_json::to_string_pretty(&payment(500, "a")).unwrap();
    let cancel = format!("/v1/payments/{}/cancel", first["id"].as_str().unwrap());
    for (path, key, body, status, expected) in [
        ("/v1/payments", None, payment(500, "a").to_string(), 400, "idempotency.missing"),
        ("/v1/payments", Some(""), payment(500, "a").to_string(), 400, "idempotency.key_form"),
        ("/v1/payments", Some("k1"), payment(500, "a").to_string(), 201, "-"),
        ("/v1/payments", Some("k1"), spaced, 201, "-"),
        ("/v1/payments", Some("k1"), payment(501, "a").to_string(), 422, "idempotency.key_reused"),
        ("/v1/payments", Some("k1"), payment(500, "b").to_string(), 422, "idempotency.key_reused"),
        ("/v1/refunds", Some("k1"), refund(1).to_string(), 422, "idempotency.key_reused"),
        ("/v1/refunds", None, refund(1).to_string(), 400, "idempotency.missing"),
        ("/v1/refunds", Some("r1"), refund(200).to_string(), 201, "-"),
        ("/v1/refunds", Some("r1"), refund(200).to_string(), 201, "-"),
        ("/v1/refunds", Some("r1"), refund(300).to_string(), 422, "idempotency.key_reused"),
        ("/v1/refunds", Some("r2"), refund(301).to_string(), 422, "refund.over_received"),
        ("/v1/refunds", Some("r2"), refund(301).to_string(), 422, "refund.over_received"),
        (&cancel, None, String::new(), 400, "idempotency.missing"),
        (&cancel, Some("c1"), String::new(), 422, "payment.has_money"),
    ] {
        let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        let (got, answer) = rig.post(path, &headers, &body).await;
        assert_eq!((got, code(&answer)), (status, expected), "{path} {key:?} {body}");
        if path == "/v1/payments" && status == 201 {
            assert_eq!(answer, first, "the answer of the first call, not a new one");
        }
    }
    let truth = rig.truth().await;
    assert_eq!(truth["payments"].as_array().unwrap().len(), 1);
    assert_eq!(truth["refunds"].as_array().unwrap().len(), 2);
    assert_eq!(truth["books"][0]["merchant"], json!({"minor": "300", "currency": "EUR"}));
}

#[tokio::test]
async fn a_call_that_runs_is_in_progress() {
    let rig = Rig::start().await;
    let pay = op(1, OpKind::Pay, 700);
    rig.fault("payment.create", "delay_before").await;
    let first = tokio::spawn({
        let (rail, pay) = (rig.rail.clone(), pay.clone());
        async move { rail.begin(&pay, &by(PayMethod::Mandate)).await }
    });
    while rig.injected("delay_before").await == 0 {
        tokio::task::yield_now().await;
    }
    let body = payment(700, "x").to_string();
    let (status, answer) = rig.post("/v1/payments", &[("idempotency-key", &pay.key())], &body).await;
    assert_eq!((status, code(&answer)), (409, "idempotency.in_progress"));
    assert_eq!(rig.rail.begin(&pay, &by(PayMethod::Mandate)).await, Err(RailError::Unknown));
    assert_eq!(rig.rail.fetch(FetchBy::PaymentOf(pay.op_id)).await, Ok(RailState::NotFound));
    rig.advance(Span::from_secs(2)).await;
    let done = first.await.unwrap().unwrap();
    assert_eq!(rig.rail.begin(&pay, &by(PayMethod::Mandate)).await, Ok(done));
}

#[tokio::test]
async fn many_callers_with_one_key() {
    let rig = Rig::start().await;
    let pay = op(1, OpKind::Pay, 700);
    let callers: Vec<_> = (0..32)
        .map(|_| {
            let (rail, pay) = (rig.rail.clone(), pay.clone());
            tokio::spawn(async move { rail.begin(&pay, &by(PayMethod::Mandate)).await })
        })
        .collect();
    let mut done = Vec::new();
    for caller in callers {
        match caller.await.unwrap() {
            Ok(action) => done.push(action.payment().rail_ref.clone()),
            Err(error) => assert_eq!(error, RailError::Unknown),
        }
    }
    done.dedup();
    assert_eq!(done.len(), 1);
    let truth = rig.truth().await;
    assert_eq!(truth["payments"].as_array().unwrap().len(), 1);
    assert_eq!(truth["payments"][0]["received"]["minor"], 700);
}

#[tokio::test]
async fn bad_requests_are_refused_by_name() {
    let rig = Rig::start().await;
    let with = |path: &str, value: Value| {
        let mut body = payment(500, "a");
        *body.pointer_mut(path).unwrap() = value;
        body.to_string()
    };
    let max = (1i64 << 53) - 1;
    for (path, body, status, expected) in [
        ("/v1/payments", String::new(), 400, "request.body"),
        ("/v1/payments", "{".to_owned(), 400, "request.body"),
        ("/v1/payments", "[]".to_owned(), 400, "request.body"),
        ("/v1/payments", "\u{0}\u{ff}".to_owned(), 400, "request.body"),
        ("/v1/payments", with("/amount/minor", json!(0)), 400, "request.amount"),
        ("/v1/payments", with("/amount/minor", json!(-1)), 400, "request.amount"),
        ("/v1/payments", with("/amount/minor", json!(1)), 201, "-"),
        ("/v1/payments", with("/amount/minor", json!(max)), 201, "-"),
        ("/v1/payments", with("/amount/minor", json!(max + 1)), 400, "request.body"),
        ("/v1/payments", with("/amount/minor", json!(1.5)), 400, "request.body"),
        ("/v1/payments", with("/amount/minor", json!("5")), 400, "request.body"),
        ("/v1/payments", with("/amount/currency", json!("XXZ")), 400, "request.body"),
        ("/v1/payments", with("/method", json!("card")), 400, "request.body"),
        ("/v1/payments", with("/reference", json!("")), 400, "request.reference"),
        ("/v1/payments", with("/reference", json!("é".repeat(64))), 201, "-"),
        ("/v1/payments", with("/reference", json!("é".repeat(65))), 400, "request.reference"),
        ("/v1/payments", with("/description", json!("d".repeat(500))), 201, "-"),
        ("/v1/payments", with("/description", json!("d".repeat(501))), 400, "request.description"),
        ("/v1/payments/none/cancel", "{}".to_owned(), 404, "payment.unknown"),
        ("/payer/payments/none/pay", String::new(), 404, "payment.unknown"),
        (
            "/v1/refunds",
            r#"{"payment":"../x","amount":{"minor":1,"currency":"EUR"}}"#.to_owned(),
            400,
            "request.body",
        ),
        (
            "/v1/refunds",
            r#"{"payment":"none","amount":{"minor":1,"currency":"EUR"}}"#.to_owned(),
            404,
            "payment.unknown",
        ),
        (
            "/v1/refunds",
            r#"{"payment":"none","amount":{"minor":0,"currency":"EUR"}}"#.to_owned(),
            400,
            "request.amount",
        ),
        ("/v1/nothing", String::new(), 404, "route.unknown"),
        ("/healthz", String::new(), 405, "route.method"),
        ("/_control/faults", r#"{"ppm":{"decline":1000001}}"#.to_owned(), 422, "control.ppm"),
        ("/_control/faults", r#"{"ppm":{"nonsense":1}}"#.to_owned(), 400, "request.body"),
        ("/_control/next", r#"{"call":"payment.create"}"#.to_owned(), 400, "request.body"),
        ("/_control/clock", r#"{"advance_ms":-1}"#.to_owned(), 400, "request.body"),
        (
            "/_control/webhooks/endpoint",
            r#"{"url":"https://x","secret":"0123456789abcdef"}"#.to_owned(),
            422,
            "control.endpoint",
        ),
        (
            "/_control/webhooks/endpoint",
            r#"{"url":"http://x","secret":"0123456789abcde"}"#.to_owned(),
            422,
            "control.endpoint",
        ),
    ] {
        let key = format!("k-{path}-{}", body.len()).replace(['é', ' '], "");
        let key = &key[..key.len().min(200)];
        let distinct =
            format!("{key}-{:x}", body.bytes().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(b.into())));
        let (got, answer) = rig.post(path, &[("idempotency-key", &distinct)], &body).await;
        assert_eq!((got, code(&answer)), (status, expected), "{path} {body}");
    }
    rig.truth().await;
}

#[tokio::test]
async fn bodies_at_the_limit_and_one_more() {
    let rig = Rig::start().await;
    let limit = 64 * 1024;
    for (bytes, status) in [(limit, 201), (limit + 1, 413)] {
        let text = payment(500, "a").to_string();
        let body = format!("{text}{}", " ".repeat(bytes - text.len()));
        let key = bytes.to_string();
        let request = rig.http.post(rig.url("/v1/payments")).header("idempotency-key", key).body(body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{bytes}");
    }
}
