//! Devices: `/v1/devices*` (spec/sync.md 5, 12.1).

use axum::http::StatusCode;
use souk_domain::id::{AccountId, DeviceId};
use souk_domain::outcome::Outcome;
use souk_domain::party::{Account, AccountRoles, Device, DeviceState};
use souk_domain::rows::Key;
use souk_engine::reader::Caller;
use souk_engine::sign_in::{self, Registration};
use souk_protocol::auth::{DeviceView, DevicesResponse, EpochRequest, EpochResponse, RegisterRequest};
use souk_protocol::limits::{DEVICES_BUYER_MAX, DEVICES_COURIER_MAX, DEVICES_STAFF_MAX};

use super::sign_in::remember;
use crate::call::{Call, json, json_with, no_content, random};
use crate::error::ApiError;
use crate::route::Answered;

/// Registers a device: contact and key are proven first, then contact, device and tokens are decided one by one. A
/// repeat after a lost answer finds the same device.
pub(crate) async fn device_register(call: Call) -> Answered {
    let request: RegisterRequest = call.json()?;
    if request.as_courier && !call.app.settings().open_courier_signup {
        return Err(ApiError::new("policy.off"));
    }
    let roles = AccountRoles { courier: request.as_courier, operator: false };
    let reader = call.app.reader();
    let mut registration = reader.register(&request, roles, call.now)?;
    call.app.codes().prove(reader, &request.contact, &request.code, call.now)?;
    if let Some(claim) = registration.claim() {
        registration.claimed(&call.act(claim).await?)?;
    }
    let (account, device) = (registration.account(), registration.device());
    check_room(&call, &registration, request.replaces).await?;
    let epoch = registration.enrolled(&call.act(registration.enrol()).await?)?;
    let tokens = reader.tokens(account, device, call.now, &random()?);
    let issued = call.act(tokens.issue()).await?;
    refused(&issued)?;
    if let Some(replaced) = request.replaces {
        call.app.streams().end(replaced);
    }
    let shop = reader.row::<Account>(Key::account(account)).await?.and_then(|account| account.shop);
    let response = reader.registered(&registration, epoch, tokens, shop);
    remember(&call.app, &response.tokens, account, device);
    json_with(StatusCode::CREATED, &response)
}

/// Whether the account may have one more device. Refuses `device.too_many{limit}`.
async fn check_room(
    call: &Call,
    registration: &Registration,
    replaces: Option<DeviceId>,
) -> Result<(), ApiError> {
    let reader = call.app.reader();
    let Some(account) = reader.row::<Account>(Key::account(registration.account())).await? else {
        return Ok(());
    };
    let limit = match account.roles {
        AccountRoles { operator: true, .. } => DEVICES_STAFF_MAX,
        AccountRoles { courier: true, .. } => DEVICES_COURIER_MAX,
        AccountRoles { .. } if account.shop.is_some() => DEVICES_STAFF_MAX,
        AccountRoles { .. } => DEVICES_BUYER_MAX,
    };
    let counts = |device: &&Device| {
        device.state == DeviceState::Active
            && device.id != registration.device()
            && Some(device.id) != replaces
    };
    let devices = reader.store().devices_of(account.id).await?;
    if devices.iter().filter(counts).count() >= limit {
        let refusal = souk_domain::outcome::Refusal::new("device.too_many");
        return Err(refusal.with("limit", limit as i64).into());
    }
    Ok(())
}

/// The account's devices.
pub(crate) async fn device_list(call: Call, caller: Caller) -> Answered {
    let devices = call.app.reader().store().devices_of(caller.account.id).await?;
    json(&DevicesResponse { devices: devices.iter().map(DeviceView::from).collect() })
}

/// Cuts a device of the account off; its hints end at once.
pub(crate) async fn device_revoke(call: Call, caller: Caller) -> Answered {
    let device: DeviceId = call.id(0, "device.unknown")?;
    let account: AccountId = caller.account.id;
    refused(&call.act(sign_in::revoke(account, device)).await?)?;
    call.app.streams().end(device);
    Ok(no_content())
}

/// Raises the calling device's epoch.
pub(crate) async fn device_epoch(call: Call, caller: Caller) -> Answered {
    let request: EpochRequest = call.json()?;
    let ask = sign_in::raise_epoch(caller.account.id, caller.device.id, request.have);
    let epoch = sign_in::epoch_of(&call.act(ask).await?)?;
    json(&EpochResponse { epoch, generation: call.app.reader().generation(), now: call.now })
}

/// A refused act of the server as an error.
fn refused(outcome: &Outcome) -> Result<(), ApiError> {
    match outcome.code() {
        Some(code) => Err(ApiError::of_text(code, 500)),
        None => Ok(()),
    }
}
