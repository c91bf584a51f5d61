//! Paying by a rail: the driver calls, the webhook tells, and the money counts once (spec/money.md 6).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as HttpBody;
use serde_json::{Value, json};
use souk_domain::id::OrderId;
use souk_rails::rail::Rail;
use souk_rails::sandbox::client::{SandboxRail, TIMEOUTS};
use souk_rails::sandbox::server::{ClockKind, Sandbox, SandboxConfig};
use souk_rails::webhook::{WebhookSecrets, signature};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::bed::{Bed, Person, request};
use super::trade::{Stall, accepted, pay_start};
use crate::{Settings, rail_driver, serve, system_clock};

const SECRET: &str = "a-secret-of-the-sandbox";
/// What a test waits for at most; nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Test clients speak plain HTTP, but cannot be made without TLS.
pub(super) fn client_tls() {
    // Another test may have done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

struct Railed {
    bed: Bed,
    sandbox: Sandbox,
    base_url: String,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    _dir: tempfile::TempDir,
}

impl Railed {
    async fn new() -> Railed {
        client_tls();
        let dir = tempfile::tempdir().unwrap();
        let config = SandboxConfig {
            data_dir: dir.path().to_owned(),
            seed: 1,
            script: Vec::new(),
            clock: ClockKind::Real,
            webhook: None,
        };
        let sandbox = Sandbox::start(config).await.unwrap();
        let secrets = WebhookSecrets::new(SECRET, None).unwrap();
        let rail: Arc<dyn Rail> = Arc::new(SandboxRail::new(&sandbox.base_url(), secrets, TIMEOUTS).unwrap());
        let rails = BTreeMap::from([("sandbox".to_owned(), rail)]);
        let bed =
            Bed::at(system_clock(), rails, Settings { rate_factor: 1000, ..Settings::default() }, true).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(bed.app.clone(), listener, async {
            let _ = stopped.await;
        }));
        Railed { bed, sandbox, base_url, stop, served, _dir: dir }
    }

    async fn control(&self, path: &str, body: Value) -> Value {
        let client = reqwest::Client::new();
        let url = format!("{}{path}", self.sandbox.base_url());
        let response = client.post(url).json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{path}");
        response.json().await.unwrap_or_default()
    }

    /// The sandbox tells the listener.
    async fn connect_webhooks(&self) {
        let url = format!("{}/v1/rails/sandbox/webhook", self.base_url);
        self.control("/_control/webhooks/endpoint", json!({ "url": url, "secret": SECRET })).await;
    }

    async fn pay(&self, buyer: &mut Person, stall: &Stall, order: OrderId) {
        let id = buyer.mint(stall.shop.bucket(), self.bed.now());
        accepted(&self.bed.act(buyer, id, &pay_start(order), &[]).await);
    }

    async fn order(&self, who: &Person, order: OrderId) -> Value {
        self.bed.get(&format!("/v1/orders/{order}"), who.token()).await.json
    }

    /// Waits until the order is paid.
    async fn is_open(&self, who: &Person, order: OrderId) -> Value {
        let wait = async {
            loop {
                let seen = self.order(who, order).await;
                if seen["order"]["state"] == json!("OPEN") {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the order is paid in time")
    }

    async fn truth(&self) -> Value {
        let url = format!("{}/_control/truth", self.sandbox.base_url());
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
        self.bed.app.engine().stop().await.unwrap();
        self.sandbox.stop().await.unwrap();
    }
}

fn check_paid_once(seen: &Value) {
    assert_eq!(seen["order"]["fund"], json!("HELD"));
    assert_eq!(seen["order"]["paid"], json!({ "minor": 15_900, "currency": "KRW" }));
    assert_eq!(seen["order"]["unapplied"]["minor"], json!(0));
    assert_eq!(seen["payment"]["state"], json!("paid"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_and_the_webhook_count_once() {
    let railed = Railed::new().await;
    let stall = railed.bed.stall().await;
    let mut buyer = railed.bed.sign_up("buyer@example.com").await;
    railed.connect_webhooks().await;
    let driver = tokio::spawn(rail_driver::run(railed.bed.app.clone()));
    // Every webhook comes twice, and the driver hears the same as answers.
    railed.control("/_control/faults", json!({ "ppm": { "webhook_duplicate": 1_000_000 } })).await;
    let order = railed.bed.place(&mut buyer, &stall, 1).await;
    railed.pay(&mut buyer, &stall, order).await;
    check_paid_once(&railed.is_open(&buyer, order).await);
    let wait = async {
        let counted = || railed.bed.app.reader().metrics().decided.load(std::sync::atomic::Ordering::Relaxed);
        while counted() == 0 || railed.webhooks_pending().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("all webhooks have come in time");
    check_paid_once(&railed.order(&buyer, order).await);
    let balance = railed.bed.get("/v1/seller/balance", stall.seller.token()).await.json;
    assert_eq!(balance["escrow"]["minor"], json!("15900"));
    let truth = railed.truth().await;
    assert_eq!(truth["payments"].as_array().unwrap().len(), 1, "{truth}");
    railed.bed.app.reader().verify_ledger().await.unwrap();
    railed.stop().await;
    driver.await.unwrap();
}

impl Railed {
    async fn webhooks_pending(&self) -> bool {
        let url = format!("{}/_control/webhooks", self.sandbox.base_url());
        let list: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        list.to_string().contains("\"queued\"")
    }
}

/// The answer of the call is lost, and the webhook alone tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook_alone_is_enough() {
    let railed = Railed::new().await;
    let stall = railed.bed.stall().await;
    let mut buyer = railed.bed.sign_up("buyer@example.com").await;
    railed.connect_webhooks().await;
    railed.control("/_control/next", json!({ "call": "payment.create", "fault": "5xx_after_commit" })).await;
    // A later look at the rail does not help either.
    railed.control("/_control/faults", json!({ "ppm": {} })).await;
    let driver = tokio::spawn(rail_driver::run(railed.bed.app.clone()));
    let order = railed.bed.place(&mut buyer, &stall, 1).await;
    railed.pay(&mut buyer, &stall, order).await;
    check_paid_once(&railed.is_open(&buyer, order).await);
    railed.stop().await;
    driver.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_are_not_the_rails() {
    let railed = Railed::new().await;
    let bed = &railed.bed;
    let body = json!({ "id": "evt_1", "type": "payment.received", "created_at": 1, "data": {} }).to_string();
    let said = async |path: &str, signature: Option<String>| {
        let ask = request("POST", path, None);
        let ask = match signature {
            Some(signature) => ask.header("souk-sandbox-signature", signature),
            None => ask,
        };
        bed.ask(ask.body(HttpBody::from(body.clone())).unwrap()).await.said()
    };
    let path = "/v1/rails/sandbox/webhook";
    let now = bed.now();
    let old = now.minus(souk_domain::time::Span::from_secs(301));
    for signature in [
        None,
        Some("t=1,v1=00".to_owned()),
        Some(signature("another-secret-of-16", body.as_bytes(), now)),
        Some(signature(SECRET, b"another body", now)),
        Some(signature(SECRET, body.as_bytes(), old)),
    ] {
        assert_eq!(said(path, signature.clone()).await, "401 webhook.signature", "{signature:?}");
    }
    assert_eq!(said(path, Some(signature(SECRET, body.as_bytes(), now))).await, "400 request.form");
    assert_eq!(said("/v1/rails/nobody/webhook", None).await, "404 route.unknown");
    railed.stop().await;
}
