//! Signatures: one rule for labels, hand-overs, payments, intents and requests.
//!
//! The message is always D, the 32 bytes of `SHA-256("souk/<what>/v1/" || fields)`, given to Ed25519 as it is and to
//! ES256, which hashes again. Signatures are 64 bytes, r||s, low s when we make them; verifying takes both forms of s,
//! and so nothing is ever deduplicated by signature bytes. Rules: spec/money.md 3.1, spec/logistics.md 4.1.

mod es256;
mod keys;

use std::fmt;

use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

use crate::hash;
pub use es256::signature_from_der;
pub use keys::{Ed25519Key, P256Key};

/// Length of every signature, bytes.
pub const SIGNATURE_LEN: usize = 64;
/// An Ed25519 public key as it travels, bytes.
pub const ED25519_PUBLIC_LEN: usize = 32;
/// A P-256 public key as it travels: 0x04 || x || y.
pub const P256_PUBLIC_LEN: usize = 65;

/// The algorithm byte of every format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Alg {
    /// Ed25519 (RFC 8032): servers, desktops, phones without key hardware.
    Ed25519 = 0,
    /// ECDSA on P-256 with SHA-256: key hardware of phones.
    Es256 = 1,
}

impl TryFrom<u8> for Alg {
    type Error = KeyInvalid;
    fn try_from(byte: u8) -> Result<Alg, KeyInvalid> {
        match byte {
            0 => Ok(Alg::Ed25519),
            1 => Ok(Alg::Es256),
            _ => Err(KeyInvalid::Algorithm),
        }
    }
}

impl From<Alg> for u8 {
    fn from(alg: Alg) -> u8 {
        alg as u8
    }
}

/// Why bytes are not a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyInvalid {
    /// Not 0 or 1.
    #[error("unknown algorithm")]
    Algorithm,
    /// Not 32 (Ed25519) or 65 bytes (P-256).
    #[error("wrong key length")]
    Length,
    /// P-256 without its first byte 0x04, or a private key that does not fit its public half.
    #[error("malformed key")]
    Form,
    /// One of the few Ed25519 points under which anybody can sign anything.
    #[error("weak key")]
    Weak,
}

/// The signature does not belong to this key and message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the signature does not fit")]
pub struct SignatureInvalid;

/// Why a signer gave no signature; nothing is queued then (spec/mobile.md 2.5). Displays as its stable code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignError {
    /// The user did not agree.
    #[error("sign.cancelled")]
    Cancelled,
    /// Too many wrong fingers or PINs.
    #[error("sign.locked_out")]
    LockedOut,
    /// The hardware has lost the key (screen lock taken off, restored phone).
    #[error("sign.key_gone")]
    KeyGone,
    /// The key store does not answer.
    #[error("sign.unavailable")]
    Unavailable,
    /// The platform failed in an unforeseen way.
    #[error("sign.unexpected")]
    Unexpected,
    /// The signature that came back does not verify under the signer's own public key.
    #[error("sign.bad_signature")]
    BadSignature,
}

impl SignError {
    /// The stable code, `sign.…`.
    pub fn code(self) -> &'static str {
        match self {
            SignError::Cancelled => "sign.cancelled",
            SignError::LockedOut => "sign.locked_out",
            SignError::KeyGone => "sign.key_gone",
            SignError::Unavailable => "sign.unavailable",
            SignError::Unexpected => "sign.unexpected",
            SignError::BadSignature => "sign.bad_signature",
        }
    }
}

/// Whoever holds a private key: software here, hardware behind a phone's shell.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> PublicKey;
    /// Signs D. The answer is r||s with low s. May wait for the user; callers verify with [`sign_checked`].
    fn sign(&self, d: &[u8; 32]) -> Result<[u8; SIGNATURE_LEN], SignError>;
}

