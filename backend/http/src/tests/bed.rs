//! A whole backend in a folder of its own, with a clock that stands still, and people who sign in over its routes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::response::Response;
use serde_json::{Value, json};
use souk_crypto::sign::{Ed25519Key, Signer};
use souk_domain::bookkeeping::Lane;
use souk_domain::context::{FeePlan, Policies, Reference};
use souk_domain::id::{AccountId, Bucket, DeviceId, IntentId, form_u};
use souk_domain::intent::Body as IntentBody;
use souk_domain::money::{Bp, Money, Ppm};
use souk_domain::party::DeviceKey;
use souk_domain::time::{Span, Time};
use souk_engine::handle::EngineHandle;
use souk_engine::{Engine, EngineConfig, Mutants};
use souk_protocol::auth::{canonical_contact, registration_digest};
use souk_protocol::intent::{IntentText, Mint, life};
use souk_protocol::sync::{Sig, SignedText};
use souk_rails::rail::Rail;
use souk_store::sqlite::{SqliteConfig, SqliteStore};
use tower::ServiceExt;

use super::schema;
use crate::{App, AppConfig, Clock, SandboxMailbox, Settings, router};

/// 2026-11-22T12:00Z.
pub(super) const START: Time = Time::from_secs(1_795_348_800);

pub(super) struct Bed {
    pub(super) app: App,
    pub(super) router: Router,
    pub(super) mailbox: Arc<SandboxMailbox>,
    clock: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

/// An answer, read.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
    /// The body as JSON; null when it is none.
    pub(super) json: Value,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// Status and, for an error, its code.
    pub(super) fn said(&self) -> String {
        match self.json["error"]["code"].as_str() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

impl Bed {
    pub(super) async fn new() -> Bed {
        Bed::with(
            BTreeMap::new(),
            Settings { open_courier_signup: true, rate_factor: 1000, ..Settings::default() },
        )
        .await
    }

    pub(super) async fn with(rails: BTreeMap<String, Arc<dyn Rail>>, settings: Settings) -> Bed {
        let micros = Arc::new(AtomicI64::new(START.micros()));
        let read = micros.clone();
        let clock: Clock = Arc::new(move || Time::from_micros(read.load(Ordering::SeqCst)));
        Bed { clock: micros, ..Bed::at(clock, rails, settings, true).await }
    }

    /// As in real life: codes are sent, and nobody else sees them.
    pub(super) async fn without_mailbox() -> Bed {
        Bed::at(Arc::new(|| START), BTreeMap::new(), Settings::default(), false).await
    }

    pub(super) async fn at(
        clock: Clock,
        rails: BTreeMap<String, Arc<dyn Rail>>,
        settings: Settings,
        is_sandbox: bool,
    ) -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteConfig::new(dir.path().join("souk.db"))).unwrap();
        let reference = Reference {
            version: 0,
            policies: Policies::DEFAULT,
            fee_plan: FeePlan { version: 1, commission: Bp(500), commission_tax: Ppm(100_000) },
            platform_keys: Vec::new(),
            emv_guid: "org.souk.pay".to_owned(),
        };
        let config = EngineConfig { reference, seed: [9; 32], mutants: Mutants::NONE };
        let engine = Engine::open(Arc::new(store), config).await.unwrap();
        let mailbox = Arc::new(SandboxMailbox::default());
        let app = App::new(AppConfig {
            engine: EngineHandle::start(engine, clock.clone()).unwrap(),
            clock,
            sender: mailbox.clone(),
            mailbox: is_sandbox.then_some(mailbox.clone()),
            rails,
            settings,
        });
        Bed { router: router(app.clone()), app, mailbox, clock: Arc::default(), _dir: dir }
    }

    pub(super) fn now(&self) -> Time {
        self.app.now()
    }

    pub(super) fn wait(&self, span: Span) {
        self.clock.fetch_add(span.micros(), Ordering::SeqCst);
    }

    pub(super) async fn raw(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Reply {
        let route = schema::route_of(request.method().as_str(), request.uri().path());
        let response = self.raw(request).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 16 << 20).await.unwrap().to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(route) = route {
            schema::check_answer(route, parts.status.as_u16(), &json);
        }
        Reply { status: parts.status.as_u16(), headers: parts.headers, bytes, json }
    }

