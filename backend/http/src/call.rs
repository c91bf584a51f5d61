//! A request on its way to a handler: what the gate has let through, and the forms of an answer.

use std::net::IpAddr;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use souk_domain::outcome::Outcome;
use souk_domain::time::Time;
use souk_engine::{Answer, Ask};
use souk_protocol::sync::{PushResult, Touch};

use crate::app::App;
use crate::body;
use crate::error::ApiError;
use crate::route::Answered;

/// A request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) app: App,
    /// The time at which it came.
    pub(crate) now: Time,
    /// Whose address it came from.
    pub(crate) peer: IpAddr,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    /// Parameters of the path, in their order.
    pub(crate) params: Vec<String>,
    pub(crate) body: Bytes,
}

impl Call {
    /// The body as JSON. Refuses `request.form{field, at}`.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        body::json(&self.body)
    }

    /// The query. Refuses `request.form{field}`.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        Ok(Query::try_from_uri(&self.uri).map_err(|_| ApiError::form("query"))?.0)
    }

    /// A parameter of the path.
    pub(crate) fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    /// A parameter of the path as an id: what is no id names nothing, so it is answered like an id that is not there.
    pub(crate) fn id<T: FromStr>(&self, at: usize, unknown: &'static str) -> Result<T, ApiError> {
        self.param(at).parse().map_err(|_| ApiError::new(unknown))
    }

    /// Has something decided. What became of it is durable when this returns.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Answer, ApiError> {
        match self.app.engine().decide(ask).await {
            Answer::Refused(refusal) => Err(refusal.into()),
            Answer::Later { after_ms } => Err(ApiError::busy(after_ms.div_ceil(1_000))),
            Answer::Failed { code } => Err(ApiError::internal(code)),
            answer @ (Answer::Items { .. } | Answer::Server(_)) => Ok(answer),
        }
    }

    /// Has an act of the server decided.
    pub(crate) async fn act(&self, ask: Ask) -> Result<Outcome, ApiError> {
        match self.ask(ask).await? {
            Answer::Server(outcome) => Ok(outcome),
            other => Err(ApiError::internal(format!("{other:?}"))),
        }
    }

    /// Has items decided.
    pub(crate) async fn items(&self, ask: Ask) -> Result<(Vec<PushResult>, Vec<Touch>), ApiError> {
        match self.ask(ask).await? {
            Answer::Items { results, touch } => Ok((results, touch)),
            other => Err(ApiError::internal(format!("{other:?}"))),
        }
    }
}

/// An answer of JSON.
pub(crate) fn json(value: &impl Serialize) -> Answered {
    json_with(StatusCode::OK, value)
}

/// An answer of JSON with another status.
pub(crate) fn json_with(status: StatusCode, value: &impl Serialize) -> Answered {
    let bytes = serde_json::to_vec(value).map_err(ApiError::internal)?;
    Ok((status, [("content-type", "application/json"), ("cache-control", "no-store")], bytes).into_response())
}

/// An answer without a body.
pub(crate) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Random bytes. Without them nothing that is secret can be made.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    souk_crypto::random::array().map_err(ApiError::internal)
}