/// Signs and verifies what came back, because hardware and its drivers do fail (`sign.bad_signature`).
pub fn sign_checked(signer: &dyn Signer, d: &[u8; 32]) -> Result<[u8; SIGNATURE_LEN], SignError> {
    let signature = signer.sign(d)?;
    signer.public_key().verify(d, &signature).map_err(|SignatureInvalid| SignError::BadSignature)?;
    Ok(signature)
}

/// A public key as it travels.
///
/// Length and first byte are checked when it is made. That a P-256 point lies on the curve is checked by each
/// `verify`: a key that does not verifies nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    alg: Alg,
    /// Zero behind the length of the algorithm.
    bytes: [u8; P256_PUBLIC_LEN],
}

impl PublicKey {
    /// Checks length, form and strength.
    pub fn from_bytes(alg: Alg, bytes: &[u8]) -> Result<PublicKey, KeyInvalid> {
        if bytes.len() != public_len(alg) {
            return Err(KeyInvalid::Length);
        }
        match alg {
            Alg::Ed25519 if keys::is_small_order(bytes) => return Err(KeyInvalid::Weak),
            Alg::Es256 if bytes[0] != 0x04 => return Err(KeyInvalid::Form),
            Alg::Ed25519 | Alg::Es256 => {}
        }
        Ok(PublicKey::padded(alg, bytes))
    }

    /// From the 64 bytes inside certificates and vouchers: P-256 x||y, Ed25519 followed by 32 zeros.
    pub fn from_64(alg: Alg, bytes: &[u8; 64]) -> Result<PublicKey, KeyInvalid> {
        match alg {
            Alg::Ed25519 if bytes[ED25519_PUBLIC_LEN..].iter().any(|b| *b != 0) => Err(KeyInvalid::Form),
            Alg::Ed25519 => PublicKey::from_bytes(alg, &bytes[..ED25519_PUBLIC_LEN]),
            Alg::Es256 => {
                let mut point = [0x04; P256_PUBLIC_LEN];
                point[1..].copy_from_slice(bytes);
                PublicKey::from_bytes(alg, &point)
            }
        }
    }

    /// The form of [`PublicKey::from_64`].
    pub fn to_64(&self) -> [u8; 64] {
        let mut out = [0; 64];
        match self.alg {
            Alg::Ed25519 => out[..ED25519_PUBLIC_LEN].copy_from_slice(self.bytes()),
            Alg::Es256 => out.copy_from_slice(&self.bytes[1..]),
        }
        out
    }

    /// The algorithm.
    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// The bytes that travel: 32 (Ed25519) or 65 (P-256, uncompressed).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..public_len(self.alg)]
    }

    /// The first 8 bytes of SHA-256 of the travelling bytes.
    pub fn key_id(&self) -> [u8; 8] {
        hash::h8(self.bytes())
    }

    /// SHA-256 of the travelling bytes: the key of database rows.
    pub fn key_id32(&self) -> [u8; 32] {
        hash::sha256(self.bytes())
    }

    /// Checks a signature over D; for ES256 with high or low s.
    pub fn verify(&self, d: &[u8; 32], signature: &[u8; SIGNATURE_LEN]) -> Result<(), SignatureInvalid> {
        match self.alg {
            Alg::Ed25519 => UnparsedPublicKey::new(&ED25519, self.bytes()).verify(d, signature),
            Alg::Es256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.bytes()).verify(d, signature),
        }
        .map_err(|_| SignatureInvalid)
    }

    fn padded(alg: Alg, bytes: &[u8]) -> PublicKey {
        let mut padded = [0; P256_PUBLIC_LEN];
        padded[..bytes.len()].copy_from_slice(bytes);
        PublicKey { alg, bytes: padded }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {:016x})", self.alg, u64::from_be_bytes(self.key_id()))
    }
}

fn public_len(alg: Alg) -> usize {
    match alg {
        Alg::Ed25519 => ED25519_PUBLIC_LEN,
        Alg::Es256 => P256_PUBLIC_LEN,
    }
}

#[cfg(test)]
mod tests;
