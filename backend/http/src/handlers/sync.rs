//! Push, pull and hints: `/v1/sync/*` (spec/sync.md 5).

use serde::Deserialize;
use souk_domain::outcome::Refusal;
use souk_domain::scope::Scope;
use souk_engine::Ask;
use souk_engine::reader::Caller;
use souk_protocol::limits::{LABEL_CHARS_MAX, PULL_SCOPES_MAX};
use souk_protocol::sync::{PullRequest, PushRequest, PushResponse, VERSION, VERSION_MIN};

use crate::call::{Call, json};
use crate::error::ApiError;
use crate::gate::bearer;
use crate::live;
use crate::route::Answered;

/// Decides the items of a push.
pub(crate) async fn push(call: Call, caller: Caller) -> Answered {
    let request: PushRequest = call.json()?;
    check_program(request.v, &request.app)?;
    request.check(call.body.len())?;
    // Texts are read, hashed and their signatures checked here, not on the writer's thread.
    let ask = Ask::push(caller.actor(), request.epoch, request.items);
    let (results, touch) = call.items(ask).await?;
    let generation = call.app.reader().generation();
    json(&PushResponse { generation, now: call.now, results, slow: Vec::new(), touch })
}

/// What has changed in the scopes that a device follows; a guest follows public ones.
pub(crate) async fn pull(call: Call, caller: Option<Caller>) -> Answered {
    let request: PullRequest = call.json()?;
    check_program(request.v, &request.app)?;
    let now = call.now;
    let pulled =
        call.app.read(move |reader| async move { reader.pull(caller.as_ref(), &request, now).await });
    json(&pulled.await?)
}

/// Whether this program can be served. Refuses `app.too_old{min}`, `request.form{field}`, `request.too_large{field}`.
fn check_program(v: u32, app: &str) -> Result<(), ApiError> {
    if v < VERSION_MIN {
        return Err(Refusal::new("app.too_old").with("min", VERSION_MIN).into());
    }
    if v > VERSION {
        return Err(ApiError::form("v"));
    }
    if app.chars().count() > LABEL_CHARS_MAX {
        let refusal = Refusal::new("request.too_large").with("field", "app");
        return Err(refusal.with("limit", LABEL_CHARS_MAX as i64).into());
    }
    Ok(())
}

#[derive(Deserialize)]
struct LiveQuery {
    scopes: String,
}

/// Opens the device's stream of hints.
pub(crate) async fn live_open(call: Call, caller: Caller) -> Answered {
    let query: LiveQuery = call.query()?;
    let mut scopes = Vec::new();
    for name in query.scopes.split(',') {
        if scopes.len() == PULL_SCOPES_MAX {
            let refusal = Refusal::new("request.too_large").with("field", "scopes");
            return Err(refusal.with("limit", PULL_SCOPES_MAX as i64).into());
        }
        let scope: Scope = name.parse().map_err(|_| ApiError::new("scope.unknown"))?;
        if !call.app.reader().may_follow(caller.account.id, &scope).await? {
            return Err(ApiError::new("scope.unknown"));
        }
        scopes.push(scope);
    }
    let token = bearer(&call.headers).unwrap_or_default().to_owned();
    Ok(live::stream(call.app, caller, token, scopes))
}
