//! One intent by itself, without a stream: `POST /v1/intents/{kind}` (spec/sync.md 5).

use souk_domain::id::IntentId;
use souk_domain::outcome::Refusal;
use souk_engine::Ask;
use souk_engine::reader::Caller;
use souk_protocol::checkout::IntentResponse;
use souk_protocol::intent::{IntentText, is_kind};
use souk_protocol::sync::{PushState, SignedText};

use crate::call::{Call, json};
use crate::error::ApiError;
use crate::gate::IDEMPOTENCY_KEY;
use crate::route::Answered;

/// Decides one text. A repeat gets the same outcome; the same id with another text is a conflict.
pub(crate) async fn intent_decide(call: Call, caller: Caller) -> Answered {
    let kind = call.param(0);
    if !is_kind(kind) {
        return Err(Refusal::new("intent.kind").with("kind", kind).into());
    }
    let key = call.headers.get(IDEMPOTENCY_KEY).ok_or_else(|| ApiError::form(IDEMPOTENCY_KEY))?;
    let key: IntentId = key
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::form(IDEMPOTENCY_KEY))?;
    let signed: SignedText = call.json()?;
    // What is wrong inside the text is for the engine to say, which stores it; here only what the request adds.
    if let Ok(text) = IntentText::parse(&signed.text) {
        if text.mint.id != key {
            return Err(ApiError::form(IDEMPOTENCY_KEY));
        }
        if text.kind != kind {
            return Err(ApiError::form("kind"));
        }
    }
    let (mut results, touch) = call.items(Ask::direct(caller.actor(), signed)).await?;
    let result = results.pop().ok_or_else(|| ApiError::internal("an ask without a result"))?;
    match &result.state {
        PushState::Decided { .. } => {}
        PushState::Conflict => return Err(Refusal::new("intent.conflict").into()),
        PushState::Later { after_ms } => return Err(ApiError::busy(after_ms.div_ceil(1_000))),
        PushState::Refused { code } => return Err(ApiError::of_text(code, 422)),
        PushState::Fork { .. } => return Err(ApiError::internal("a fork without a stream")),
    }
    let generation = call.app.reader().generation();
    json(&IntentResponse { generation, now: call.now, result, touch })
}
