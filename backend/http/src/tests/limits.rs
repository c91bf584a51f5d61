//! Sizes and rates, at n and at n + 1 (spec/sync.md 5, 12.4).

use std::collections::BTreeMap;

use axum::body::Body as HttpBody;
use serde_json::{Value, json};
use souk_domain::time::Span;
use souk_protocol::limits::{PUSH_BYTES_HARD_MAX, PUSH_BYTES_MAX, PUSH_ITEMS_MAX, TOKEN_PER_HOUR_MAX};

use super::bed::{Bed, Person, request};
use super::rights::with_body;
use crate::Settings;
use crate::gate::{HEADER_BYTES_MAX, PACK_ABOVE_BYTES, URI_BYTES_MAX};
use crate::route::{Body, Rate, Who};
use crate::routes::ROUTES;

/// Blanks, which JSON ignores: so many that the body has so many bytes.
fn padded(body: &Value, bytes: usize) -> Vec<u8> {
    let mut text = body.to_string().into_bytes();
    text.resize(bytes, b' ');
    text
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_every_route() {
    let bed = Bed::new().await;
    let person = bed.sign_up("a@example.com").await;
    for (route, limit) in with_body() {
        let path =
            route.path.replace("{id}", "x").replace("{kind}", "PlaceOrder").replace("{rail}", "sandbox");
        for (bytes, is_large) in [(limit, false), (limit + 1, true)] {
            let ask = request(route.method.name(), &path, person.token());
            let reply = bed.ask(ask.body(HttpBody::from(vec![b' '; bytes])).unwrap()).await;
            assert_eq!(reply.status == 413, is_large, "{path} {bytes}: {}", reply.said());
        }
        // Told by its length alone, before a byte is read.
        let ask = request(route.method.name(), &path, person.token()).header("content-length", limit + 1);
        let is_raw = matches!(route.body, Body::Raw(_));
        let reply = bed.ask(ask.body(HttpBody::empty()).unwrap()).await;
        assert_eq!(reply.status == 413, !is_raw, "{path}: {}", reply.said());
        if is_raw {
            continue;
        }
        let bomb = packed(&vec![b' '; 16 << 20]);
        let ask = request(route.method.name(), &path, person.token()).header("content-encoding", "zstd");
        assert_eq!(
            bed.ask(ask.body(HttpBody::from(bomb)).unwrap()).await.said(),
            "413 request.too_large",
            "{path}"
        );
        for (header, value) in [("content-encoding", "gzip"), ("content-type", "text/plain")] {
            let ask = request(route.method.name(), &path, person.token()).header(header, value);
            let reply = bed.ask(ask.body(HttpBody::from("{}")).unwrap()).await;
            assert_eq!(reply.said(), "415 request.encoding", "{path} {header}");
        }
        let deep = "[".repeat(10_000);
        let ask = request(route.method.name(), &path, person.token());
        let reply = bed.ask(ask.body(HttpBody::from(deep)).unwrap()).await;
        assert!(matches!(reply.status, 400 | 404), "{path}: {}", reply.said());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_of_one_and_of_many() {
    let bed = Bed::new().await;
    let person = bed.sign_up("a@example.com").await;
    let said = async |items: usize, bytes: usize| {
        let push = person.push(vec![json!(1); items]);
        let ask = request("POST", "/v1/sync/push", person.token());
        bed.ask(ask.body(HttpBody::from(padded(&push, bytes))).unwrap()).await.said()
    };
    assert_eq!(said(1, PUSH_BYTES_HARD_MAX).await, "200");
    assert_eq!(said(2, PUSH_BYTES_MAX).await, "200");
    assert_eq!(said(2, PUSH_BYTES_MAX + 1).await, "413 request.too_large");
    assert_eq!(said(PUSH_ITEMS_MAX, 10_000).await, "200");
    assert_eq!(said(PUSH_ITEMS_MAX + 1, 10_000).await, "413 request.too_large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_answers() {
    let bed = Bed::new().await;
    let path = |bytes: usize| {
        let path = "/healthz?".to_owned();
        let rest = bytes - path.len();
        path + &"a".repeat(rest)
    };
    assert_eq!(bed.get(&path(URI_BYTES_MAX), None).await.said(), "200");
    assert_eq!(bed.get(&path(URI_BYTES_MAX + 1), None).await.said(), "413 request.too_large");
    let with_header = async |bytes: usize| {
        let ask = request("GET", "/healthz", None).header("x-a", "a".repeat(bytes - "x-a".len()));
        bed.ask(ask.body(HttpBody::empty()).unwrap()).await.said()
    };
    assert_eq!(with_header(HEADER_BYTES_MAX).await, "200");
    assert_eq!(with_header(HEADER_BYTES_MAX + 1).await, "413 request.too_large");
    // Large answers are packed for whoever reads that, small ones are not.
    let ask = request("GET", "/openapi.json", None).header("accept-encoding", "zstd");
    let response = bed.raw(ask.body(HttpBody::empty()).unwrap()).await;
    assert_eq!(response.headers()["content-encoding"], "zstd");
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert_eq!(zstd::stream::decode_all(bytes.as_ref()).unwrap(), crate::openapi::text().into_bytes());
    let ask = request("GET", "/healthz", None).header("accept-encoding", "zstd");
    let small = bed.ask(ask.body(HttpBody::empty()).unwrap()).await;
    assert!(small.bytes.len() < usize::from(PACK_ABOVE_BYTES) && small.header("content-encoding").is_empty());
    // A packed push is read like a plain one.
    let person = bed.sign_up("a@example.com").await;
    let push = packed(person.push(Vec::new()).to_string().as_bytes());
    let ask = request("POST", "/v1/sync/push", person.token()).header("content-encoding", "zstd");
    assert_eq!(bed.ask(ask.body(HttpBody::from(push)).unwrap()).await.said(), "200");
}

async fn strict() -> Bed {
    Bed::with(BTreeMap::new(), Settings { open_courier_signup: true, ..Settings::default() }).await
}

fn rate_of(path: &str) -> Rate {
    ROUTES.iter().find(|route| route.path == path).unwrap().rate
}

async fn push_said(bed: &Bed, person: &Person) -> (String, String) {
    let reply = bed.post("/v1/sync/push", person.token(), &person.push(Vec::new())).await;
    (reply.said(), reply.header("retry-after"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_counted_before_the_store_is_read() {
    let bed = strict().await;
    let (person, other) = (bed.sign_up("a@example.com").await, bed.sign_up("b@example.com").await);
    let most = rate_of("/v1/sync/push").most;
    for _ in 0..most {
        assert_eq!(push_said(&bed, &person).await.0, "200");
    }
    assert_eq!(push_said(&bed, &person).await, ("429 server.slow".to_owned(), "1".to_owned()));
    assert_eq!(push_said(&bed, &other).await.0, "200", "nobody else is slowed down");
    assert_eq!(bed.get("/v1/devices", person.token()).await.said(), "200", "nor another route");
    // A token that has just ended is counted like a good one: the count comes first.
    bed.wait(Span::from_minutes(16));
    for _ in 0..most {
        assert_eq!(push_said(&bed, &person).await.0, "401 token.expired");
    }
    assert_eq!(push_said(&bed, &person).await.0, "429 server.slow");
}

/// Every route lets so many requests of one device (of one address) through, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_of_every_route() {
    let bed = strict().await;
    for (n, route) in ROUTES.iter().enumerate() {
        let path = route.path.replace("{id}", "x").replace("{kind}", "x").replace("{rail}", "x");
        if matches!(route.who, Who::Local(_)) {
            continue;
        }
        // Each route from an address of its own, so that nothing else counts.
        let peer = crate::Peer(format!("203.0.113.{n}:1").parse().unwrap());
        let person = if route.who.is_signed_in() {
            Some(bed.sign_up(&format!("rate{n}@example.com")).await)
        } else {
            None
        };
        let token = person.as_ref().and_then(Person::token);
        for at in 0..=route.rate.most {
            let mut ask = request(route.method.name(), &path, token).body(HttpBody::empty()).unwrap();
            ask.extensions_mut().insert(peer);
            let reply = bed.raw(ask).await;
            assert_eq!(reply.status() == 429, at == route.rate.most, "{path} {at}: {}", reply.status());
        }
        bed.wait(Span::from_hours(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_of_a_device_are_counted() {
    let bed = strict().await;
    let person = bed.sign_up("a@example.com").await;
    let mut refresh = person.refresh.clone();
    for _ in 0..TOKEN_PER_HOUR_MAX {
        let reply = bed.post("/v1/auth/token", None, &json!({ "refresh": refresh })).await;
        assert_eq!(reply.said(), "200");
        refresh = reply.json["refresh"].as_str().unwrap().to_owned();
    }
    let reply = bed.post("/v1/auth/token", None, &json!({ "refresh": refresh })).await;
    assert_eq!((reply.said().as_str(), reply.header("retry-after").as_str()), ("429 server.slow", "120"));
    bed.wait(Span::from_minutes(2));
    let reply = bed.post("/v1/auth/token", None, &json!({ "refresh": refresh })).await;
    assert_eq!(reply.said(), "200", "the token was not used up by being too fast");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_are_counted() {
    let bed = strict().await;
    let from = async |path: &str, peer: &str, body: &Value| {
        let mut ask = request("POST", path, None).body(HttpBody::from(body.to_string())).unwrap();
        ask.extensions_mut().insert(crate::Peer(format!("{peer}:1").parse().unwrap()));
        bed.ask(ask).await
    };
    let (path, body) = ("/v1/devices/challenge", json!({}));
    for _ in 0..rate_of(path).most {
        assert_eq!(from(path, "203.0.113.1", &body).await.said(), "400 request.form");
    }
    let slow = from(path, "203.0.113.1", &body).await;
    assert_eq!((slow.said().as_str(), slow.header("retry-after").as_str()), ("429 server.slow", "360"));
    assert_eq!(from(path, "203.0.113.2", &body).await.said(), "400 request.form");
    // Codes are counted for the block around an address, too.
    for n in 0..20 {
        let body = json!({ "contact": format!("c{n}@example.com") });
        assert_eq!(from("/v1/auth/code", &format!("198.51.100.{n}"), &body).await.said(), "204");
    }
    let body = json!({ "contact": "c@example.com" });
    assert_eq!(from("/v1/auth/code", "198.51.100.99", &body).await.said(), "429 server.slow");
    assert_eq!(from("/v1/auth/code", "198.51.101.99", &body).await.said(), "204");
    // Tokens that nobody knows.
    let guess = async |n: u8| {
        let bucket = souk_domain::id::Bucket::new(1).unwrap();
        let token = souk_protocol::auth::token_text(bucket, &[n; 32]);
        bed.get("/v1/devices", Some(&token)).await.said()
    };
    for n in 0..60 {
        assert_eq!(guess(n).await, "401 token.unknown");
    }
    assert_eq!(guess(60).await, "429 server.slow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_proxy_tells_the_address() {
    let settings = Settings { behind_proxy: true, ..Settings::default() };
    let bed = Bed::with(BTreeMap::new(), settings).await;
    let from = async |forwarded: &str| {
        let ask = request("POST", "/v1/devices/challenge", None).header("x-forwarded-for", forwarded);
        bed.ask(ask.body(HttpBody::from("{}")).unwrap()).await.said()
    };
    for _ in 0..10 {
        // What stands in front of the last entry is the client's own word.
        assert_eq!(from("10.9.8.7, 203.0.113.1").await, "400 request.form");
    }
    assert_eq!(from("10.1.1.1, 203.0.113.1").await, "429 server.slow");
    assert_eq!(from("10.9.8.7, 203.0.113.2").await, "400 request.form");
}
