//! Errors: rich inside ([`StoreError`] and the refusals of rules), one flat [`SoukError`] outside.
//!
//! Always: a refusal has a stable code `area.reason` and has changed nothing. Screens match the code, never a text.

use std::fmt;

use serde::{Deserialize, Serialize};
use souk_domain::outcome::{Facts, Refusal};

/// Why a local file gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file was written by a newer program; it was not touched.
    #[error("{file} has schema {found}, this program knows {known}")]
    Newer {
        /// `user.db` or `cache.db`.
        file: &'static str,
        /// Its schema.
        found: i64,
        /// The newest that this program reads.
        known: i64,
    },
    /// A setting did not take.
    #[error("{file}: pragma {name} is {got}, not {want}")]
    Pragma {
        /// Which file.
        file: &'static str,
        /// Which setting.
        name: &'static str,
        /// What it should be.
        want: String,
        /// What it is.
        got: String,
    },
    /// A step to a newer schema failed and was rolled back.
    #[error("{file} could not be brought to schema {to}")]
    Migration {
        /// Which file.
        file: &'static str,
        /// To which schema.
        to: i64,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A row does not hold what this program writes into it.
    #[error("a row of {table} cannot be read: {what}")]
    Form {
        /// Which table.
        table: &'static str,
        /// Which value.
        what: &'static str,
    },
    /// A row of the server cannot be read.
    #[error("the server sent a row that cannot be read")]
    Row(Refusal),
    /// SQLite says no.
    #[error("the local file cannot be used")]
    Sql(#[from] rusqlite::Error),
    /// The system says no.
    #[error("the local file cannot be used")]
    Io(#[from] std::io::Error),
    /// The store is paused: no file is open.
    #[error("the device is paused")]
    Paused,
}

/// SQLite's code of a statement that cannot be carried out as it stands.
const SQLITE_ERROR: i32 = 1;

impl StoreError {
    /// `store.newer`, `store.pragma`, `store.migration`, `store.form`, `store.full`, `store.damaged`, `store.in_use`,
    /// `store.io`, `core.paused`.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::Newer { .. } => "store.newer",
            StoreError::Pragma { .. } => "store.pragma",
            StoreError::Migration { .. } => "store.migration",
            StoreError::Form { .. } => "store.form",
            StoreError::Row(refusal) => refusal.code,
            StoreError::Sql(error) => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => "store.full",
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                    "store.damaged"
                }
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                    "store.in_use"
                }
                // SQLite does not understand a statement of ours: the tables are not the ones that were made.
                Some(rusqlite::ErrorCode::Unknown)
                    if error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_ERROR) =>
                {
                    "store.damaged"
                }
                Some(_) => "store.io",
                // A value of another type than its column, or a text that is none.
                None => "store.damaged",
            },
            StoreError::Io(_) => "store.io",
            StoreError::Paused => "core.paused",
        }
    }

    /// Whether the file itself is broken: no database, or pages that contradict each other.
    pub fn is_damage(&self) -> bool {
        self.code() == "store.damaged"
    }

    /// Whether stored rows contradict each other or cannot be read: where they can be fetched again, they are.
    pub(crate) fn is_of_rows(&self) -> bool {
        let is_contradiction = match self {
            StoreError::Sql(error) => {
                error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
            }
            StoreError::Form { .. } => true,
            _ => false,
        };
        is_contradiction || self.is_damage()
    }
}

/// Shorthand of this crate.
pub(crate) type StoreResult<T> = Result<T, StoreError>;

/// What every call of the facade answers when it cannot do what was asked. Nothing was stored or changed then.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SoukError {
    /// Stable, `area.reason`. What screens match.
    pub code: String,
    /// For logs and developers, in English, without personal data.
    pub message: String,
    /// Names the log entry, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub report: String,
    /// Facts of the code: old and new price, limit and size, what is pending.
    #[serde(default)]
    pub facts: Facts,
}

impl SoukError {
    /// An error of a code alone.
    pub fn new(code: impl Into<String>) -> SoukError {
        let code = code.into();
        let message = souk_protocol::codes::find(&code).map_or("", |row| row.meaning).to_owned();
        SoukError { code, message, report: String::new(), facts: Facts::none() }
    }
}

impl fmt::Display for SoukError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for SoukError {}

impl From<Refusal> for SoukError {
    fn from(refusal: Refusal) -> SoukError {
        SoukError { facts: refusal.facts, ..SoukError::new(refusal.code) }
    }
}

impl From<StoreError> for SoukError {
    fn from(error: StoreError) -> SoukError {
        let facts = match &error {
            StoreError::Newer { found, known, .. } => {
                Facts::none().with("found", *found).with("known", *known)
            }
            StoreError::Row(refusal) => refusal.facts.clone(),
            _ => Facts::none(),
        };
        let mut out = SoukError { facts, ..SoukError::new(error.code()) };
        if out.message.is_empty() {
            out.message = error.to_string();
        }
        tracing::warn!(code = error.code(), error = ?error, "local store");
        out
    }
}
