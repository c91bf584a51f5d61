//! Codes, challenges and tokens: `/v1/auth/*`, `/v1/devices/challenge` (spec/market.md 2.2, spec/sync.md 12.1).

use serde::Deserialize;
use souk_crypto::hash::sha256;
use souk_protocol::auth::{
    ChallengeRequest, ChallengeResponse, CodeRequest, TokenRequest, TokenResponse, canonical_contact,
    parse_token,
};
use souk_protocol::limits::TOKEN_PER_HOUR_MAX;

use crate::app::App;
use crate::call::{Call, json, no_content, random};
use crate::error::ApiError;
use crate::limiter::{Counter, Subject};
use crate::route::{Answered, Rate};

/// Codes that one network block may have sent (spec/market.md 2.2).
const CODES_OF_BLOCK: Rate = Rate::per_hour(20);
/// Counts beside those of the routes.
const CODES_COUNTER: Counter = Counter::MAX - 1;
const RENEWALS_COUNTER: Counter = Counter::MAX - 2;

/// Sends a code. Nobody learns here whether the contact is known, or whether a code was sent.
pub(crate) async fn code_send(call: Call) -> Answered {
    let request: CodeRequest = call.json()?;
    let contact = request.canonical()?;
    let rate = CODES_OF_BLOCK.times(call.app.settings().rate_factor);
    let taken = call.app.limiter().take(CODES_COUNTER, Subject::block(call.peer), rate, call.now);
    taken.map_err(ApiError::slow)?;
    let random = u64::from_be_bytes(random()?);
    let code = call.app.codes().issue(call.app.reader(), &contact, call.now, random)?;
    if let Some(code) = code {
        let (sender, now) = (call.app.sender(), call.now);
        let send = async move { sender.send(&contact, &code, now).await };
        if call.app.mailbox().is_some() {
            // In a sandbox the code is there when the answer is.
            send.await;
        } else {
            // Beside the answer: how long a mail server takes must tell nothing.
            tokio::spawn(send);
        }
    }
    Ok(no_content())
}

/// Gives a key something to sign.
pub(crate) async fn challenge_get(call: Call) -> Answered {
    let request: ChallengeRequest = call.json()?;
    let (challenge, expires_at) = call.app.reader().challenge(&request.key, call.now);
    json(&ChallengeResponse { challenge, expires_at, now: call.now })
}

/// Gives new tokens for a refresh token.
pub(crate) async fn token_renew(call: Call) -> Answered {
    let request: TokenRequest = call.json()?;
    let (_, secret) = parse_token(&request.refresh)?;
    let used = sha256(&secret);
    let limiter = call.app.limiter();
    let subject =
        limiter.device_of(&used).map_or(Subject::Token(used), |(_, device)| Subject::Device(device));
    let rate = Rate::per_hour(TOKEN_PER_HOUR_MAX).times(call.app.settings().rate_factor);
    limiter.take(RENEWALS_COUNTER, subject, rate, call.now).map_err(ApiError::slow)?;
    let (tokens, ask) = call.app.reader().rotation(&request.refresh, call.now, &random()?).await?;
    let outcome = call.act(ask).await?;
    let device = limiter.device_of(&used);
    let given = match tokens.given(&outcome) {
        Ok(given) => given,
        Err(refusal) => {
            if let Some((_, device)) = device.filter(|_| refusal.code == "token.reused") {
                call.app.streams().end(device);
            }
            return Err(refusal.into());
        }
    };
    if let Some((account, device)) = device {
        remember(&call.app, &given, account, device);
    }
    json(&given)
}

/// Remembers whose tokens these are, so that their requests are counted before the store is read.
pub(crate) fn remember(
    app: &App,
    tokens: &TokenResponse,
    account: souk_domain::id::AccountId,
    device: souk_domain::id::DeviceId,
) {
    for token in [&tokens.access, &tokens.refresh] {
        if let Ok((_, secret)) = parse_token(token) {
            app.limiter().remember(sha256(&secret), account, device);
        }
    }
}

#[derive(Deserialize)]
struct CodesQuery {
    contact: String,
}

/// Shows the codes that a sandbox would have sent.
pub(crate) async fn sandbox_codes(call: Call) -> Answered {
    let mailbox = call.app.mailbox().ok_or(ApiError::new("route.unknown"))?;
    let query: CodesQuery = call.query()?;
    let contact = canonical_contact(&query.contact)?;
    json(&serde_json::json!({ "codes": mailbox.codes(&contact) }))
}
