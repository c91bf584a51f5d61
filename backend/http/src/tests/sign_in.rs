//! Registration, devices, tokens (spec/sync.md 5, 12.1, 12.4 `token_theft`; spec/market.md 2.2).

use serde_json::{Value, json};
use souk_crypto::sign::Ed25519Key;
use souk_domain::time::Span;
use souk_protocol::limits::{DEVICES_BUYER_MAX, DEVICES_COURIER_MAX};

use super::bed::{Bed, Person};
use crate::Settings;

async fn renew(bed: &Bed, refresh: &str) -> (String, Value) {
    let reply = bed.post("/v1/auth/token", None, &json!({ "refresh": refresh })).await;
    (reply.said(), reply.json)
}

async fn is_in(bed: &Bed, access: &str) -> String {
    bed.get("/v1/devices", Some(access)).await.said()
}

fn text(json: &Value, name: &str) -> String {
    json[name].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_costs_nothing_and_a_thief_is_found() {
    let bed = Bed::new().await;
    let person = bed.sign_up("a@example.com").await;
    let (said, _lost) = renew(&bed, &person.refresh).await;
    assert_eq!(said, "200");
    // The answer was lost: the former token is good until its successor is used.
    let (said, second) = renew(&bed, &person.refresh).await;
    assert_eq!(said, "200");
    assert_eq!(is_in(&bed, &text(&second, "access")).await, "200");
    assert_eq!(is_in(&bed, &person.access).await, "200", "the former access token lasts its time");
    let (said, third) = renew(&bed, &text(&second, "refresh")).await;
    assert_eq!(said, "200");
    // Somebody uses the spent one: the device is cut off, whoever it was.
    assert_eq!(renew(&bed, &person.refresh).await.0, "401 token.reused");
    assert_eq!(is_in(&bed, &text(&third, "access")).await, "403 device.revoked");
    assert_eq!(renew(&bed, &text(&third, "refresh")).await.0, "403 device.revoked");
    for token in ["", "x", "AA.AA", person.access.as_str()] {
        assert_eq!(renew(&bed, token).await.0, "401 token.unknown", "{token}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_end() {
    let bed = Bed::new().await;
    let person = bed.sign_up("a@example.com").await;
    bed.wait(Span::from_minutes(15));
    assert_eq!(is_in(&bed, &person.access).await, "200");
    bed.wait(Span::from_micros(1));
    assert_eq!(is_in(&bed, &person.access).await, "401 token.expired");
    let (said, new) = renew(&bed, &person.refresh).await;
    assert_eq!(said, "200");
    assert_eq!(is_in(&bed, &text(&new, "access")).await, "200");
    bed.wait(Span::from_days(90).minus_one_ms());
    let (said, last) = renew(&bed, &text(&new, "refresh")).await;
    assert_eq!(said, "200");
    bed.wait(Span::from_days(91));
    assert_eq!(renew(&bed, &text(&last, "refresh")).await.0, "401 token.expired");
}

trait MinusOneMs {
    fn minus_one_ms(self) -> Self;
}

impl MinusOneMs for Span {
    fn minus_one_ms(self) -> Span {
        Span::from_micros(self.micros() - 1_000)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_that_are_refused() {
    let bed = Bed::new().await;
    let key = Ed25519Key::from_seed([1; 32]);
    let good = bed.registration("a@example.com", &key).await;
    bed.wait(Span::from_secs(1));
    let other = bed.registration("b@example.com", &key).await;
    let said = async |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        bed.post("/v1/devices", None, &body).await.said()
    };
    assert_eq!(said("code", json!("12")).await, "401 auth.code");
    assert_eq!(said("contact", json!("nobody")).await, "422 auth.contact");
    assert_eq!(said("challenge", other["challenge"].clone()).await, "401 auth.signature");
    assert_eq!(said("challenge", json!("00".repeat(32))).await, "401 auth.signature");
    assert_eq!(said("sig", other["sig"].clone()).await, "401 auth.signature");
    assert_eq!(said("name", json!("x".repeat(81))).await, "413 request.too_large");
    let missing = bed.post("/v1/devices", None, &json!({ "contact": "a@example.com" })).await;
    assert_eq!(
        (missing.said().as_str(), &missing.json["error"]["field"]),
        ("400 request.form", &json!("code"))
    );
    // Five wrong tries, and the right one does not help any more.
    let wrong = if good["code"] == json!("000000") { "000001" } else { "000000" };
    for _ in 0..5 {
        assert_eq!(said("code", json!(wrong)).await, "401 auth.code");
    }
    assert_eq!(bed.post("/v1/devices", None, &good).await.said(), "401 auth.code");
    // A challenge lasts two minutes.
    let late = bed.registration("c@example.com", &key).await;
    bed.wait(Span::from_secs(121));
    assert_eq!(bed.post("/v1/devices", None, &late).await.said(), "401 auth.challenge");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_registration_is_the_same_device() {
    let bed = Bed::new().await;
    let key = Ed25519Key::from_seed([1; 32]);
    let body = bed.registration("a@example.com", &key).await;
    let first = bed.post("/v1/devices", None, &body).await;
    let again = bed.post("/v1/devices", None, &body).await;
    assert_eq!((first.said().as_str(), again.said().as_str()), ("201", "201"));
    for name in ["account", "device", "epoch"] {
        assert_eq!(first.json[name], again.json[name], "{name}");
    }
    assert_eq!(is_in(&bed, &text(&first.json, "access")).await, "200");
    assert_eq!(is_in(&bed, &text(&again.json, "access")).await, "200");
    // The same contact from another device: the same account.
    bed.wait(Span::from_secs(1));
    let second = bed.post("/v1/devices", None, &bed.registration("A@example.com ", &key).await).await;
    assert_eq!(second.json["account"], first.json["account"]);
    assert_ne!(second.json["device"], first.json["device"]);
    bed.wait(Span::from_secs(1));
    let mut replacing = bed.registration("a@example.com", &key).await;
    replacing["replaces"] = first.json["device"].clone();
    assert_eq!(bed.post("/v1/devices", None, &replacing).await.said(), "201");
    assert_eq!(is_in(&bed, &text(&first.json, "access")).await, "403 device.revoked", "its place was taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_of_an_account_are_bounded() {
    for (as_courier, limit) in [(false, DEVICES_BUYER_MAX), (true, DEVICES_COURIER_MAX)] {
        let bed = Bed::new().await;
        let mut devices: Vec<Person> = Vec::new();
        let key = Ed25519Key::from_seed([1; 32]);
        let register = async || {
            bed.wait(Span::from_hours(1));
            let mut body = bed.registration("a@example.com", &key).await;
            body["as_courier"] = json!(as_courier);
            bed.post("/v1/devices", None, &body).await
        };
        for _ in 0..limit {
            let reply = register().await;
            assert_eq!(reply.said(), "201");
            devices.push(Person::of(&reply.json, Ed25519Key::from_seed([1; 32])));
        }
        let refused = register().await;
        assert_eq!(
            (refused.said().as_str(), &refused.json["error"]["limit"]),
            ("409 device.too_many", &json!(limit))
        );
        let last = devices.last().unwrap();
        let (said, new) = renew(&bed, &last.refresh).await;
        assert_eq!(said, "200");
        let path = format!("/v1/devices/{}", devices[0].device);
        let access = text(&new, "access");
        assert_eq!(bed.send("DELETE", &path, Some(&access), &Value::Null).await.said(), "204");
        assert_eq!(register().await.said(), "201", "a place is free again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sandbox_alone_does() {
    let bed = Bed::with(Default::default(), Settings::default()).await;
    let key = Ed25519Key::from_seed([1; 32]);
    let mut body = bed.registration("a@example.com", &key).await;
    body["as_courier"] = json!(true);
    assert_eq!(bed.post("/v1/devices", None, &body).await.said(), "409 policy.off");
    let live = Bed::without_mailbox().await;
    let reply = live.get("/_sandbox/codes?contact=a@example.com", None).await;
    assert_eq!(reply.said(), "404 route.unknown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_rise() {
    let bed = Bed::new().await;
    let person = bed.sign_up("a@example.com").await;
    let raise = async |have: u32| {
        let reply = bed.post("/v1/devices/me/epoch", person.token(), &json!({ "have": have })).await;
        (reply.said(), reply.json["epoch"].clone())
    };
    assert_eq!(raise(1).await, ("200".to_owned(), json!(2)));
    assert_eq!(raise(7).await, ("200".to_owned(), json!(8)));
    assert_eq!(raise(1).await, ("200".to_owned(), json!(9)));
    assert_eq!(raise(u32::MAX).await.0, "409 device.epoch");
}
