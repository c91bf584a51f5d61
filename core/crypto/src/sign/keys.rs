//! Private keys in software: servers, desktops, tests, phones without key hardware.
//!
//! `Debug` prints the public half alone.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, Signature,
};

use super::{Alg, KeyInvalid, P256_PUBLIC_LEN, PublicKey, SIGNATURE_LEN, SignError, Signer, es256};

/// An Ed25519 key. The same seed and D give the same signature on every machine.
pub struct Ed25519Key {
    pair: Ed25519KeyPair,
}

impl Ed25519Key {
    /// The key of a seed of 32 secret bytes (RFC 8032, 5.1.5). Every seed is good.
    #[expect(
        clippy::expect_used,
        reason = "ring refuses a seed for its length alone, and the type fixes that"
    )]
    pub fn from_seed(seed: [u8; 32]) -> Ed25519Key {
        Ed25519Key { pair: Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed of 32 bytes") }
    }

    /// Signs D without randomness; what the platform's keys do inside `decide` (design.md 3).
    pub fn sign_deterministic(&self, d: &[u8; 32]) -> [u8; SIGNATURE_LEN] {
        fixed(&self.pair.sign(d))
    }
}

impl Signer for Ed25519Key {
    fn public_key(&self) -> PublicKey {
        PublicKey::padded(Alg::Ed25519, self.pair.public_key().as_ref())
    }

    fn sign(&self, d: &[u8; 32]) -> Result<[u8; SIGNATURE_LEN], SignError> {
        Ok(self.sign_deterministic(d))
    }
}

/// A P-256 key in software. Two signatures of one D differ: ring mixes system randomness into the nonce.
pub struct P256Key {
    pair: EcdsaKeyPair,
}

impl P256Key {
    /// A new key from the system's randomness, as PKCS#8 (RFC 5958) to be stored; `from_pkcs8` makes the key of it.
    pub fn generate_pkcs8() -> Result<Vec<u8>, SignError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| SignError::Unavailable)?;
        Ok(document.as_ref().to_vec())
    }

    /// The key of a PKCS#8 document that holds its public half too.
    pub fn from_pkcs8(document: &[u8]) -> Result<P256Key, KeyInvalid> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document, &SystemRandom::new())
            .map(|pair| P256Key { pair })
            .map_err(|_| KeyInvalid::Form)
    }

    /// The key of its two halves; refused if they do not belong together.
    pub fn from_parts(secret: &[u8; 32], public: &[u8; P256_PUBLIC_LEN]) -> Result<P256Key, KeyInvalid> {
        let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
        EcdsaKeyPair::from_private_key_and_public_key(alg, secret, public, &SystemRandom::new())
            .map(|pair| P256Key { pair })
            .map_err(|_| KeyInvalid::Form)
    }
}

impl Signer for P256Key {
    fn public_key(&self) -> PublicKey {
        PublicKey::padded(Alg::Es256, self.pair.public_key().as_ref())
    }

    fn sign(&self, d: &[u8; 32]) -> Result<[u8; SIGNATURE_LEN], SignError> {
        let signature = self.pair.sign(&SystemRandom::new(), d).map_err(|_| SignError::Unavailable)?;
        Ok(es256::low_s(fixed(&signature)))
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ed25519Key").field(&self.public_key()).finish()
    }
}

impl fmt::Debug for P256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("P256Key").field(&self.public_key()).finish()
    }
}

fn fixed(signature: &Signature) -> [u8; SIGNATURE_LEN] {
    let mut out = [0; SIGNATURE_LEN];
    out.copy_from_slice(signature.as_ref()); // both algorithms sign with 64 bytes
    out
}

/// y coordinates of the Ed25519 points of order 1, 2, 4 and 8, little-endian, and the two that are not reduced. Under
/// such a key a signature can be made that is good for many messages, so its owner could deny any of them.
const SMALL_ORDER_Y: [[u8; 32]; 7] = {
    const P_LOW: u8 = 0xed;
    const fn near_p(low: u8) -> [u8; 32] {
        let mut y = [0xff; 32];
        y[0] = low;
        y[31] = 0x7f;
        y
    }
    let mut one = [0; 32];
    one[0] = 1;
    [
        [0; 32],
        one,
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
        near_p(P_LOW - 1),
        near_p(P_LOW),
        near_p(P_LOW + 1),
    ]
};

/// Whether an Ed25519 key is one of those points; the top bit, the sign of x, does not matter.
pub(super) fn is_small_order(bytes: &[u8]) -> bool {
    SMALL_ORDER_Y.iter().any(|y| bytes[..31] == y[..31] && bytes[31] & 0x7f == y[31])
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// Why the list exists: R = 0 point, S = 0 is a good signature of any message under the key of order 1.
    #[test]
    fn small_order_keys_are_refused() {
        let mut forged = [0; 64];
        forged[0] = 1;
        let identity = &SMALL_ORDER_Y[1];
        assert!(UnparsedPublicKey::new(&ED25519, identity).verify(b"anything", &forged).is_ok());
        for y in SMALL_ORDER_Y {
            for sign in [0, 0x80] {
                let mut key = y;
                key[31] |= sign;
                assert_eq!(PublicKey::from_bytes(Alg::Ed25519, &key), Err(KeyInvalid::Weak));
            }
        }
    }
}
