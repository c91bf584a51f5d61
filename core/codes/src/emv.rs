//! EMV QR codes, merchant-presented (EMVCo MPM 1.1): read without loss, check by level, write.
//!
//! Not for: amounts as money (`souk-domain`), signatures (`souk-crypto`). Rules: spec/money.md 2.1, 2.3. Always: what
//! was read is written again byte for byte; lengths and `at` count characters, the CRC covers UTF-8 bytes; the first
//! failure in the order text, walk, frame, CRC, formats, missing objects, cross rules, profile is the answer.

mod build;
mod crc;
mod error;
mod mpm;
mod object;
mod parse;
mod strict;

pub use build::{QrBuild, emit};
pub(crate) use build::{push_crc, write_object};
pub use crc::crc16;
pub use error::{CodeError, Path, Warning, WarningKind};
pub use mpm::{Initiation, Language, Mpm, Payee, Tip};
pub use object::{Id, Obj, Qr, Span};
pub use parse::{parse, parse_bytes};

/// Longest code of the levels strict and profile, in characters (EMVCo MPM 1.1).
pub const QR_CHARACTERS_MAX: usize = 512;
/// Longest text that is read at all, in bytes: what the largest QR symbol holds in byte mode at level L.
pub const QR_BYTES_MAX: usize = 2_953;

/// How much is asked of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Structure and CRC only.
    Lossless,
    /// Every rule of the EMVCo document.
    EmvStrict,
    /// The structure and a profile's own rules.
    Profile(Profile),
}

/// A national or own profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Our own payee template under the default GUID (spec/money.md 2.5).
    Souk,
    /// The profile that the code's GUIDs name; a code of no known profile is read as strict.
    Auto,
}

#[cfg(test)]
mod tests;
