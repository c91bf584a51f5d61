//! A thin client of the HTTP API with one software key: for benches, and for looking at a server by hand.
//!
//! Not for: people's devices; those are `souk-device` with its database and outbox.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use souk_crypto::sign::{Ed25519Key, Signer as _};
use souk_domain::id::{AccountId, Bucket, DeviceId, IntentId, ShopId, form_u};
use souk_domain::intent::Body;
use souk_domain::money::Money;
use souk_domain::party::DeviceKey;
use souk_domain::time::Span;
use souk_protocol::auth::{ChallengeResponse, RegisterRequest, RegisterResponse, registration_digest};
use souk_protocol::intent::{IntentText, Mint};
use souk_protocol::sync::{Sig, SignedText};
use souk_rails::http::{Timeouts, client};

use crate::clock;
use crate::failure::Failure;

/// No request takes longer.
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(3), overall: Duration::from_secs(20) };

/// Looks for a code that was sent, at most.
const CODE_LOOKS: usize = 100;
/// Time between two of them.
const CODE_LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A signed-in device of an account.
pub struct ApiClient {
    http: reqwest::Client,
    base: String,
    key: Ed25519Key,
    access: String,
    /// The account.
    pub account: AccountId,
    /// The shop of the account, if it has one.
    pub shop: Option<ShopId>,
    device: DeviceId,
    dev_seq: u64,
}

impl std::fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiClient").field("account", &self.account).finish_non_exhaustive()
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Failure {
        Failure::new("api.http", error.to_string())
    }
}

/// A client for plain HTTP on loopback.
pub fn http_client() -> Result<reqwest::Client, Failure> {
    client(TIMEOUTS).map_err(|error| Failure::new("api.http", error.to_string()))
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    souk_crypto::random::array().map_err(|error| Failure::new("program.random", error.to_string()))
}

impl ApiClient {
    /// Signs up or in with a contact of a sandbox market, whose codes can be fetched.
    pub async fn register(base: &str, contact: &str, name: &str) -> Result<ApiClient, Failure> {
        let http = http_client()?;
        let key = Ed25519Key::from_seed(random()?);
        let device_key = DeviceKey::new(key.public_key());
        let install = souk_domain::id::hex(&random::<16>()?);
        let ask = json!({"key": device_key, "install": install});
        let challenge: ChallengeResponse =
            answer(http.post(format!("{base}/v1/devices/challenge")).json(&ask)).await?;
        let code =
            http.post(format!("{base}/v1/auth/code")).json(&json!({"contact": contact})).send().await?;
        if !code.status().is_success() {
            return Err(Failure::new("api.status", format!("code: {}", code.status())));
        }
        let code = sandbox_code(&http, base, contact).await?;
        let request = RegisterRequest {
            contact: contact.to_owned(),
            code,
            challenge: challenge.challenge,
            sig: key.sign_deterministic(&registration_digest(&challenge.challenge, &key.public_key())),
            key: device_key,
            name: name.to_owned(),
            platform: "linux".to_owned(),
            model: "souk".to_owned(),
            replaces: None,
            as_courier: false,
        };
        let registered: RegisterResponse =
            answer(http.post(format!("{base}/v1/devices")).json(&request)).await?;
        Ok(ApiClient {
            http,
            base: base.to_owned(),
            key,
            access: registered.tokens.access,
            account: registered.account,
            shop: registered.shop,
            device: registered.device,
            dev_seq: 0,
        })
    }

    /// A fresh id in a bucket.
    pub fn mint(&self, bucket: Bucket) -> Result<IntentId, Failure> {
        let unix_ms = u64::try_from(clock::now().millis()).unwrap_or_default();
        IntentId::from_bytes(form_u(unix_ms, bucket, random()?))
            .map_err(|error| Failure::new("api.id", error.to_string()))
    }

    /// A signed text of a new intent, and its id.
    pub fn text(
        &mut self,
        bucket: Bucket,
        body: &Body,
        bin: Vec<u8>,
        max_total: Option<Money>,
    ) -> Result<(IntentId, SignedText), Failure> {
        self.dev_seq += 1;
        let now = clock::now();
        let id = self.mint(bucket)?;
        let mint = Mint {
            id,
            account: self.account,
            device: self.device,
            epoch: 1,
            dev_seq: self.dev_seq,
            made_at: now,
            made_err_ms: 0,
            not_after: now.plus(Span::from_minutes(15)),
            max_total,
        };
        let refuse = |refusal: souk_domain::outcome::Refusal| {
            Failure::new(refusal.code, format!("{:?}", refusal.facts))
        };
        let text = IntentText::of(mint, body, &bin).map_err(refuse)?;
        let composed = text.compose().map_err(refuse)?;
        let signature = self.key.sign_deterministic(&text.signed_digest(&composed));
        Ok((id, SignedText { text: composed, bin, sig: Some(Sig::of(&self.key.public_key(), signature)) }))
    }

    /// Decides one intent: its outcome as JSON, `{"is": "accepted", …}`.
    pub async fn decide(&mut self, bucket: Bucket, body: &Body) -> Result<Value, Failure> {
        let (_, signed) = self.text(bucket, body, Vec::new(), None)?;
        self.send(body.kind(), &signed).await
    }

    /// Sends a text, for the first time or again: its outcome as JSON.
    pub async fn send(&self, kind: &str, signed: &SignedText) -> Result<Value, Failure> {
        let id =
            souk_protocol::intent::peek_id(&signed.text).ok_or_else(|| Failure::new("intent.form", "id"))?;
        let request = self
            .http
            .post(format!("{}/v1/intents/{kind}", self.base))
            .bearer_auth(&self.access)
            .header("Idempotency-Key", id.to_string())
            .json(signed);
        let answer: Value = answer(request).await?;
        Ok(answer["outcome"].clone())
    }

    /// `PUT` of a JSON body.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        answer(self.http.put(format!("{}{path}", self.base)).bearer_auth(&self.access).json(body)).await
    }

    /// `POST` of a JSON body.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        answer(self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.access).json(body)).await
    }

    /// `GET`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        answer(self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.access)).await
    }
}

/// The newest code that a sandbox market has sent to a contact; sending takes a moment.
async fn sandbox_code(http: &reqwest::Client, base: &str, contact: &str) -> Result<String, Failure> {
    let mut sent = Value::Null;
    for _ in 0..CODE_LOOKS {
        sent = answer(http.get(format!("{base}/_sandbox/codes?contact={contact}"))).await?;
        let code =
            sent["codes"].as_array().and_then(|codes| codes.first()).and_then(|code| code["code"].as_str());
        if let Some(code) = code {
            return Ok(code.to_owned());
        }
        tokio::time::sleep(CODE_LOOK_AGAIN).await;
    }
    Err(Failure::new("api.code", sent.to_string()))
}

/// The JSON of an answer, or the error in it.
async fn answer<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, Failure> {
    let response = request.send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    if !status.is_success() {
        let error: Value = serde_json::from_slice(&body).unwrap_or_default();
        let code = error["error"]["code"].as_str().unwrap_or("api.status");
        return Err(Failure::new(code, format!("{status}: {}", String::from_utf8_lossy(&body))));
    }
    serde_json::from_slice(&body).map_err(|error| Failure::new("api.form", error.to_string()))
}
