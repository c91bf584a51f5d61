//! The provider's interface: what the merchant calls (`/v1`) and what a payer does (`/payer`).
//!
//! Not for: what the calls mean (payments, refunds), control. Always: one way through for every call: read the
//! request, take its key, faults before, the commit, faults after.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rusqlite::Connection;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use souk_domain::time::Span;

use super::faults::{Call, Fault};
use super::idempotency;
use super::payments::{self, Act};
use super::refunds;
use super::reply::{Outcome, Reply};
use super::server::App;
use super::store::SandboxError;
use super::wire::{
    DESCRIPTION_CHARS_MAX, ListView, PayRequest, PaymentRequest, REFERENCE_CHARS_MAX, REQUEST_BYTES_MAX,
    RefundRequest, payable,
};

/// How long the delay faults wait, by the sandbox's clock.
pub(super) const FAULT_DELAY: Span = Span::from_secs(2);

/// How long an answer that never comes is held before its connection is given up, by the machine's clock. Longer than
/// any caller's time-out.
const HANG: Duration = Duration::from_secs(120);

/// What [`Fault::Throttle`] asks callers to wait, in seconds.
const RETRY_AFTER_SECS: &str = "2";

/// All routes outside `/_control`.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/payments", post(create_payment).get(payment_by_key))
        .route("/v1/payments/{id}", get(payment))
        .route("/v1/payments/{id}/cancel", post(cancel_payment))
        .route("/v1/refunds", post(create_refund).get(refund_by_key))
        .route("/v1/refunds/{id}", get(refund))
        .route("/payer/payments/{id}/pay", post(pay))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
}

type AppState = State<Arc<App>>;

async fn create_payment(State(app): AppState, headers: HeaderMap, body: Bytes) -> Response {
    let request = match read::<PaymentRequest>(&body).and_then(checked_payment) {
        Ok(request) => request,
        Err(reply) => return reply.into_response(),
    };
    keyed(
        &app,
        Call::PaymentCreate,
        &headers,
        "/v1/payments",
        &request.clone(),
        move |connection, act, key| payments::create(connection, act, key, &request),
    )
    .await
}

async fn cancel_payment(State(app): AppState, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let path = format!("/v1/payments/{id}/cancel");
    keyed(&app, Call::PaymentCancel, &headers, &path, &(), move |connection, act, _| {
        payments::cancel(connection, act, &id)
    })
    .await
}

async fn create_refund(State(app): AppState, headers: HeaderMap, body: Bytes) -> Response {
    let request = match read::<RefundRequest>(&body) {
        Ok(request) if payable(request.amount) => request,
        Ok(_) => return amount_refused().into_response(),
        Err(reply) => return reply.into_response(),
    };
    keyed(&app, Call::RefundCreate, &headers, "/v1/refunds", &request.clone(), move |connection, act, key| {
        refunds::create(connection, act, key, &request)
    })
    .await
}

async fn pay(State(app): AppState, Path(id): Path<String>, body: Bytes) -> Response {
    let request = if body.is_empty() { Ok(PayRequest::default()) } else { read::<PayRequest>(&body) };
    let amount = match request {
        Ok(request) if request.amount.is_none_or(payable) => request.amount,
        Ok(_) => return amount_refused().into_response(),
        Err(reply) => return reply.into_response(),
    };
    through(&app, Call::PayerPay, None, move |connection, act| payments::pay(connection, act, &id, amount))
        .await
}

async fn payment(State(app): AppState, Path(id): Path<String>) -> Response {
    through(&app, Call::PaymentGet, None, move |connection, _| {
        Ok(Outcome::passing(match payments::load(connection, &id)? {
            Some(view) => Reply::json(200, &view)?,
            None => Reply::refused(404, payments::UNKNOWN, payments::UNKNOWN_TEXT),
        }))
    })
    .await
}

async fn refund(State(app): AppState, Path(id): Path<String>) -> Response {
    through(&app, Call::RefundGet, None, move |connection, _| {
        Ok(Outcome::passing(match refunds::load(connection, &id)? {
            Some(view) => Reply::json(200, &view)?,
            None => Reply::refused(404, refunds::UNKNOWN, refunds::UNKNOWN_TEXT),
        }))
    })
    .await
}

#[derive(Deserialize)]
struct ByKey {
    key: Option<String>,
}

async fn payment_by_key(State(app): AppState, Query(by): Query<ByKey>) -> Response {
    let Some(key) = by.key else { return key_refused().into_response() };
    through(&app, Call::PaymentGet, None, move |connection, _| {
        let data = payments::load_by_key(connection, &key)?.into_iter().collect();
        Ok(Outcome::passing(Reply::json(200, &ListView { data })?))
    })
    .await
}

async fn refund_by_key(State(app): AppState, Query(by): Query<ByKey>) -> Response {
    let Some(key) = by.key else { return key_refused().into_response() };
    through(&app, Call::RefundGet, None, move |connection, _| {
        let data = refunds::load_by_key(connection, &key)?.into_iter().collect();
        Ok(Outcome::passing(Reply::json(200, &ListView { data })?))
    })
    .await
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    serde_json::from_slice(body).map_err(|error| Reply::refused(400, "request.body", &error.to_string()))
}

