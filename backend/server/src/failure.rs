//! Failures of the program: a stable code and a message; printed as JSON, exit code 1 (design.md 9).

use serde::Serialize;

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// `area.reason`.
    pub code: String,
    /// For people, in English.
    pub message: String,
}

impl Failure {
    /// A failure.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure { code: code.into(), message: message.into() }
    }

    /// `{"error":{"code","message"}}`.
    pub fn to_json(&self) -> String {
        serde_json::json!({"error": self}).to_string()
    }
}

impl From<souk_store::StoreError> for Failure {
    fn from(error: souk_store::StoreError) -> Failure {
        Failure::new(error.code(), error.to_string())
    }
}

impl From<souk_engine::EngineError> for Failure {
    fn from(error: souk_engine::EngineError) -> Failure {
        Failure::new(error.code(), error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::new("program.io", error.to_string())
    }
}
