//! The sandbox as a [`Rail`]: real HTTP, explicit time-outs, every doubtful answer is *unknown*.
//!
//! Not for: retrying (the relay does), knowing how the sandbox works inside. Rules: spec/money.md 6. Always: only an
//! answer of the provider that could be read in full is taken as an answer.

use std::time::Duration;

use async_trait::async_trait;
use axum::http::{HeaderMap, StatusCode};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use souk_domain::money::Money;
use souk_domain::time::{Span, Time};

use super::wire::{
    ANSWER_BYTES_MAX, ErrorView, EventData, EventKind, EventView, KEY_HEADER, ListView, PayRequest,
    PaymentRequest, PaymentView, PaymentWord, RefundRequest, RefundView, SIGNATURE_HEADER,
};
use crate::http;
pub use crate::http::Timeouts;
use crate::rail::{
    Caps, FetchBy, NextAction, Op, OpId, PayMethod, Payment, Rail, RailError, RailEvent, RailPayment,
    RailRef, RailRefund, RailResult, RailState,
};
use crate::webhook::{self, WebhookError, WebhookSecrets};

/// Until the connection stands: the provider is one hop away or not there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// For one whole call: providers answer within seconds, and an op in doubt is better asked for than waited for.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Both time-outs of the live system.
pub const TIMEOUTS: Timeouts = Timeouts { connect: CONNECT_TIMEOUT, overall: CALL_TIMEOUT };

/// The longest wait that a provider may ask for; more would hide an outage.
pub const THROTTLE_MAX: Span = Span::from_minutes(5);

/// The wait when a provider throttles without saying for how long.
const THROTTLE_DEFAULT: Span = Span::from_secs(1);

const CAPS: Caps = Caps { partial_refund: true, webhook_covers_body: true, key_memory: None };

/// The adapter of the sandbox provider.
#[derive(Clone, Debug)]
pub struct SandboxRail {
    base: Url,
    http: Client,
    secrets: WebhookSecrets,
}

impl SandboxRail {
    /// Talks to the sandbox at `base_url`, e.g. `http://127.0.0.1:4710`. Refuses `rail.config` with `rail.url` (not
    /// plain HTTP) or `rail.client`.
    pub fn new(base_url: &str, secrets: WebhookSecrets, timeouts: Timeouts) -> RailResult<SandboxRail> {
        let base = base_of(base_url)?;
        let http = http::client(timeouts).map_err(|error| {
            tracing::error!(%error, "no HTTP client for the sandbox rail");
            config("rail.client")
        })?;
        Ok(SandboxRail { base, http, secrets })
    }