    pub(super) async fn get(&self, path: &str, token: Option<&str>) -> Reply {
        self.ask(request("GET", path, token).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Reply {
        let request = request(method, path, token).header("content-type", "application/json");
        let reply = self.ask(request.body(Body::from(body.to_string())).unwrap()).await;
        if let Some(route) = schema::route_of(method, path).filter(|_| reply.status < 300) {
            schema::check_request(route, body);
        }
        reply
    }

    pub(super) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Reply {
        self.send("POST", path, token, body).await
    }

    /// The code that was sent to a contact last.
    pub(super) async fn code(&self, contact: &str) -> String {
        let reply = self.post("/v1/auth/code", None, &json!({ "contact": contact })).await;
        assert_eq!(reply.said(), "204");
        let contact = canonical_contact(contact).unwrap();
        self.mailbox.codes(&contact)[0].code.clone()
    }

    /// The registration that a device sends.
    pub(super) async fn registration(&self, contact: &str, key: &Ed25519Key) -> Value {
        let code = self.code(contact).await;
        let public = DeviceKey::new(key.public_key());
        let asked = json!({ "key": public, "install": "00".repeat(16) });
        let reply = self.post("/v1/devices/challenge", None, &asked).await;
        assert_eq!(reply.said(), "200");
        let challenge = reply.json["challenge"].as_str().unwrap();
        let bytes: [u8; 32] = souk_domain::id::unhex(challenge).unwrap().try_into().unwrap();
        let sig = key.sign_deterministic(&registration_digest(&bytes, &key.public_key()));
        json!({
            "contact": contact, "code": code, "challenge": challenge, "key": public,
            "sig": souk_protocol::base64url::encode(&sig), "name": contact, "platform": "linux",
        })
    }

    pub(super) async fn sign_up(&self, contact: &str) -> Person {
        self.sign_up_as(contact, false).await
    }

    pub(super) async fn sign_up_as(&self, contact: &str, as_courier: bool) -> Person {
        let key = Ed25519Key::from_seed(souk_crypto::hash::sha256(contact.as_bytes()));
        let mut body = self.registration(contact, &key).await;
        if as_courier {
            body["as_courier"] = json!(true);
        }
        let reply = self.post("/v1/devices", None, &body).await;
        assert_eq!(reply.said(), "201", "{reply:?}");
        Person::of(&reply.json, key)
    }
}

pub(super) fn request(method: &str, path: &str, token: Option<&str>) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    }
}

/// A person with one device.
pub(super) struct Person {
    pub(super) account: AccountId,
    pub(super) device: DeviceId,
    pub(super) key: Ed25519Key,
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) epoch: u32,
    dev_seq: u64,
    sent: BTreeMap<(Bucket, Lane), u64>,
}

impl Person {
    pub(super) fn of(registered: &Value, key: Ed25519Key) -> Person {
        let text = |name: &str| registered[name].as_str().unwrap().to_owned();
        Person {
            account: text("account").parse().unwrap(),
            device: text("device").parse().unwrap(),
            key,
            access: text("access"),
            refresh: text("refresh"),
            epoch: registered["epoch"].as_u64().unwrap() as u32,
            dev_seq: 0,
            sent: BTreeMap::new(),
        }
    }

    pub(super) fn token(&self) -> Option<&str> {
        Some(&self.access)
    }

    /// An id of form U that no other of this person's has.
    pub(super) fn mint(&mut self, bucket: Bucket, now: Time) -> IntentId {
        self.dev_seq += 1;
        let mut random = [0; 9];
        random[..4].copy_from_slice(&(self.dev_seq as u32).to_le_bytes());
        random[4..].copy_from_slice(&self.device.bytes()[..5]);
        IntentId::from_bytes(form_u(now.millis() as u64, bucket, random)).unwrap()
    }

    /// The text of an act, signed.
    pub(super) fn text(
        &self,
        id: IntentId,
        body: &IntentBody,
        bin: &[u8],
        max: Option<Money>,
        now: Time,
    ) -> SignedText {
        let mint = Mint {
            id,
            account: self.account,
            device: self.device,
            epoch: self.epoch,
            dev_seq: self.dev_seq,
            made_at: now,
            made_err_ms: 80,
            not_after: now.plus(life(body).default),
            max_total: max,
        };
        let text = IntentText::of(mint, body, bin).unwrap();
        let composed = text.compose().unwrap();
        let d = text.signed_digest(&composed);
        let sig = Sig::of(&self.key.public_key(), self.key.sign_deterministic(&d));
        SignedText { text: composed, bin: bin.to_vec(), sig: Some(sig) }
    }

    /// A push item at the next position of its stream.
    pub(super) fn item(&mut self, lane: Lane, bucket: Bucket, signed: &SignedText) -> Value {
        let pos = self.sent.entry((bucket, lane)).or_default();
        *pos += 1;
        let mut item = serde_json::to_value(signed).unwrap();
        item["lane"] = json!(lane.name());
        item["bucket"] = json!(bucket.number());
        item["pos"] = json!(*pos);
        item
    }

    pub(super) fn push(&self, items: Vec<Value>) -> Value {
        json!({ "v": 1, "app": "test/1", "epoch": self.epoch, "gen": 1, "items": items })
    }
}
