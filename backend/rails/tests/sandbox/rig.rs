//! One sandbox on loopback with a manual clock, its rail, and a receiver of its webhooks.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use souk_domain::id::{Bucket, OrderId, form_u};
use souk_domain::money::{Currency, Money};
use souk_domain::time::{Span, Time};
use souk_rails::rail::{Op, OpId, OpKind, PayMethod, Payment, Rail, RailEvent};
use souk_rails::sandbox::client::{SandboxPayer, SandboxRail, TIMEOUTS, Timeouts};
use souk_rails::sandbox::server::{ClockKind, Sandbox, SandboxConfig, WebhookEndpoint};
use souk_rails::webhook::WebhookSecrets;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub(crate) const SECRET: &str = "the secret of the tests";
pub(crate) const OLD_SECRET: &str = "the secret of yesterday";

/// Where a manual clock starts.
const START: Time = Time::from_secs(1_767_225_600);

/// Time-outs for calls that are made to fail: short, because they are waited out.
pub(crate) const HASTY: Timeouts =
    Timeouts { connect: Duration::from_secs(3), overall: Duration::from_millis(60) };

pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) http: reqwest::Client,
    pub(crate) rail: SandboxRail,
    /// The same with short time-outs.
    pub(crate) hasty: SandboxRail,
    pub(crate) payer: SandboxPayer,
    pub(crate) receiver: Receiver,
}

impl Rig {
    pub(crate) async fn start() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let receiver = Receiver::start().await;
        let sandbox = Sandbox::start(config(dir.path(), Some(&receiver))).await.unwrap();
        Rig::around(dir, sandbox, receiver)
    }

    fn around(dir: tempfile::TempDir, sandbox: Sandbox, receiver: Receiver) -> Rig {
        let base = sandbox.base_url();
        Rig {
            sandbox,
            dir,
            http: http(),
            rail: SandboxRail::new(&base, secrets(), TIMEOUTS).unwrap(),
            hasty: SandboxRail::new(&base, secrets(), HASTY).unwrap(),
            payer: SandboxPayer::new(TIMEOUTS).unwrap(),
            receiver,
        }
    }

    /// Stops the sandbox and starts it again on the same folder.
    pub(crate) async fn restart(self) -> Rig {
        let Rig { sandbox, dir, receiver, .. } = self;
        sandbox.stop().await.unwrap();
        let sandbox = Sandbox::start(config(dir.path(), None)).await.unwrap();
        Rig::around(dir, sandbox, receiver)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.http.get(self.url(path)).send().await.unwrap();
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// A call of the control interface, which must succeed.
    pub(crate) async fn control(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.post(&format!("/_control/{path}"), &[], &body.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let mut request = self.http.post(self.url(path)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    /// The next call of that name has that fault.
    pub(crate) async fn fault(&self, call: &str, fault: &str) {
        self.control("next", json!({"call": call, "fault": fault})).await;
    }

    pub(crate) async fn injected(&self, fault: &str) -> u64 {
        self.get("/_control/faults").await["injected"][fault].as_u64().unwrap_or(0)
    }

    /// Moves the clock on; every delivery that became due is done when this returns.
    pub(crate) async fn advance(&self, by: Span) -> Value {
        self.receiver.now.fetch_add(by.micros(), Ordering::SeqCst);
        self.control("clock", json!({"advance_ms": by.millis()})).await
    }

    pub(crate) async fn truth(&self) -> Value {
        let truth = self.get("/_control/truth").await;
        assert_eq!(truth["balanced"], true, "{truth}");
        truth
    }
}

pub(crate) fn config(dir: &Path, receiver: Option<&Receiver>) -> SandboxConfig {
    SandboxConfig {
        data_dir: dir.to_owned(),
        seed: 1,
        script: Vec::new(),
        clock: ClockKind::Manual,
        webhook: receiver.map(|receiver| WebhookEndpoint { url: receiver.url(), secret: SECRET.to_owned() }),
    }
}

pub(crate) fn http() -> reqwest::Client {
    // Another test may have installed it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(crate) fn secrets() -> WebhookSecrets {
    WebhookSecrets::new(SECRET, Some(OLD_SECRET)).unwrap()
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("EUR").unwrap())
}

/// An op whose id is made of a number.
pub(crate) fn op(number: u64, kind: OpKind, minor: i64) -> Op {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    let order = OrderId::from_bytes(form_u(1, Bucket::new(7).unwrap(), [3; 9])).unwrap();
    Op { op_id: OpId::from_bytes(id), kind, order, amount: eur(minor) }
}

pub(crate) fn by(method: PayMethod) -> Payment {
    Payment { method, description: "two lamps".to_owned() }
}

/// One try of a webhook as the receiver saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) verdict: Result<Vec<RailEvent>, &'static str>,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn event_id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }
}

/// A receiver of webhooks: it checks them as the backend does and answers accordingly.
pub(crate) struct Receiver {
    address: SocketAddr,
    seen: mpsc::UnboundedReceiver<Seen>,
    /// Microseconds; what the receiver takes for now.
    pub(crate) now: Arc<AtomicI64>,
    /// Statuses for the next deliveries, in place of the real answer.
    pub(crate) answers: Arc<Mutex<VecDeque<u16>>>,
}

#[derive(Clone)]
struct ReceiverState {
    rail: SandboxRail,
    now: Arc<AtomicI64>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    seen: mpsc::UnboundedSender<Seen>,
}

impl Receiver {
    pub(crate) async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        let (now, answers) = (Arc::new(AtomicI64::new(START.micros())), Arc::default());
        let state = ReceiverState {
            rail: SandboxRail::new("http://127.0.0.1:9", secrets(), TIMEOUTS).unwrap(),
            now: Arc::clone(&now),
            answers: Arc::clone(&answers),
            seen: sender,
        };
        let router = Router::new().route("/hook", post(receive)).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { address, seen, now, answers }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next delivery, waited for.
    pub(crate) async fn next(&mut self) -> Seen {
        tokio::time::timeout(Duration::from_secs(60), self.seen.recv()).await.expect("no webhook").unwrap()
    }

    /// Every delivery so far that nobody has looked at.
    pub(crate) fn drain(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }
}

async fn receive(State(state): State<ReceiverState>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = Time::from_micros(state.now.load(Ordering::SeqCst));
    let verdict = state.rail.verify(&headers, &body, now);
    let real = verdict.as_ref().map_or_else(|error| error.http_status(), |_| 200);
    let status = state.answers.lock().unwrap().pop_front().unwrap_or(real);
    let verdict = verdict.map_err(souk_rails::webhook::WebhookError::code);
    let _ = state.seen.send(Seen { verdict, body: serde_json::from_slice(&body).unwrap() });
    StatusCode::from_u16(status).unwrap()
}