fn checked_payment(request: PaymentRequest) -> Result<PaymentRequest, Reply> {
    if !payable(request.amount) {
        return Err(amount_refused());
    }
    if !(1..=REFERENCE_CHARS_MAX).contains(&request.reference.chars().count()) {
        return Err(Reply::refused(400, "request.reference", "a reference has 1 to 64 characters"));
    }
    if request.description.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(Reply::refused(400, "request.description", "a description has at most 500 characters"));
    }
    Ok(request)
}

fn amount_refused() -> Reply {
    Reply::refused(400, "request.amount", "an amount is 1 to 2^53 - 1 minor units")
}

fn key_refused() -> Reply {
    Reply::refused(400, "request.key", "ask by ?key=")
}

/// A call under an idempotency key.
async fn keyed(
    app: &Arc<App>,
    call: Call,
    headers: &HeaderMap,
    path: &str,
    body: &impl serde::Serialize,
    work: impl FnOnce(&Connection, Act, &str) -> Result<Outcome, SandboxError> + Send + 'static,
) -> Response {
    let taken = idempotency::key_of(headers).and_then(|key| Ok((app.running.take(&key)?, key)));
    let (taken, key) = match taken {
        Ok(taken) => taken,
        Err(reply) => return reply.into_response(),
    };
    // Canonical: what was read is written again, so that blanks and the order of fields do not make another request.
    let request = match Reply::json(0, body) {
        Ok(body) => format!("{path} {}", body.body),
        Err(error) => return failed(&error),
    };
    through(app, call, Some(taken), move |connection, act| {
        idempotency::keyed(connection, &key, &request, act.now, || work(connection, act, &key))
    })
    .await
}

/// The way of every call: faults before, the commit, faults after. A key is free again as soon as the commit stands.
async fn through(
    app: &Arc<App>,
    call: Call,
    taken: Option<idempotency::Taken>,
    work: impl FnOnce(&Connection, Act) -> Result<Outcome, SandboxError> + Send + 'static,
) -> Response {
    let faults = app.faults.of_call(call);
    app.faults.count(faults.before);
    match faults.before {
        Some(Fault::DelayBefore) => app.clock.sleep_until(app.clock.now().plus(FAULT_DELAY)).await,
        Some(Fault::ServerErrorBefore) => {
            return Reply::refused(503, "sandbox.fault", "nothing has happened").into_response();
        }
        Some(Fault::Throttle) => {
            let reply = Reply::refused(429, "sandbox.throttled", "nothing has happened");
            return ([(header::RETRY_AFTER, RETRY_AFTER_SECS)], reply).into_response();
        }
        _ => {}
    }
    // In a task of its own: a caller that hangs up must not keep the news of a commit from being counted and sent, nor
    // free its key before the commit stands.
    let commit = tokio::spawn({
        let app = Arc::clone(app);
        async move {
            let act = Act { now: app.clock.now(), faults };
            let outcome = app.store.run(move |connection| work(connection, act)).await?;
            drop(taken);
            app.faults.count(outcome.applied);
            app.wake.notify_one();
            Ok::<_, SandboxError>(outcome.reply)
        }
    });
    let reply = match commit.await.unwrap_or(Err(SandboxError::Stopped)) {
        Ok(reply) => reply,
        Err(error) => return failed(&error),
    };
    app.faults.count(faults.after);
    answer(app, faults.after, reply).await
}

/// The answer, or what a fault makes of it.
async fn answer(app: &App, fault: Option<Fault>, reply: Reply) -> Response {
    match fault {
        Some(Fault::DelayAfter) => {
            app.clock.sleep_until(app.clock.now().plus(FAULT_DELAY)).await;
            reply.into_response()
        }
        Some(Fault::TimeoutAfterCommit) => {
            let mut stopping = app.stopping.clone();
            tokio::select! {
                () = tokio::time::sleep(HANG) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
            broken(Vec::new())
        }
        Some(Fault::ServerErrorAfterCommit) => {
            Reply::refused(500, "sandbox.fault", "it has happened all the same").into_response()
        }
        Some(Fault::ResetMidBody) => {
            let half = reply.body.len() / 2;
            broken(reply.body.into_bytes()[..half].to_vec())
        }
        Some(Fault::GarbageBody) => {
            ([(header::CONTENT_TYPE, "text/html")], "<html>Maintenance, back soon</html>").into_response()
        }
        _ => reply.into_response(),
    }
}

/// 200 with the start of a body, then the connection breaks inside the answer.
fn broken(start: Vec<u8>) -> Response {
    let breaks = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    Body::from_stream(tokio_stream::iter([Ok(Bytes::from(start)), breaks])).into_response()
}

/// A failure of the sandbox itself.
pub(super) fn failed(error: &SandboxError) -> Response {
    tracing::error!(error = error as &dyn std::error::Error, "the sandbox failed");
    Reply::refused(500, "sandbox.internal", "the sandbox failed, see its log").into_response()
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response()
    }
}
