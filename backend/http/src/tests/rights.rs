//! Every route, asked by everybody, and in every spelling of its path (spec/sync.md 12.3, 12.4 `matrix`, `paths`).

use axum::body::Body as HttpBody;
use axum::http::Request;
use expect_test::expect;
use serde_json::{Value, json};
use souk_domain::id::OrderId;
use souk_domain::time::Span;
use souk_protocol::auth::token_text;

use super::bed::{Bed, Person, request};
use super::schema::route_of;
use super::trade::{Stall, address_view};
use crate::route::{Body, Method, Route, Who};
use crate::routes::ROUTES;

/// A path of a route with ids in it, and a body that it can read. A new route fails here until it has its own.
fn sample(route: &Route, bed: &Sampled) -> (String, Value) {
    let order = bed.order;
    let checkout = bed.checkout();
    let body = match (route.method, route.path) {
        (Method::Post, "/v1/auth/code") => json!({ "contact": "matrix@example.com" }),
        (Method::Post, "/v1/auth/token") => json!({ "refresh": "AA.AA" }),
        (Method::Post, "/v1/devices/challenge") => json!({ "key": bed.key(), "install": "00".repeat(16) }),
        (Method::Post, "/v1/devices") => json!({}),
        (Method::Post, "/v1/devices/me/epoch") => json!({ "have": 1 }),
        (Method::Post, "/v1/sync/push") => json!({ "v": 1, "app": "t", "epoch": 9, "gen": 1, "items": [] }),
        (Method::Post, "/v1/sync/pull") => {
            json!({ "v": 1, "schema": 1, "app": "t", "epoch": 9, "gen": 1, "scopes": [] })
        }
        (Method::Post, "/v1/intents/{kind}") => json!({ "text": "{}" }),
        (Method::Put, "/v1/checkouts/{id}") => json!({ "lines": [{ "offer": bed.stall.offer, "q": 1 }] }),
        (Method::Put, "/v1/checkouts/{id}/delivery") => json!({ "address": address_view() }),
        (Method::Post, "/v1/checkouts/{id}/place") => json!({ "orders": [{ "text": "{}" }] }),
        (Method::Post, "/v1/orders/{id}/pay-code" | "/v1/rails/{rail}/webhook")
        | (Method::Delete, "/v1/devices/{id}")
        | (
            Method::Get,
            "/v1/devices"
            | "/v1/sync/live"
            | "/v1/orders/{id}"
            | "/v1/seller/orders"
            | "/v1/seller/balance"
            | "/v1/seller/statement"
            | "/v1/courier/balance"
            | "/v1/catalogue/snapshot"
            | "/healthz"
            | "/readyz"
            | "/metrics"
            | "/openapi.json"
            | "/_sandbox/codes",
        ) => Value::Null,
        (method, path) => panic!("{} {path} has no sample", method.name()),
    };
    let mut path = route.path.to_owned();
    for (name, value) in [("{kind}", "PlaceOrder".to_owned()), ("{rail}", "sandbox".to_owned())] {
        path = path.replace(name, &value);
    }
    let id = if path.contains("orders") { order.to_string() } else { checkout };
    let id = if path.starts_with("/v1/devices") { bed.buyer.device.to_string() } else { id };
    path = path.replace("{id}", &id);
    path += match route.path {
        "/v1/sync/live" => "?scopes=cat/all",
        "/_sandbox/codes" => "?contact=a@example.com",
        _ => "",
    };
    (path, body)
}

struct Sampled {
    bed: Bed,
    stall: Stall,
    buyer: Person,
    order: OrderId,
}

impl Sampled {
    async fn new() -> Sampled {
        let bed = Bed::new().await;
        let stall = bed.stall().await;
        let mut buyer = bed.sign_up("buyer@example.com").await;
        let order = bed.place(&mut buyer, &stall, 1).await;
        Sampled { bed, stall, buyer, order }
    }

    fn key(&self) -> Value {
        use souk_crypto::sign::Signer as _;
        json!(souk_domain::party::DeviceKey::new(self.buyer.key.public_key()))
    }

