//! What a call gives: the answer to its caller, and what it has set off.

use serde::Serialize;

use super::faults::Fault;
use super::store::SandboxError;
use super::wire::{ErrorBody, ErrorView};

/// One answer, as it is kept with its idempotency key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Reply {
    /// An answer with an object.
    pub(super) fn json(status: u16, body: &impl Serialize) -> Result<Reply, SandboxError> {
        let body = serde_json::to_string(body).map_err(|_| SandboxError::Corrupt("amount"))?;
        Ok(Reply { status, body })
    }

    /// A refusal with a stable code.
    pub(super) fn refused(status: u16, code: &str, message: &str) -> Reply {
        let error = ErrorBody { code: code.to_owned(), message: message.to_owned() };
        // Two strings always have a JSON form.
        Reply { status, body: serde_json::to_string(&ErrorView { error }).unwrap_or_default() }
    }
}

/// The result of one call inside its commit.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) reply: Reply,
    /// Faults of the groups money and webhook that took effect.
    pub(super) applied: Vec<Fault>,
    /// Whether the key keeps this answer. Answers that say only that the request makes no sense are not kept.
    pub(super) keep: bool,
}

impl Outcome {
    /// An answer that the key keeps.
    pub(super) fn kept(reply: Reply, applied: Vec<Fault>) -> Outcome {
        Outcome { reply, applied, keep: true }
    }

    /// An answer that leaves no trace.
    pub(super) fn passing(reply: Reply) -> Outcome {
        Outcome { reply, applied: Vec::new(), keep: false }
    }
}
