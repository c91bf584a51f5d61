//! For operators: health, metrics, the description of the API.

use axum::response::IntoResponse;
use serde_json::json;
use souk_domain::bookkeeping::Owner;
use souk_domain::id::Bucket;
use souk_domain::rows::Key;

use crate::call::{self, Call};
use crate::error::{ApiError, BUSY_AGAIN_S};
use crate::route::Answered;
use crate::{metrics, openapi};

/// Whether the process works: the store can be read, the writer runs.
pub(crate) async fn health(call: Call) -> Answered {
    let _: Option<Owner> = call.app.reader().row(Key::owner(Bucket::PUBLIC)).await?;
    if !call.app.engine().is_alive() {
        return Err(ApiError::internal("the writer has ended"));
    }
    call::json(&json!({ "ok": true, "now": call.now }))
}

/// Whether requests should be sent here.
pub(crate) async fn readiness(call: Call) -> Answered {
    if *call.app.stopping().borrow() {
        return Err(ApiError::busy(BUSY_AGAIN_S));
    }
    health(call).await
}

/// Counts, for Prometheus.
pub(crate) async fn metrics_get(call: Call) -> Answered {
    let page = metrics::page(&call.app).await?;
    Ok(([("content-type", "text/plain; version=0.0.4")], page).into_response())
}

/// The description of the API.
pub(crate) async fn openapi_get(_: Call) -> Answered {
    Ok(([("content-type", "application/json")], openapi::text()).into_response())
}
