//! A checkout on the web: `/v1/checkouts/{id}*` (spec/market.md 5.6).
//!
//! Writing a checkout moves nothing and needs no signature, so its text is made here in the device's name; orders and
//! payments come as texts that the device has signed.

use souk_domain::id::{IntentId, form_u};
use souk_domain::intent::Body;
use souk_domain::outcome::Refusal;
use souk_domain::party::{Checkout, CheckoutLine};
use souk_domain::rows::Key;
use souk_domain::time::Time;
use souk_engine::Ask;
use souk_engine::reader::Caller;
use souk_protocol::checkout::{CheckoutRequest, DeliveryRequest, PlaceRequest, PlaceResponse};
use souk_protocol::intent::{IntentText, Mint, life};
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::{PushResult, PushState, SignedText, Touch};
use souk_protocol::views::address_bin;

use crate::call::{Call, json, random};
use crate::error::ApiError;
use crate::route::Answered;

/// Writes the lines, and answers what they come to.
pub(crate) async fn checkout_put(call: Call, caller: Caller) -> Answered {
    let request: CheckoutRequest = call.json()?;
    request.check()?;
    let lines = request.lines.into_iter().map(CheckoutLine::from).collect();
    write(call, caller, lines, Vec::new()).await
}

/// Writes the address, and answers what the lines come to.
pub(crate) async fn checkout_deliver(call: Call, caller: Caller) -> Answered {
    let request: DeliveryRequest = call.json()?;
    let bin = address_bin(random()?, &request.address)?;
    write(call, caller, Vec::new(), bin).await
}

async fn write(call: Call, caller: Caller, lines: Vec<CheckoutLine>, bin: Vec<u8>) -> Answered {
    let checkout: IntentId = call.id(0, "checkout.unknown")?;
    if checkout.bucket() != caller.account.id.bucket() {
        return Err(Refusal::new("intent.bucket").into());
    }
    let signed = text(&caller, Body::PutCheckout { checkout, lines }, bin, call.now)?;
    let (results, _) = call.items(Ask::direct(caller.actor(), signed)).await?;
    for result in &results {
        decided(&result.state)?;
    }
    let now = call.now;
    let view = call.app.read(move |reader| async move { reader.checkout(&caller, checkout, now).await });
    json(&view.await?)
}

/// The text of an act that needs no signature. Its number is 0, which no device mints.
fn text(caller: &Caller, body: Body, bin: Vec<u8>, now: Time) -> Result<SignedText, ApiError> {
    let bucket = caller.account.id.bucket();
    let unix_ms = u64::try_from(now.millis()).unwrap_or_default();
    let mint = Mint {
        id: IntentId::from_bytes(form_u(unix_ms, bucket, random()?)).map_err(ApiError::internal)?,
        account: caller.account.id,
        device: caller.device.id,
        epoch: caller.device.epoch,
        dev_seq: 0,
        made_at: now,
        made_err_ms: 0,
        not_after: now.plus(life(&body).default),
        max_total: None,
    };
    let text = IntentText::of(mint, &body, &bin)?.compose()?;
    Ok(SignedText { text, bin, sig: None })
}

/// Whether an item was accepted; else its code.
fn decided(state: &PushState) -> Result<(), ApiError> {
    match state {
        PushState::Decided { outcome: OutcomeView::Accepted { .. } } => Ok(()),
        PushState::Decided { outcome: OutcomeView::Rejected { code, .. } } => {
            Err(ApiError::of_text(code, 422))
        }
        PushState::Later { after_ms } => Err(ApiError::busy(after_ms.div_ceil(1_000))),
        other => Err(ApiError::internal(format!("{other:?}"))),
    }
}

/// Places the orders, then begins their payments. Each text has its own outcome.
pub(crate) async fn checkout_place(call: Call, caller: Caller) -> Answered {
    let checkout: IntentId = call.id(0, "checkout.unknown")?;
    let request: PlaceRequest = call.json()?;
    request.check()?;
    let checkout: Option<Checkout> =
        call.app.reader().row(Key::checkout(caller.account.id, checkout)).await?;
    if checkout.is_none() {
        return Err(ApiError::new("checkout.unknown"));
    }
    let mut touch = Vec::new();
    let orders = decide_each(&call, &caller, request.orders, &mut touch).await?;
    let pay = decide_each(&call, &caller, request.pay, &mut touch).await?;
    // One sequence a bucket: the last one.
    touch.sort_unstable_by(|a, b| b.cmp(a));
    touch.dedup_by_key(|touch| touch.bucket);
    touch.reverse();
    json(&PlaceResponse { now: call.now, orders, pay, touch })
}

async fn decide_each(
    call: &Call,
    caller: &Caller,
    texts: Vec<SignedText>,
    touch: &mut Vec<Touch>,
) -> Result<Vec<PushResult>, ApiError> {
    let mut results = Vec::with_capacity(texts.len());
    for signed in texts {
        // What was decided before stays decided: the same request again gets the same outcomes.
        let (result, moved) = call.items(Ask::direct(caller.actor(), signed)).await?;
        results.extend(result);
        touch.extend(moved);
    }
    Ok(results)
}
