//! Requests as bytes, and answers as the machine reads them (spec/sync.md 5, table of codes).

use serde::Serialize;
use serde::de::DeserializeOwned;
use souk_crypto::sign::{Signer, sign_checked};
use souk_domain::party::DeviceKey;
use souk_domain::time::Time;
use souk_protocol::auth::{
    ChallengeRequest, EpochRequest, RegisterRequest, TokenRequest, registration_digest,
};
use souk_protocol::codes::ErrorBody;

use crate::error::{StoreError, StoreResult};
use crate::store::DeviceFiles;
use crate::store::session;
use crate::sync::{Answer, Event, Fault, LiveEvent, LiveStop, ReqId, Request};

/// A request as it leaves the device.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path and query, from the server's root.
    pub path: String,
    /// Token for `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// JSON; empty for GET.
    pub body: Vec<u8>,
    /// Longest wait for the answer, milliseconds; 0 = as long as the stream says something.
    pub timeout_ms: u64,
}

// Tokens and bodies never reach a log.
impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// How a request ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HttpAnswer {
    /// The server said something.
    Said {
        /// HTTP status.
        status: u16,
        /// `Retry-After`, seconds.
        retry_after_s: Option<u64>,
        /// The body.
        body: Vec<u8>,
    },
    /// Time-out, reset, no network.
    Failed,
}

/// Longest wait for a push, milliseconds (lane `money`: spec/sync.md 3.2).
const PUSH_TIMEOUT_MS: u64 = 30_000;
/// Longest wait for anything else, milliseconds.
const TIMEOUT_MS: u64 = 15_000;
/// Wait when a server is busy and does not say how long, milliseconds.
const BUSY_MS: u64 = 5_000;

fn json<T: Serialize>(value: &T) -> StoreResult<Vec<u8>> {
    serde_json::to_vec(value).map_err(|_| StoreError::Form { table: "request", what: "json" })
}

fn post(path: &str, body: Vec<u8>, bearer: Option<String>, timeout_ms: u64) -> HttpRequest {
    HttpRequest { method: "POST", path: path.to_owned(), bearer, body, timeout_ms }
}

/// Makes the bytes of a request; secrets come from the files.
pub(super) fn render(
    request: &Request,
    files: &DeviceFiles,
    signer: &dyn Signer,
) -> StoreResult<HttpRequest> {
    let bearer = || Ok::<_, StoreError>(session::tokens(&files.user)?.map(|tokens| tokens.access));
    let key = || DeviceKey::new(signer.public_key());
    Ok(match request {
        Request::Challenge => {
            let install = files.install()?;
            let body = json(&ChallengeRequest { key: key(), install })?;
            post("/v1/devices/challenge", body, None, TIMEOUT_MS)
        }
        Request::Register { join, challenge } => {
            let d = registration_digest(challenge, &signer.public_key());
            let sig = sign_checked(signer, &d)
                .map_err(|_| StoreError::Form { table: "request", what: "signature" })?;
            let body = RegisterRequest {
                contact: join.contact.clone(),
                code: join.code.clone(),
                challenge: *challenge,
                key: key(),
                sig,
                name: join.name.clone(),
                platform: join.platform.clone(),
                model: join.model.clone(),
                // The same account takes the place of its former device; what that one signed stays good.
                replaces: session::session(&files.user)?.map(|former| former.device),
                as_courier: join.as_courier,
            };
            post("/v1/devices", json(&body)?, None, TIMEOUT_MS)
        }
        Request::Token => {
            let refresh = session::tokens(&files.user)?.map(|tokens| tokens.refresh).unwrap_or_default();
            post("/v1/auth/token", json(&TokenRequest { refresh })?, None, TIMEOUT_MS)
        }
        Request::Epoch { have } => {
            let body = json(&EpochRequest { have: *have })?;
            post("/v1/devices/me/epoch", body, bearer()?, TIMEOUT_MS)
        }
        Request::Push(push) => post("/v1/sync/push", json(push)?, bearer()?, PUSH_TIMEOUT_MS),
        Request::Pull { pull, signed_in } => {
            let bearer = if *signed_in { bearer()? } else { None };
            post("/v1/sync/pull", json(pull)?, bearer, TIMEOUT_MS)
        }
        Request::Live { scopes } => {
            let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
            HttpRequest {
                method: "GET",
                path: format!("/v1/sync/live?scopes={}", scopes.join(",")),
                bearer: bearer()?,
                body: Vec::new(),
                timeout_ms: 0,
            }
        }
    })
}

/// The event of a request that could not be made.
pub(super) fn failed(req: ReqId, request: &Request) -> Event {
    match request {
        Request::Live { .. } => Event::Live { req, event: LiveEvent::Stopped(LiveStop::Broken) },
        Request::Challenge
        | Request::Register { .. }
        | Request::Token
        | Request::Epoch { .. }
        | Request::Push(_)
        | Request::Pull { .. } => Event::Http { req, answer: Answer::Fault(Fault::Failed) },
    }
}

