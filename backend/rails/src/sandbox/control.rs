//! The sandbox's back door, `/_control`: faults, clock, webhooks, the truth. For tests, demos and operators' rehearsals;
//! no merchant's code calls it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use souk_domain::time::{Span, Time};

use super::books::{self, CurrencyBooks};
use super::faults::{Call, Fault, PlanError};
use super::payments;
use super::refunds;
use super::reply::Reply;
use super::routes::failed;
use super::server::App;
use super::store::{SandboxError, set_setting};
use super::webhooks::{self, QueueCounts, WebhookEndpoint};
use super::wire::{PaymentView, RefundView};

/// Objects of each kind in one dump of the truth; the sums are always over all.
pub(super) const TRUTH_ROWS_MAX: usize = 10_000;

/// One step of a manual clock: a year.
pub(super) const ADVANCE_MAX: Span = Span::from_days(366);

/// Event ids in one release.
pub(super) const RELEASE_MAX: usize = 1_000;

/// Setting that holds a manual clock's time.
pub(super) const CLOCK_SETTING: &str = "manual_now_us";

/// All routes of `/_control`, and `/healthz`.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({"ok": true})) }))
        .route("/_control/faults", get(faults).post(set_faults))
        .route("/_control/next", post(plan_next))
        .route("/_control/webhooks", get(list_webhooks))
        .route("/_control/webhooks/endpoint", post(set_endpoint))
        .route("/_control/webhooks/release", post(release_webhooks))
        .route("/_control/clock", get(clock).post(advance_clock))
        .route("/_control/truth", get(truth))
}

type AppState = State<Arc<App>>;

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body)
        .map_err(|error| Box::new(Reply::refused(400, "request.body", &error.to_string()).into_response()))
}

async fn faults(State(app): AppState) -> Response {
    Json(app.faults.report()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFaults {
    seed: Option<u64>,
    ppm: BTreeMap<Fault, u32>,
}

async fn set_faults(State(app): AppState, body: Bytes) -> Response {
    let set: SetFaults = match read(&body) {
        Ok(set) => set,
        Err(refused) => return *refused,
    };
    planned(app.faults.set(set.seed, set.ppm), &app)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanNext {
    call: Call,
    fault: Fault,
}

async fn plan_next(State(app): AppState, body: Bytes) -> Response {
    let next: PlanNext = match read(&body) {
        Ok(next) => next,
        Err(refused) => return *refused,
    };
    planned(app.faults.plan_next(next.call, next.fault), &app)
}

fn planned(result: Result<(), PlanError>, app: &App) -> Response {
    match result {
        Ok(()) => Json(app.faults.report()).into_response(),
        Err(error) => Reply::refused(422, &error.to_string(), "the plan was not changed").into_response(),
    }
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: i64,
}

async fn list_webhooks(State(app): AppState, Query(page): Query<After>) -> Response {
    match app.store.run(move |connection| webhooks::list(connection, page.after)).await {
        Ok(webhooks) => Json(json!({"webhooks": webhooks})).into_response(),
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetEndpoint {
    url: String,
    secret: String,
}

async fn set_endpoint(State(app): AppState, body: Bytes) -> Response {
    let set: SetEndpoint = match read(&body) {
        Ok(set) => set,
        Err(refused) => return *refused,
    };
    let endpoint = WebhookEndpoint { url: set.url, secret: set.secret };
    match app.store.run(move |connection| webhooks::set_endpoint(connection, &endpoint)).await {
        Ok(()) => {
            app.wake.notify_one();
            Json(json!({"ok": true})).into_response()
        }
        Err(SandboxError::Endpoint) => {
            Reply::refused(422, "control.endpoint", "a plain HTTP address and a secret of 16 to 256 bytes")
                .into_response()
        }
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Release {
    ids: Option<Vec<String>>,
}

async fn release_webhooks(State(app): AppState, body: Bytes) -> Response {
    let release: Release = match if body.is_empty() { Ok(Release::default()) } else { read(&body) } {
        Ok(release) => release,
        Err(refused) => return *refused,
    };
    if release.ids.as_ref().is_some_and(|ids| ids.len() > RELEASE_MAX) {
        return Reply::refused(422, "control.release", "at most 1,000 events at once").into_response();
    }
    let now = app.clock.now();
    let released =
        app.store.run(move |connection| webhooks::release(connection, release.ids.as_deref(), now)).await;
    match released {
        Ok(released) => {
            round(&app, |done| json!({"released": released, "delivered": done.0, "failed": done.1})).await
        }
        Err(error) => failed(&error),
    }
}

async fn clock(State(app): AppState) -> Response {
    Json(json!({"now_us": app.clock.now()})).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: u32,
}

/// Moves a manual clock on and does what has become due; answers when nothing is due any more.
async fn advance_clock(State(app): AppState, body: Bytes) -> Response {
    let advance: Advance = match read(&body) {
        Ok(advance) => advance,
        Err(refused) => return *refused,
    };
    let by = Span::from_millis(i64::from(advance.advance_ms));
    if by > ADVANCE_MAX {
        return Reply::refused(422, "control.advance", "at most 366 days at once").into_response();
    }
    let Some(now) = app.clock.advance(by) else {
        return Reply::refused(409, "control.clock_real", "this sandbox runs on the machine's clock")
            .into_response();
    };
    let text = now.micros().to_string();
    if let Err(error) = app.store.run(move |connection| set_setting(connection, CLOCK_SETTING, &text)).await {
        return failed(&error);
    }
    round(&app, |done| json!({"now_us": now, "delivered": done.0, "failed": done.1})).await
}

async fn round(app: &App, answer: impl FnOnce((u64, u64)) -> serde_json::Value) -> Response {
    match webhooks::pump(app).await {
        Ok(done) => Json(answer((done.delivered, done.failed))).into_response(),
        Err(error) => failed(&error),
    }
}

/// Everything that the provider knows.
#[derive(Serialize)]
struct Truth {
    now_us: Time,
    payments: Vec<PaymentView>,
    refunds: Vec<RefundView>,
    /// True when there are more objects than are shown; the books are over all of them.
    truncated: bool,
    books: Vec<CurrencyBooks>,
    balanced: bool,
    webhooks: QueueCounts,
}

async fn truth(State(app): AppState) -> Response {
    let now_us = app.clock.now();
    let truth = app.store.run(move |connection| {
        let mut payments = payments::first(connection, TRUTH_ROWS_MAX + 1)?;
        let mut refunds = refunds::first(connection, TRUTH_ROWS_MAX + 1)?;
        let truncated = payments.len().max(refunds.len()) > TRUTH_ROWS_MAX;
        payments.truncate(TRUTH_ROWS_MAX);
        refunds.truncate(TRUTH_ROWS_MAX);
        let books = books::totals(connection)?;
        let balanced = books.iter().all(|books| books.balanced);
        Ok(Truth {
            now_us,
            payments,
            refunds,
            truncated,
            balanced,
            books,
            webhooks: webhooks::counts(connection)?,
        })
    });
    match truth.await {
        Ok(truth) => Json(truth).into_response(),
        Err(error) => failed(&error),
    }
}
