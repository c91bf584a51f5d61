//! SHA-256, plain and tagged.
//!
//! Every derived id, commitment and signed digest of Souk is `SHA-256("souk/<what>/v1/" || fields)`; [`digest`] is
//! that form. Fields are joined as they are: each format fixes their widths, so two inputs never read alike.

use ring::digest as ring_digest;

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

/// SHA-256 over the tag's bytes and then each part, with nothing between them.
pub fn digest(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(tag.as_bytes());
    for part in parts {
        hash.update(part);
    }
    hash.finish()
}

/// The first 8 bytes of SHA-256 (spec/logistics.md 0): binds under a signature, never a database key.
pub fn h8(bytes: &[u8]) -> [u8; 8] {
    first(&sha256(bytes))
}

/// The first `N` bytes of a hash, `N` <= 32: `first::<6>(&digest("souk/party/v1/", …))`.
pub fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    const { assert!(N <= 32) };
    let mut out = [0; N];
    out.copy_from_slice(&hash[..N]);
    out
}

/// SHA-256 fed piece by piece.
#[derive(Clone)]
pub struct Sha256(ring_digest::Context);

impl Sha256 {
    /// An empty hash.
    pub fn new() -> Sha256 {
        Sha256(ring_digest::Context::new(&ring_digest::SHA256))
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes taken.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

impl Default for Sha256 {
    fn default() -> Sha256 {
        Sha256::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{bytes, hex};

    /// FIPS 180-2, appendix B.
    #[test]
    fn sha256_vectors() {
        let million = "a".repeat(1_000_000);
        for (text, expect) in [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (&million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ] {
            assert_eq!(hex(&sha256(text.as_bytes())), expect);
        }
    }

    /// spec/money.md 3.1: payee and nonce hash; spec/logistics.md 4.8: order commitment.
    #[test]
    fn tagged_vectors() {
        let payee = bytes("018f3c2a5b007abc8def0123456789ab");
        let order = bytes("018f3c2a5b017abc8def0123456789ac");
        let nonce = bytes("a1b2c3d4e5f6");
        assert_eq!(hex(&first::<6>(&digest("souk/party/v1/", &[&payee]))), "311ddecb7f54");
        assert_eq!(hex(&first::<6>(&digest("souk/nonce/v1/", &[&order, &nonce]))), "0bde701b20c0");
        let order: Vec<u8> = (0..16).collect();
        let commitment: [u8; 8] = first(&digest("souk/order-commit/v1/", &[&order, &[0xa5; 16]]));
        assert_eq!(hex(&commitment), "9d7cade9c252e17b");
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        let mut hash = Sha256::default();
        for piece in ["souk/", "", "x/v1/", "abc"] {
            hash.update(piece.as_bytes());
        }
        assert_eq!(hash.finish(), digest("souk/x/v1/", &[b"ab", b"c"]));
        assert_eq!(h8(b"abc"), sha256(b"abc")[..8]);
    }
}
