//! Errors of the API: one form, one place that logs.
//!
//! Rules: design.md 7, spec/sync.md 5. Always: the body is `{"error":{"code","message","report", …}}`, the status is
//! that of the code's row, the report id names the log entry, and neither log nor message holds personal data.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use souk_domain::id::hex;
use souk_domain::outcome::Refusal;
use souk_engine::EngineError;
use souk_protocol::codes::{self, ErrorBody};
use souk_store::StoreError;

/// Bytes of a report id: enough to find one entry among the logs of a year.
const REPORT_BYTES: usize = 6;
/// What a client waits when the server is busy and says nothing else, seconds.
pub(crate) const BUSY_AGAIN_S: u64 = 1;

/// Why a request was not answered with what it asked for.
#[derive(Debug)]
pub(crate) struct ApiError {
    refusal: Refusal,
    status: u16,
    retry_after_s: Option<u64>,
    /// Methods that the path has.
    allow: Option<String>,
    /// For the log alone.
    cause: Option<String>,
}

impl ApiError {
    /// An error of this code.
    pub(crate) fn new(code: &'static str) -> ApiError {
        Refusal::new(code).into()
    }

    /// The body or query cannot be read: the field is named.
    pub(crate) fn form(field: &'static str) -> ApiError {
        Refusal::new("request.form").with("field", field).into()
    }

    /// An error of ours; the cause goes to the log, never to the client.
    pub(crate) fn internal(cause: impl ToString) -> ApiError {
        ApiError { cause: Some(cause.to_string()), ..ApiError::new("core.internal") }
    }

    /// The server cannot take it now.
    pub(crate) fn busy(after_s: u64) -> ApiError {
        ApiError { retry_after_s: Some(after_s.max(BUSY_AGAIN_S)), ..ApiError::new("server.busy") }
    }

    /// Too many requests.
    pub(crate) fn slow(after_s: u64) -> ApiError {
        ApiError { retry_after_s: Some(after_s.max(1)), ..ApiError::new("server.slow") }
    }

    /// The path has other methods.
    pub(crate) fn method(allow: String) -> ApiError {
        ApiError { allow: Some(allow), ..ApiError::new("route.method") }
    }

    /// A code that came as text, from a push result or a webhook: a status of its own where the table has none.
    pub(crate) fn of_text(code: &str, status_else: u16) -> ApiError {
        match codes::find(code) {
            Some(row) => ApiError::new(row.code),
            None => ApiError {
                status: status_else,
                cause: Some(code.to_owned()),
                ..ApiError::new("core.internal")
            },
        }
    }

    /// The stable code.
    #[cfg(test)]
    pub(crate) fn code(&self) -> &'static str {
        self.refusal.code
    }

    /// The same, but said in other words: where a stranger may not learn that the thing exists.
    pub(crate) fn hidden_as(self, code: &'static str, hidden: &[&str]) -> ApiError {
        if hidden.contains(&self.refusal.code) { ApiError::new(code) } else { self }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let status = codes::status_of(refusal.code);
        ApiError { refusal, status, retry_after_s: None, allow: None, cause: None }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> ApiError {
        match error {
            EngineError::Refused(refusal) => refusal.into(),
            EngineError::Store(StoreError::Full) => ApiError::new("store.full"),
            EngineError::Stopped => ApiError::busy(BUSY_AGAIN_S),
            EngineError::Store(error) => ApiError::internal(error),
            EngineError::Settings(_) | EngineError::Rule(_) => ApiError::internal(error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        EngineError::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let report = report();
        let (code, cause) = (self.refusal.code, self.cause.as_deref().unwrap_or_default());
        if self.status >= 500 {
            tracing::error!(report, code, cause, status = self.status, "a request failed");
        } else {
            tracing::debug!(report, code, cause, status = self.status, "a request was refused");
        }
        let body = ErrorBody::of(&self.refusal, report);
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(after_s) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after_s));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

/// A random name for a log entry; without randomness there is none, and the answer goes out all the same.
fn report() -> String {
    souk_crypto::random::array::<REPORT_BYTES>().map(|bytes| hex(&bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_headers() {
        let seen = |error: ApiError| {
            let response = error.into_response();
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            (
                response.status().as_u16(),
                header(header::RETRY_AFTER),
                header(header::WWW_AUTHENTICATE),
                header(header::ALLOW),
            )
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(seen(ApiError::form("lines")), (400, None, None, None));
        assert_eq!(seen(ApiError::new("token.unknown")), (401, None, text("Bearer"), None));
        assert_eq!(seen(ApiError::slow(0)), (429, text("1"), None, None));
        assert_eq!(seen(ApiError::busy(7)), (503, text("7"), None, None));
        assert_eq!(seen(ApiError::method("GET, PUT".into())), (405, None, None, text("GET, PUT")));
        assert_eq!(seen(ApiError::internal("secret")), (500, None, None, None));
        assert_eq!(seen(StoreError::Full.into()), (507, None, None, None));
        assert_eq!(seen(EngineError::Stopped.into()), (503, text("1"), None, None));
        assert_eq!(seen(ApiError::of_text("intent.actor", 422)), (403, None, None, None));
        assert_eq!(seen(ApiError::of_text("rule.we_do_not_know", 422)), (422, None, None, None));
        let hidden = ApiError::new("order.not_party").hidden_as("order.unknown", &["order.not_party"]);
        assert_eq!(hidden.code(), "order.unknown");
    }
}
