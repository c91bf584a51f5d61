//! SQLite's errors as the store's (spec/scale.md 11).

use rusqlite::ErrorCode;

use crate::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::ConstraintViolation) => StoreError::Tripwire(error.to_string()),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Row(format!("the file is damaged: {error}"))
            }
            Some(_) => StoreError::Io(error.to_string()),
            // Everything else is a column that does not hold what it should.
            None => StoreError::Row(error.to_string()),
        }
    }
}

/// Whether a new row could not be written because its key is taken.
pub(super) fn is_key_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        matches!(
            error.extended_code,
            rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID
        )
    })
}
