//! The text of a scanned message: `SK1:` + base45 of one message, or of several joined.

use crate::base45;

use super::error::ProofError;

/// What every scanned message begins with.
pub const PREFIX: &str = "SK1:";

/// Longest text that is read, in bytes: what the largest QR symbol holds in alphanumeric mode at level L.
pub const TEXT_LEN_MAX: usize = 4_296;

/// The text of a message, ready for a QR symbol in alphanumeric mode.
pub fn text(message: &[u8]) -> String {
    format!("{PREFIX}{}", base45::encode(message))
}

/// The bytes of a text. Blanks are data: the caller must not trim. Refuses with `proof.prefix`, `proof.base45`.
pub fn from_text(text: &str) -> Result<Vec<u8>, ProofError> {
    let payload = text.strip_prefix(PREFIX).ok_or(ProofError::Prefix)?;
    if text.len() > TEXT_LEN_MAX {
        return Err(ProofError::Base45 { at: TEXT_LEN_MAX });
    }
    base45::decode(payload).map_err(|error| ProofError::Base45 { at: PREFIX.len() + error.at() })
}
