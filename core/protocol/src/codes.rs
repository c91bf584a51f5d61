//! The public error codes, `area.reason`, each with its HTTP status and one line of meaning; and the one form of an
//! error in an answer.
//!
//! A code is never reused for another meaning. Rules: design.md 7, spec/sync.md 5. Frames of scanned codes (`qr.*`,
//! `proof.*` …) have their meaning in `souk_codes`; here they stand because screens and routes meet them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use souk_domain::outcome::Refusal;

mod table;
#[cfg(test)]
mod tests;

pub use table::CODES;

/// A public code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code {
    /// `area.reason`.
    pub code: &'static str,
    /// HTTP status of an answer that carries it as its error. A stored outcome that carries it is answered by 200.
    pub status: u16,
    /// What it means, for operators and the reference page.
    pub meaning: &'static str,
}

/// Status of a code that this program does not know: the request could not be done, and saying more would be wrong.
const STATUS_UNKNOWN: u16 = 422;

/// The row of a code.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.binary_search_by(|row| row.code.cmp(code)).ok().and_then(|at| CODES.get(at))
}

/// HTTP status of an answer whose error has this code.
pub fn status_of(code: &str) -> u16 {
    find(code).map_or(STATUS_UNKNOWN, |row| row.status)
}

/// `{"error":{"code","message","report", …facts of the code}}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorView,
}

/// An error as it travels. Screens match the code, never the message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErrorView {
    /// `area.reason`.
    pub code: String,
    /// For logs and developers, in English, without personal data.
    pub message: String,
    /// Names the log entry of this answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub report: String,
    /// Facts of the code.
    #[serde(flatten)]
    pub facts: Map<String, Value>,
}

impl ErrorBody {
    /// The body of a refusal; its message is the code's meaning.
    pub fn of(refusal: &Refusal, report: impl Into<String>) -> ErrorBody {
        let mut facts = crate::outcome::members(&refusal.facts);
        // The three fixed members are never hidden by a fact of the same name.
        for fixed in ["code", "message", "report"] {
            facts.remove(fixed);
        }
        ErrorBody {
            error: ErrorView {
                code: refusal.code.to_owned(),
                message: find(refusal.code).map_or("", |row| row.meaning).to_owned(),
                report: report.into(),
                facts,
            },
        }
    }
}