    fn checkout(&self) -> String {
        let bucket = self.buyer.account.bucket();
        let bytes = souk_domain::id::form_u(1, bucket, [5; 9]);
        souk_domain::id::hex(&bytes)
    }

    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> (String, Value) {
        let mut request = request(method, path, token);
        if path.contains("/intents/") {
            request = request.header("idempotency-key", self.checkout());
        }
        let body = if body.is_null() { HttpBody::empty() } else { HttpBody::from(body.to_string()) };
        let request = request.header("content-type", "application/json").body(body).unwrap();
        if path.starts_with("/v1/sync/live") {
            // A stream has no end; its head says it all.
            let response = self.bed.raw(request).await;
            return (said_of(&response), Value::Null);
        }
        let reply = self.bed.ask(request).await;
        (reply.said(), reply.json)
    }
}

fn said_of(response: &axum::response::Response) -> String {
    response.status().as_u16().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_without_a_good_token() {
    let sampled = Sampled::new().await;
    let bed = &sampled.bed;
    let old = bed.sign_up("old@example.com").await;
    bed.wait(Span::from_minutes(16));
    let cut_off = bed.sign_up("cut@example.com").await;
    let path = format!("/v1/devices/{}", cut_off.device);
    assert_eq!(bed.send("DELETE", &path, cut_off.token(), &Value::Null).await.said(), "204");
    let stranger = token_text(old.account.bucket(), &[7; 32]);
    let (old, cut_off, refresh) = (&old.access, &cut_off.access, &cut_off.refresh);
    let reads_token = |route: &&Route| route.who.is_signed_in() || matches!(route.who, Who::Guest(_));
    for route in ROUTES.iter().filter(reads_token) {
        let (path, body) = sample(route, &sampled);
        for (token, expected) in [
            (None, "401 auth.missing"),
            (Some("xyz"), "401 token.unknown"),
            (Some(stranger.as_str()), "401 token.unknown"),
            (Some(refresh.as_str()), "401 token.unknown"),
            (Some(old.as_str()), "401 token.expired"),
            (Some(cut_off.as_str()), "403 device.revoked"),
        ] {
            if token.is_none() && !route.who.is_signed_in() {
                continue;
            }
            let reply = bed.ask(plain(route, &path, token, &body)).await;
            assert_eq!(reply.said(), expected, "{} {path} {token:?}", route.method.name());
        }
    }
}

fn plain(route: &Route, path: &str, token: Option<&str>, body: &Value) -> Request<HttpBody> {
    request(route.method.name(), path, token).body(HttpBody::from(body.to_string())).unwrap()
}

/// Route by role: what was asked for, by its owner, by somebody else, and of something that is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn matrix() {
    let sampled = Sampled::new().await;
    let bed = &sampled.bed;
    let (own, foreign) = (bed.sign_up("own@example.com").await, bed.sign_up("foreign@example.com").await);
    let shop = format!("shop={}", sampled.stall.shop);
    let mut table = String::new();
    let mut say = |route: &Route, words: &[(&str, String)]| {
        let words: Vec<String> = words.iter().map(|(who, said)| format!("{who} {said}")).collect();
        table += &format!("{} {}: {}\n", route.method.name(), route.path, words.join(", "));
    };
    for route in ROUTES {
        let (path, body) = sample(route, &sampled);
        let ask = async |token: Option<&str>, path: &str| {
            sampled.ask(route.method.name(), path, token, &body).await.0
        };
        match (&route.who, route.path) {
            (Who::Public(_) | Who::Local(_), _) => say(route, &[("anybody", ask(None, &path).await)]),
            (Who::Staff(..), _) => {
                let named = format!("{path}?{shop}");
                let absent = format!("{path}?shop={}", sampled.order);
                say(
                    route,
                    &[
                        ("owner", ask(sampled.stall.seller.token(), &path).await),
                        ("named", ask(sampled.stall.seller.token(), &named).await),
                        ("stranger", ask(foreign.token(), &named).await),
                        ("without a shop", ask(foreign.token(), &path).await),
                        ("absent", ask(foreign.token(), &absent).await),
                        ("no id", ask(foreign.token(), &format!("{path}?shop=x")).await),
                    ],
                );
            }
            (Who::Device(_), "/v1/devices/{id}") => say(
                route,
                &[
                    ("foreign", ask(foreign.token(), &path).await),
                    ("absent", ask(foreign.token(), &format!("/v1/devices/{}", "0".repeat(32))).await),
                    ("no id", ask(foreign.token(), "/v1/devices/x").await),
                    ("own", ask(own.token(), &format!("/v1/devices/{}", own.device)).await),
                ],
            ),
            (Who::Device(_), path_of) if path_of.starts_with("/v1/orders/") => {
                let absent = path.replace(&sampled.order.to_string(), &sampled.checkout());
                let no_id = path.replace(&sampled.order.to_string(), "x");
                say(
                    route,
                    &[
                        ("buyer", ask(sampled.buyer.token(), &path).await),
                        ("shop", ask(sampled.stall.seller.token(), &path).await),
                        ("stranger", ask(foreign.token(), &path).await),
                        ("absent", ask(foreign.token(), &absent).await),
                        ("no id", ask(foreign.token(), &no_id).await),
                    ],
                );
            }
            (Who::Device(_), path_of) if path_of.starts_with("/v1/checkouts/") => say(
                route,
                &[
                    ("own", ask(sampled.buyer.token(), &path).await),
                    ("foreign", ask(foreign.token(), &path).await),
                    ("no id", ask(foreign.token(), &path.replace(&sampled.checkout(), "x")).await),
                ],
            ),
            (Who::Guest(_), _) => say(
                route,
                &[("anybody", ask(None, &path).await), ("device", ask(foreign.token(), &path).await)],
            ),
            (Who::Device(_), _) => say(route, &[("device", ask(foreign.token(), &path).await)]),
        }
    }
    expect![[r#"
        POST /v1/auth/code: anybody 204
        POST /v1/auth/token: anybody 401 token.unknown
        POST /v1/devices/challenge: anybody 200
        POST /v1/devices: anybody 400 request.form
        GET /v1/devices: device 200
        DELETE /v1/devices/{id}: foreign 404 device.unknown, absent 404 device.unknown, no id 404 device.unknown, own 204
        POST /v1/devices/me/epoch: device 200
        POST /v1/sync/push: device 200
        POST /v1/sync/pull: anybody 200, device 200
        GET /v1/sync/live: device 200
        POST /v1/intents/{kind}: device 422 intent.form
        PUT /v1/checkouts/{id}: own 200, foreign 422 intent.bucket, no id 404 checkout.unknown
        PUT /v1/checkouts/{id}/delivery: own 200, foreign 422 intent.bucket, no id 404 checkout.unknown
        POST /v1/checkouts/{id}/place: own 200, foreign 404 checkout.unknown, no id 404 checkout.unknown
        GET /v1/orders/{id}: buyer 200, shop 200, stranger 404 order.unknown, absent 404 order.unknown, no id 404 order.unknown
        POST /v1/orders/{id}/pay-code: buyer 200, shop 200, stranger 404 order.unknown, absent 404 order.unknown, no id 404 order.unknown
        GET /v1/seller/orders: owner 200, named 200, stranger 404 shop.unknown, without a shop 404 shop.unknown, absent 404 shop.unknown, no id 404 shop.unknown
        GET /v1/seller/balance: owner 200, named 200, stranger 404 shop.unknown, without a shop 404 shop.unknown, absent 404 shop.unknown, no id 404 shop.unknown
        GET /v1/seller/statement: owner 200, named 200, stranger 404 shop.unknown, without a shop 404 shop.unknown, absent 404 shop.unknown, no id 404 shop.unknown
        GET /v1/courier/balance: device 200
        GET /v1/catalogue/snapshot: anybody 200
        POST /v1/rails/{rail}/webhook: anybody 404 route.unknown
        GET /healthz: anybody 200
        GET /readyz: anybody 200
        GET /metrics: anybody 200
        GET /openapi.json: anybody 200
        GET /_sandbox/codes: anybody 200
    "#]].assert_eq(&table);
}

/// A stranger and an id that nobody has get the same answer, to the last byte but its report.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_tell_that_an_order_exists() {
    let sampled = Sampled::new().await;
    let stranger = sampled.bed.sign_up("stranger@example.com").await;
    let mut answers = Vec::new();
    for id in [sampled.order.to_string(), sampled.checkout(), "x".to_owned()] {
        let (_, mut json) =
            sampled.ask("GET", &format!("/v1/orders/{id}"), stranger.token(), &Value::Null).await;
        json["error"]["report"] = Value::Null;
        answers.push(json);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_have_one_spelling() {
    let sampled = Sampled::new().await;
    for route in ROUTES {
        let (path, _) = sample(route, &sampled);
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let last = path.rfind('/').unwrap();
        let (head, tail) = path.split_at(last);
        let variants = [
            format!("/{path}"),
            format!("{path}/"),
            format!("{head}/{tail}"),
            format!("{head}/.{tail}"),
            format!("{head}/..{path}"),
            format!("{head}%2f{}", &tail[1..]),
            format!("{head}/%2e{tail}"),
            format!("{head}/%{:02x}{}", tail.as_bytes()[1], &tail[2..]),
            format!("{path};x"),
            format!("{path};x=1"),
            format!("{path}%00"),
            format!("{path}%ff"),
            path.to_uppercase(),
            path.replacen(&path[1..2], &path[1..2].to_uppercase(), 1),
        ];
        for variant in variants.iter().filter(|variant| variant.starts_with('/') && *variant != path) {
            let asked = if query.is_empty() { variant.clone() } else { format!("{variant}?{query}") };
            let found = route_of(route.method.name(), variant);
            let request = request(route.method.name(), &format!("http://souk{asked}"), sampled.buyer.token());
            let response = sampled.bed.raw(request.body(HttpBody::empty()).unwrap()).await;
            // An upper-case letter in a parameter names something that is not there; all else is no path at all.
            let status = response.status().as_u16();
            assert!(
                status == 404
                    || found.is_some_and(|found| found.path == route.path && !route.path.ends_with(tail)),
                "{} {asked}: {status}",
                route.method.name()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_and_headers_cannot_be_bent() {
    let sampled = Sampled::new().await;
    let bed = &sampled.bed;
    let token = sampled.buyer.token();
    // Another method is not there, whatever a header says.
    let reply = bed.raw(request("PATCH", "/v1/devices", token).body(HttpBody::empty()).unwrap()).await;
    assert_eq!(reply.status(), 405);
    assert_eq!(reply.headers()["allow"], "POST, GET");
    for name in ["x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"] {
        let path = format!("/v1/devices/{}", sampled.buyer.device);
        let bent = request("GET", "/v1/devices", token).header(name, "DELETE").header(name, path);
        let reply = bed.ask(bent.body(HttpBody::empty()).unwrap()).await;
        assert_eq!(reply.said(), "200", "{name}");
        assert_eq!(reply.json["devices"][0]["state"], json!("active"));
    }
    // Two of a header that decides something.
    for (name, first, second) in [
        ("authorization", "Bearer x", "Bearer y"),
        ("content-type", "application/json", "text/plain"),
        ("content-encoding", "zstd", "identity"),
        ("content-length", "1", "2"),
        ("idempotency-key", "a", "b"),
    ] {
        for route in ROUTES.iter().filter(|route| !matches!(route.who, Who::Local(_))) {
            let (path, _) = sample(route, &sampled);
            let doubled = request(route.method.name(), &path, None).header(name, first).header(name, second);
            let response = bed.raw(doubled.body(HttpBody::empty()).unwrap()).await;
            assert_eq!(response.status(), 400, "{path} {name}");
        }
    }
    // HEAD is GET without a body.
    let reply = bed.raw(request("HEAD", "/healthz", None).body(HttpBody::empty()).unwrap()).await;
    assert_eq!(reply.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_for_this_machine() {
    let bed = Bed::new().await;
    bed.get("/v1/nowhere", None).await;
    let page = bed.get("/metrics", None).await;
    assert_eq!(page.said(), "200");
    let text = String::from_utf8(page.bytes).unwrap();
    for line in [
        "souk_http_requests_total{method=\"\",route=\"\",status=\"404\"} 1",
        "souk_live_streams 0",
        "souk_engine_tripwires_total 0",
        "souk_settlement_overdue 0",
        "souk_outbox_pending 0",
        "souk_generation 1",
        "souk_ledger_transfers 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let from_afar = request("GET", "/metrics", None).header("x-forwarded-for", "203.0.113.9");
    assert_eq!(bed.ask(from_afar.body(HttpBody::empty()).unwrap()).await.said(), "404 route.unknown");
    let mut direct = request("GET", "/metrics", None).body(HttpBody::empty()).unwrap();
    direct.extensions_mut().insert(crate::Peer("203.0.113.9:1".parse().unwrap()));
    assert_eq!(bed.ask(direct).await.said(), "404 route.unknown");
}

/// Routes whose body has a limit.
pub(super) fn with_body() -> impl Iterator<Item = (&'static Route, usize)> {
    ROUTES.iter().filter_map(|route| match route.body {
        Body::Json(_, limit) | Body::Raw(limit) => Some((route, limit)),
        Body::None => None,
    })
}
