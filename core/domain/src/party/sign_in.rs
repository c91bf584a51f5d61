//! Registration, tokens and devices, as acts of the server (spec/market.md 2.2, spec/sync.md 4.4, 12.1).
//!
//! Challenges, codes and secrets are checked before these acts are made; here only rows are.

use super::{Account, AccountRoles, ContactClaim, Device, DeviceState, Token, TokenHash, TokenKind};
use crate::context::Context;
use crate::id::{AccountId, DeviceId};
use crate::intent::{EnrolDevice, Tokens};
use crate::outcome::{Facts, Refusal};
use crate::rows::{Key, Rows, Stop};

/// Gives a contact to an account, unless it belongs to one already: answers `account` either way.
pub fn claim_contact(
    hash: &[u8; 32],
    account: AccountId,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    if let Some(claim) = rows.find::<ContactClaim>(&Key::contact_claim(hash))? {
        return Ok(Facts::none().with_text("account", claim.account).with("new", false));
    }
    rows.put(ContactClaim { contact_hash: *hash, account, claimed_at: ctx.now })?;
    Ok(Facts::none().with_text("account", account).with("new", true))
}

/// Registers a device, opening the account if it is new. The same device and key again change nothing.
/// Refuses: `device.known` (the id with another key).
pub fn enrol_device(enrol: &EnrolDevice, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let (account_key, device_key) = (Key::account(enrol.account), Key::device(enrol.account, enrol.device));
    let replaced_key = enrol.replaces.map(|device| Key::device(enrol.account, device));
    rows.need([&account_key, &device_key].into_iter().chain(&replaced_key))?;
    if let Some(device) = rows.find::<Device>(&device_key)? {
        if device.key != enrol.key {
            return Err(Refusal::new("device.known").into());
        }
        return Ok(Facts::none().with("epoch", device.epoch));
    }
    if rows.find::<Account>(&account_key)?.is_none() {
        rows.put(Account {
            id: enrol.account,
            name: enrol.name.clone(),
            roles: enrol.roles,
            opened_at: ctx.now,
            shop: None,
        })?;
    }
    if let Some(key) = replaced_key
        && let Some(former) = rows.find::<Device>(&key)?
        && former.state == DeviceState::Active
    {
        let former = Device { state: DeviceState::Replaced, ..former.clone() };
        rows.put(former)?;
    }
    rows.put(Device {
        id: enrol.device,
        account: enrol.account,
        key: enrol.key.clone(),
        epoch: 1,
        state: DeviceState::Active,
        label: enrol.label.clone(),
        registered_at: ctx.now,
    })?;
    Ok(Facts::none().with("epoch", 1i64))
}

/// What an account is approved as.
pub fn roles_of(account: AccountId, rows: &Rows) -> Result<AccountRoles, Stop> {
    Ok(rows.find::<Account>(&Key::account(account))?.map(|account| account.roles).unwrap_or_default())
}

/// Issues the first tokens of a sign-in. Refuses: `device.revoked`.
pub fn issue_tokens(tokens: &Tokens, _ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    active_device(tokens.account, tokens.device, rows)?;
    put_tokens(tokens, None, rows)?;
    Ok(Facts::none())
}

/// A refresh token was used. A former one stays good until its successor has been used once; used after that, the
/// family is revoked (`token.reused`). Refuses: `token.unknown`, `token.expired`, `token.reused`, `device.revoked`.
pub fn rotate_tokens(
    used: &TokenHash,
    tokens: &Tokens,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let used_key = Key::token(tokens.account.bucket(), &used.0);
    let token: Token = rows.get::<Token>(&used_key, "token.unknown")?.clone();
    let TokenKind::Refresh { replaces, spent } = token.kind else {
        return Err(Refusal::new("token.unknown").into());
    };
    if token.account != tokens.account || token.device != tokens.device {
        return Err(Refusal::new("token.unknown").into());
    }
    if ctx.now > token.expires_at {
        return Err(Refusal::new("token.expired").into());
    }
    active_device(tokens.account, tokens.device, rows)?;
    if spent {
        // Somebody uses a token whose successor is in use: one of the two stole it. Accepted as an act, because
        // the revocation must stick; the route turns the fact into `token.reused`.
        revoke_device(tokens.account, tokens.device, rows)?;
        return Ok(Facts::none().with("reused", true));
    }
    if let Some(former) = replaces
        && let Some(row) = rows.find::<Token>(&Key::token(tokens.account.bucket(), &former.0))?
    {
        if matches!(row.kind, TokenKind::Refresh { spent: true, .. }) {
            // Its answer was lost and another successor is in use: whoever brings it late did not sign in with it.
            return Err(Refusal::new("token.unknown").into());
        }
        let row = Token { kind: TokenKind::Refresh { replaces: None, spent: true }, ..row.clone() };
        rows.put(row)?;
    }
    rows.put(Token { kind: TokenKind::Refresh { replaces: None, spent: false }, ..token })?;
    put_tokens(tokens, Some(*used), rows)?;
    Ok(Facts::none())
}

fn active_device(account: AccountId, device: DeviceId, rows: &Rows) -> Result<&Device, Stop> {
    let device: &Device = rows.get(&Key::device(account, device), "device.unknown")?;
    match device.state {
        DeviceState::Active => Ok(device),
        DeviceState::Replaced | DeviceState::Revoked => Err(Refusal::new("device.revoked").into()),
    }
}

fn put_tokens(tokens: &Tokens, replaces: Option<TokenHash>, rows: &mut Rows) -> Result<(), Stop> {
    let of = |hash: TokenHash, kind: TokenKind, expires_at| Token {
        hash: hash.0,
        account: tokens.account,
        device: tokens.device,
        kind,
        expires_at,
    };
    rows.put_new(of(tokens.access, TokenKind::Access, tokens.access_until));
    rows.put_new(of(tokens.refresh, TokenKind::Refresh { replaces, spent: false }, tokens.refresh_until));
    Ok(())
}

/// Cuts a device off; its tokens end with it, because they are checked against its state.
pub fn revoke_device(account: AccountId, device: DeviceId, rows: &mut Rows) -> Result<Facts, Stop> {
    let device: Device = rows.get::<Device>(&Key::device(account, device), "device.unknown")?.clone();
    rows.put(Device { state: DeviceState::Revoked, ..device })?;
    Ok(Facts::none())
}

/// Raises a device's epoch above what both sides know. Refuses: `device.revoked`.
pub fn raise_epoch(account: AccountId, device: DeviceId, have: u32, rows: &mut Rows) -> Result<Facts, Stop> {
    let device = active_device(account, device, rows)?.clone();
    let epoch = device.epoch.max(have).checked_add(1).ok_or(Refusal::new("device.epoch"))?;
    rows.put(Device { epoch, ..device })?;
    Ok(Facts::none().with("epoch", epoch))
}
