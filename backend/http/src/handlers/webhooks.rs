//! What rails tell by themselves: `POST /v1/rails/{rail}/webhook` (spec/money.md 6).
//!
//! Always: the raw bytes are verified before anything is read from them; an event has the same effect as the same
//! state found by asking, once; the rail is told that it arrived only when it is durable.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use souk_domain::id::DerivedId;
use souk_domain::order::RailId;
use souk_engine::Ask;
use souk_rails::rail::RailEvent;
use souk_rails::webhook::WebhookError;

use crate::call::Call;
use crate::error::ApiError;
use crate::rail_driver::told;
use crate::route::Answered;

/// Takes the events of a rail in.
pub(crate) async fn event_take(call: Call) -> Answered {
    let rail = call.app.rail(call.param(0)).ok_or(ApiError::new("route.unknown"))?;
    let events = rail.verify(&call.headers, &call.body, call.now).map_err(refuse)?;
    for event in events {
        for act in acts(&call, event).await? {
            // The outcome is stored; a fact that a rule refuses is in the log, and the rail cannot mend it.
            call.act(act).await?;
        }
    }
    Ok(StatusCode::OK.into_response())
}

async fn acts(call: &Call, event: RailEvent) -> Result<Vec<Ask>, ApiError> {
    let op = event.state.op_id().and_then(|id| DerivedId::from_bytes(*id.bytes()).ok());
    let (Some(op), Some(rail)) = (op, RailId::new(call.param(0))) else { return Ok(Vec::new()) };
    match call.app.reader().rail_event(&rail, op, &told(event.state), call.now).await {
        // Somebody else's, or of a store that was set back: there is nothing that it could move.
        Err(error) if error.code() == "op.unknown" => {
            tracing::warn!(rail = rail.name(), event = event.event_id, "an event names no operation of ours");
            Ok(Vec::new())
        }
        acts => Ok(acts?),
    }
}

fn refuse(error: WebhookError) -> ApiError {
    tracing::warn!(code = error.code(), "a webhook was refused");
    match error {
        WebhookError::TooLarge => ApiError::new("request.too_large"),
        WebhookError::Body => ApiError::form("body"),
        WebhookError::Secret => ApiError::internal(error),
        WebhookError::SignatureMissing
        | WebhookError::SignatureForm
        | WebhookError::Signature
        | WebhookError::TooOld => ApiError::new("webhook.signature"),
    }
}
