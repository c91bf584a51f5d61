//! A public key as it travels inside messages.

/// A public key: 32 bytes of Ed25519, or 65 bytes of an uncompressed P-256 point (first byte 4).
/// Whether the point lies on the curve is for `crypto` to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// Ed25519.
    Ed25519([u8; 32]),
    /// P-256: x then y; the constant byte 4 in front is not kept.
    P256([u8; 64]),
}

impl PublicKey {
    /// The key's bytes as they travel on their own, and as they are hashed into a key id: 32, or 65 with the 4.
    pub fn travel_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.to_vec(),
            Self::P256(point) => [&[4], &point[..]].concat(),
        }
    }

    /// Reads 32 or 65 bytes; `None` for any other length or a point that is not in uncompressed form.
    pub fn from_travel_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(key) = <[u8; 32]>::try_from(bytes) {
            return Some(Self::Ed25519(key));
        }
        let (first, point) = bytes.split_first()?;
        (*first == 4).then(|| <[u8; 64]>::try_from(point).ok().map(Self::P256))?
    }

    /// The 64 bytes of a certificate: x||y, or the Ed25519 key and 32 zeros.
    pub(super) fn cert_bytes(&self) -> [u8; 64] {
        match self {
            Self::P256(point) => *point,
            Self::Ed25519(key) => {
                let mut bytes = [0; 64];
                bytes[..32].copy_from_slice(key);
                bytes
            }
        }
    }

    /// Reads the 64 bytes of a certificate. No point of P-256 has y = 0, so the zeros tell the two apart.
    pub(super) fn from_cert_bytes(bytes: [u8; 64]) -> Self {
        match bytes.split_first_chunk::<32>() {
            Some((key, rest)) if rest == [0; 32] => Self::Ed25519(*key),
            _ => Self::P256(bytes),
        }
    }
}