    fn url(&self, segments: &[&str], query: Option<(&str, &str)>) -> RailResult<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| config("rail.url"))?.pop_if_empty().extend(segments);
        if let Some((name, value)) = query {
            url.query_pairs_mut().append_pair(name, value);
        }
        Ok(url)
    }

    /// Sends one keyed request and reads its answer.
    async fn post<T: DeserializeOwned>(&self, url: Url, op: &Op, body: &impl Serialize) -> RailResult<T> {
        let body = serde_json::to_vec(body).map_err(|_| config("rail.request"))?;
        read(send(self.http.post(url).header(KEY_HEADER, op.key()), body).await?).await
    }

    async fn get_one<T: DeserializeOwned + Into<V>, V>(
        &self,
        kind: &str,
        id: &RailRef,
    ) -> RailResult<Option<V>> {
        let url = self.url(&["v1", kind, id.as_str()], None)?;
        match read::<T>(self.http.get(url).send().await.map_err(lost)?).await {
            Ok(view) => Ok(Some(view.into())),
            Err(RailError::Refused { code }) if code == "payment.unknown" || code == "refund.unknown" => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn get_by_key<T: DeserializeOwned + Into<V>, V>(
        &self,
        kind: &str,
        op: OpId,
    ) -> RailResult<Option<V>> {
        let url = self.url(&["v1", kind], Some(("key", &op.key())))?;
        let list: ListView<T> = read(self.http.get(url).send().await.map_err(lost)?).await?;
        Ok(list.data.into_iter().next().map(Into::into))
    }
}

#[async_trait]
impl Rail for SandboxRail {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn caps(&self) -> &Caps {
        &CAPS
    }

    async fn begin(&self, op: &Op, payment: &Payment) -> RailResult<NextAction> {
        let request = PaymentRequest {
            amount: op.amount,
            reference: op.order.to_string(),
            description: payment.description.clone(),
            method: payment.method,
        };
        let view: PaymentView = self.post(self.url(&["v1", "payments"], None)?, op, &request).await?;
        // A mandate of which nothing has come yet is still the provider's to work on, not the buyer's.
        let waits_for_payer = view.method == PayMethod::Payer && view.status == PaymentWord::Open;
        let url = self.url(&["payer", "payments", view.id.as_str(), "pay"], None)?;
        let payment = RailPayment::from(view);
        Ok(if waits_for_payer {
            NextAction::Redirect { url: url.into(), payment }
        } else {
            NextAction::Done(payment)
        })
    }

    async fn refund(&self, op: &Op, payment: &RailRef) -> RailResult<RailRefund> {
        let request = RefundRequest { payment: payment.clone(), amount: op.amount };
        let view: RefundView = self.post(self.url(&["v1", "refunds"], None)?, op, &request).await?;
        Ok(view.into())
    }

    async fn cancel(&self, op: &Op, payment: &RailRef) -> RailResult<RailPayment> {
        let url = self.url(&["v1", "payments", payment.as_str(), "cancel"], None)?;
        let view: PaymentView = self.post(url, op, &serde_json::json!({})).await?;
        Ok(view.into())
    }

    async fn fetch(&self, by: FetchBy<'_>) -> RailResult<RailState> {
        let payment = |found: Option<RailPayment>| found.map_or(RailState::NotFound, RailState::Payment);
        let refund = |found: Option<RailRefund>| found.map_or(RailState::NotFound, RailState::Refund);
        match by {
            FetchBy::PaymentOf(op) => self.get_by_key::<PaymentView, _>("payments", op).await.map(payment),
            FetchBy::RefundOf(op) => self.get_by_key::<RefundView, _>("refunds", op).await.map(refund),
            FetchBy::Payment(id) => self.get_one::<PaymentView, _>("payments", id).await.map(payment),
            FetchBy::Refund(id) => self.get_one::<RefundView, _>("refunds", id).await.map(refund),
        }
    }

    fn verify(
        &self,
        headers: &HeaderMap,
        raw_body: &[u8],
        now: Time,
    ) -> Result<Vec<RailEvent>, WebhookError> {
        webhook::check(headers, SIGNATURE_HEADER, raw_body, &self.secrets, now)?;
        let event: EventView<IgnoredAny> =
            serde_json::from_slice(raw_body).map_err(|_| WebhookError::Body)?;
        if EventKind::from_name(&event.kind).is_none() {
            return Ok(Vec::new());
        }
        let event: EventView<EventData> = serde_json::from_slice(raw_body).map_err(|_| WebhookError::Body)?;
        Ok(vec![event.into()])
    }
}

/// Acts as the payer at the sandbox: what a buyer's banking app would do. Demo and tests use it, the engine does not.
#[derive(Clone, Debug)]
pub struct SandboxPayer {
    http: Client,
}

impl SandboxPayer {
    /// A payer with these time-outs. Refuses `rail.config`.
    pub fn new(timeouts: Timeouts) -> RailResult<SandboxPayer> {
        Ok(SandboxPayer { http: http::client(timeouts).map_err(|_| config("rail.client"))? })
    }

    /// Pays at the address of [`NextAction::Redirect`]: `amount`, or what is left, or all of it again when nothing is
    /// left. Not idempotent: twice is two arrivals of money.
    pub async fn pay(&self, url: &str, amount: Option<Money>) -> RailResult<RailPayment> {
        let url = Url::parse(url).map_err(|_| config("rail.url"))?;
        let body = serde_json::to_vec(&PayRequest { amount }).map_err(|_| config("rail.request"))?;
        let view: PaymentView = read(send(self.http.post(url), body).await?).await?;
        Ok(view.into())
    }
}

fn base_of(url: &str) -> RailResult<Url> {
    Url::parse(url)
        .ok()
        .filter(|url| url.scheme() == "http" && url.has_host())
        .ok_or_else(|| config("rail.url"))
}

async fn send(request: RequestBuilder, body: Vec<u8>) -> RailResult<Response> {
    request.header("content-type", "application/json").body(body).send().await.map_err(lost)
}

/// Even a refused connection is only *unknown*: an earlier attempt of the same op may have got through.
fn lost(_: reqwest::Error) -> RailError {
    RailError::Unknown
}

fn config(code: &str) -> RailError {
    RailError::Config { code: code.to_owned() }
}

/// Sorts an answer: 2xx that can be read, a refusal in so many words, throttled, our own mistake, or unknown.
async fn read<T: DeserializeOwned>(response: Response) -> RailResult<T> {
    let (status, retry_after) = (response.status(), retry_after(response.headers()));
    let body = http::read_body(response, ANSWER_BYTES_MAX).await.ok_or(RailError::Unknown)?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| RailError::Unknown);
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(RailError::Throttled { after: retry_after });
    }
    if !status.is_client_error() {
        return Err(RailError::Unknown);
    }
    let error: ErrorView = serde_json::from_slice(&body).map_err(|_| RailError::Unknown)?;
    Err(refusal(status, error.error.code))
}

