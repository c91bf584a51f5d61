//! The engine's errors, and how a store's error ends a batch.

use souk_domain::outcome::Refusal;
use souk_store::StoreError;

/// Why the engine did not do something.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Said no, with a stable code and its facts.
    #[error("{}", .0.code)]
    Refused(Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A setting of the installation cannot be read: damage, or a newer program has written it.
    #[error("engine.settings: {0}")]
    Settings(&'static str),
    /// A bug in a rule: it asked for rows without end, or gave up where only a device may.
    #[error("engine.rule: {0}")]
    Rule(&'static str),
    /// The writer has stopped; nothing was decided.
    #[error("server.busy")]
    Stopped,
}

impl EngineError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            EngineError::Refused(refusal) => refusal.code,
            EngineError::Store(error) => error.code(),
            EngineError::Settings(_) => "engine.settings",
            EngineError::Rule(_) => "engine.rule",
            EngineError::Stopped => "server.busy",
        }
    }
}

impl From<Refusal> for EngineError {
    fn from(refusal: Refusal) -> EngineError {
        EngineError::Refused(refusal)
    }
}