/// Reads an answer; what cannot be read counts as failed.
pub(super) fn read(request: &Request, answer: HttpAnswer) -> Answer {
    let HttpAnswer::Said { status, retry_after_s, body } = answer else {
        return Answer::Fault(Fault::Failed);
    };
    if (200..300).contains(&status) {
        let read = match request {
            Request::Challenge => parse(&body).map(Answer::Challenge),
            Request::Register { .. } => parse(&body).map(|answer| Answer::Registered(Box::new(answer))),
            Request::Token => parse(&body).map(Answer::Tokens),
            Request::Epoch { .. } => parse(&body).map(Answer::Epoch),
            Request::Push(_) => parse(&body).map(Answer::Push),
            Request::Pull { .. } => parse(&body).map(Answer::Pull),
            Request::Live { .. } => None,
        };
        return read.unwrap_or(Answer::Fault(Fault::Failed));
    }
    Answer::Fault(fault(status, retry_after_s, &body))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// The fault of a status and its error body.
pub fn fault(status: u16, retry_after_s: Option<u64>, body: &[u8]) -> Fault {
    let code = parse::<ErrorBody>(body).map(|body| body.error.code).unwrap_or_default();
    let after_ms = retry_after_s.map_or(BUSY_MS, |seconds| seconds.saturating_mul(1_000));
    match (status, code.as_str()) {
        (400, "request.form" | "") | (415, _) => Fault::Broken,
        // A wrong code or signature at sign-in is answered by 401 too, and is no matter of tokens.
        (401, code) if code.starts_with("auth.") => Fault::Refused { code: code.to_owned() },
        (401, _) => Fault::Token,
        (403, "device.revoked") => Fault::Revoked,
        (404, _) => Fault::NotFound,
        (409, "device.epoch") => Fault::Epoch,
        (413, _) => Fault::TooLarge,
        (426, _) => Fault::TooOld,
        (429 | 503, _) => Fault::Slow { after_ms },
        (400..=499, _) => Fault::Refused { code },
        _ => Fault::Failed,
    }
}

/// The server's time in an answer.
pub(super) fn server_now(answer: &Answer) -> Option<Time> {
    match answer {
        Answer::Challenge(answer) => Some(answer.now),
        Answer::Registered(answer) => Some(answer.tokens.now),
        Answer::Tokens(answer) => Some(answer.now),
        Answer::Epoch(answer) => Some(answer.now),
        Answer::Push(answer) => Some(answer.now),
        Answer::Pull(answer) => Some(answer.now),
        Answer::Fault(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use souk_domain::outcome::Refusal;

    use super::*;

    /// The table of codes of spec/sync.md 5.
    #[test]
    fn statuses_and_codes() {
        let body = |code: &'static str| serde_json::to_vec(&ErrorBody::of(&Refusal::new(code), "r")).unwrap();
        let mut out = String::new();
        for (status, code) in [
            (400, "request.form"),
            (400, "auth.code"),
            (401, "auth.code"),
            (401, "token.expired"),
            (403, "device.revoked"),
            (403, "auth.forbidden"),
            (404, "scope.unknown"),
            (409, "device.epoch"),
            (409, "device.known"),
            (413, "request.too_large"),
            (415, "request.encoding"),
            (422, "intent.conflict"),
            (426, "app.too_old"),
            (429, "server.slow"),
            (500, "server.error"),
            (503, "server.busy"),
        ] {
            out += &format!("{status} {code}: {:?}\n", fault(status, None, &body(code)));
        }
        out += &format!("503 in 7 s: {:?}\n", fault(503, Some(7), b"<html>"));
        out += &format!("400 of a proxy: {:?}\n", fault(400, None, b"<html>"));
        expect![[r#"
            400 request.form: Broken
            400 auth.code: Refused { code: "auth.code" }
            401 auth.code: Refused { code: "auth.code" }
            401 token.expired: Token
            403 device.revoked: Revoked
            403 auth.forbidden: Refused { code: "auth.forbidden" }
            404 scope.unknown: NotFound
            409 device.epoch: Epoch
            409 device.known: Refused { code: "device.known" }
            413 request.too_large: TooLarge
            415 request.encoding: Broken
            422 intent.conflict: Refused { code: "intent.conflict" }
            426 app.too_old: TooOld
            429 server.slow: Slow { after_ms: 5000 }
            500 server.error: Failed
            503 server.busy: Slow { after_ms: 5000 }
            503 in 7 s: Slow { after_ms: 7000 }
            400 of a proxy: Broken
        "#]]
        .assert_eq(&out);
    }

    #[test]
    fn answers_that_cannot_be_read_count_as_failed() {
        let request = Request::Epoch { have: 1 };
        for body in [&b""[..], b"{}", b"null", b"[1", &[0xff; 40]] {
            let answer = HttpAnswer::Said { status: 200, retry_after_s: None, body: body.to_vec() };
            assert_eq!(read(&request, answer), Answer::Fault(Fault::Failed));
        }
    }
}