/// What a 4xx with a code means for the op.
fn refusal(status: StatusCode, code: String) -> RailError {
    match code.as_str() {
        // The first attempt still runs: its outcome is the outcome.
        "idempotency.in_progress" => RailError::Unknown,
        // The key belongs to another body, or the request is malformed: asking again will not help, and the key may
        // well have moved money, so this is no refusal of the op.
        "idempotency.missing" | "idempotency.key_form" | "idempotency.key_reused" => {
            RailError::Config { code }
        }
        _ => match status {
            StatusCode::PAYMENT_REQUIRED | StatusCode::UNPROCESSABLE_ENTITY => RailError::Refused { code },
            StatusCode::NOT_FOUND if code != "route.unknown" => RailError::Refused { code },
            _ => RailError::Config { code },
        },
    }
}

/// `Retry-After` in seconds (RFC 9110 10.2.3), at most [`THROTTLE_MAX`]; its date form is not read.
fn retry_after(headers: &HeaderMap) -> Span {
    headers
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u32>().ok())
        .map_or(THROTTLE_DEFAULT, |secs| Span::from_secs(i64::from(secs)).min(THROTTLE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of 4xx and what it does to an op.
    #[test]
    fn refusals() {
        let sort =
            |status: u16, code: &str| refusal(StatusCode::from_u16(status).unwrap(), code.to_owned()).code();
        for (status, code, expected) in [
            (402, "payment.declined", "rail.refused"),
            (422, "refund.over_received", "rail.refused"),
            (404, "payment.unknown", "rail.refused"),
            (404, "route.unknown", "rail.config"),
            (400, "request.body", "rail.config"),
            (400, "idempotency.missing", "rail.config"),
            (409, "idempotency.in_progress", "rail.unknown"),
            (422, "idempotency.key_reused", "rail.config"),
            (401, "auth.token", "rail.config"),
            (413, "request.too_large", "rail.config"),
        ] {
            assert_eq!(sort(status, code), expected, "{status} {code}");
        }
    }

    #[test]
    fn waits_that_a_provider_asks_for() {
        for (value, secs) in [("7", 7), ("0", 0), ("300", 300), ("301", 300), ("-1", 1), ("soon", 1), ("", 1)]
        {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", value.parse().unwrap());
            assert_eq!(retry_after(&headers).secs(), secs, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), THROTTLE_DEFAULT);
    }

    #[test]
    fn only_plain_http() {
        let secrets = || WebhookSecrets::new("sixteen bytes or more", None).unwrap();
        let made = |url: &str| SandboxRail::new(url, secrets(), TIMEOUTS).map(|_| ());
        assert_eq!(made("http://127.0.0.1:1"), Ok(()));
        for bad in ["", "127.0.0.1:1", "https://127.0.0.1:1", "unix:/tmp/x", "http://"] {
            assert_eq!(made(bad), Err(config("rail.url")), "{bad}");
        }
    }
}
