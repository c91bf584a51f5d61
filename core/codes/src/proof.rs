//! Hand-over proofs: the byte layouts of the messages that labels and phones show, and of those they upload.
//!
//! Not for: signatures, hashes, clocks, rules of custody. A message here is a body, whose bytes are signed, and 64
//! bytes of signature that nobody has checked yet. Rules: spec/logistics.md 4.1-4.5. Always: integers are big-endian,
//! `decode` gives back exactly the body it was given (unknown flag bits included), and the first failure in the order
//! prefix, base45, length, version, type, algorithm, fields is the answer.

mod ack;
mod bytes;
mod cert;
mod custody;
mod error;
mod handover;
mod head;
mod key;
mod label;
mod manifest;
mod numbers;
mod receipt;
mod text;

pub use ack::{AckA, AckVerdict, SignedCert};
pub use cert::{CERT_HOURS_MAX, CertK, CertRole};
pub use custody::{CustodyC, CustodyFlags, Fix};
pub use error::ProofError;
pub use handover::{
    DELEGATE_HOURS_MAX, HandoverFlags, HandoverH, VALIDITY_STEP_S, VALIDITY_STEPS_DEFAULT,
    VALIDITY_STEPS_MAX, Verdict,
};
pub use head::{Algorithm, MessageType};
pub use key::PublicKey;
pub use label::{DAY_ZERO_UNIX_DAYS, LabelFlags, LabelL, MinimumLevel};
pub use manifest::{MANIFEST_PARCELS_MAX, MANIFEST_VOIDS_MAX, ManifestHeader, ManifestM, ManifestParcel};
pub use numbers::{EventKind, EvidenceType, Reason};
pub use receipt::ReceiptR;
pub use text::{PREFIX, TEXT_LEN_MAX, from_text, text};

/// Signature bytes as they travel: r||s of ES256, or the 64 bytes of Ed25519.
pub type Signature = [u8; SIGNATURE_LEN];

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// What stands in front of type letter and body when the digest of a message is made:
/// `D = SHA-256(SIGNING_PREFIX || letter || body)` (spec/logistics.md 4.1).
pub const SIGNING_PREFIX: &[u8] = b"souk/pod/v1/";

/// What stands in front of a custody event's 160 bytes when its id is made.
pub const EVENT_ID_PREFIX: &[u8] = b"souk/evt/v1/";

/// What stands in front of order id and salt when an order commitment is made; the first 8 bytes of the hash count.
pub const ORDER_COMMITMENT_PREFIX: &[u8] = b"souk/order-commit/v1/";

/// What stands in front of an account id when a party is made; the first 8 bytes of the hash count.
pub const PARTY_PREFIX: &[u8] = b"souk/party/v1/";

#[cfg(test)]
mod tests;
