//! What rails tell by themselves: `POST /v1/rails/{rail}/webhook` (spec/money.md 6).
//!
//! Always: the raw bytes are verified before anything is read from them; an event has the same effect as the same
//! state found by asking, once; the rail is told that it arrived only when it is durable.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use souk_domain::id::DerivedId;
use souk_domain::order::{Payment, RailOp};
use souk_domain::rows::Key;
use souk_engine::Ask;
use souk_rails::rail::{RailEvent, RailState};
use souk_rails::webhook::WebhookError;

use crate::call::Call;
use crate::error::ApiError;
use crate::rail_driver::of_event;
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
    let id = event.state.op_id().and_then(|id| DerivedId::from_bytes(*id.bytes()).ok());
    let reader = call.app.reader();
    let op: Option<RailOp> = match id {
        Some(id) => reader.row(Key::rail_op(id)).await?,
        None => None,
    };
    let Some(op) = op.filter(|op| op.rail.name() == call.param(0)) else {
        // Somebody else's, or of a store that was set back: there is nothing that it could move.
        tracing::warn!(rail = call.param(0), event = event.event_id, "an event names no operation of ours");
        return Ok(Vec::new());
    };
    let payment: Option<Payment> = reader.row(Key::payment(op.payment)).await?;
    let payment = payment.ok_or_else(|| ApiError::internal("an operation names no payment"))?;
    let state = match event.state {
        state @ (RailState::Payment(_) | RailState::Refund(_)) => state,
        RailState::NotFound => return Ok(Vec::new()),
    };
    Ok(of_event(op, payment, state, &call.app))
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
