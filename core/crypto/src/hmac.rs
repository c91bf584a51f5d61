//! HMAC-SHA-256, and values derived from a secret.
//!
//! Used for stored look-up keys of contacts and tokens, for webhooks, and for the random bytes that the server gives
//! to `decide` (design.md 3): the same secret and intent id give the same bytes on a second decision.

use ring::hmac as ring_hmac;

/// The tag does not belong to this key and message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the authentication tag does not fit")]
pub struct TagInvalid;

/// HMAC-SHA-256 (RFC 2104) of a message under a key of any length.
pub fn sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    tag(key, |context| context.update(message))
}

/// Checks a tag in constant time. Only a full tag of 32 bytes is good.
pub fn verify(key: &[u8], message: &[u8], tag: &[u8]) -> Result<(), TagInvalid> {
    let key = ring_hmac::Key::new(ring_hmac::HMAC_SHA256, key);
    ring_hmac::verify(&key, message, tag).map_err(|_| TagInvalid)
}

/// 32 bytes that only the holder of the secret can make: HMAC over the tag and every part, each with its length (u32)
/// in front, so that no two lists of parts give the same bytes.
pub fn derive(secret: &[u8; 32], tag_text: &str, parts: &[&[u8]]) -> [u8; 32] {
    tag(secret, |context| {
        for part in std::iter::once(tag_text.as_bytes()).chain(parts.iter().copied()) {
            // A part longer than 4 GiB does not fit into memory beside its hash; the length is exact below that.
            context.update(&(part.len() as u32).to_be_bytes());
            context.update(part);
        }
    })
}

fn tag(key: &[u8], feed: impl FnOnce(&mut ring_hmac::Context)) -> [u8; 32] {
    let mut context = ring_hmac::Context::with_key(&ring_hmac::Key::new(ring_hmac::HMAC_SHA256, key));
    feed(&mut context);
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{bytes, hex};

    /// RFC 4231, cases 1, 2, 3, 6.
    #[test]
    fn rfc_4231() {
        for (key, message, expect) in [
            (
                "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b".to_owned(),
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                "4a656665".to_owned(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                "aa".repeat(20),
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                "aa".repeat(131),
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            let key = bytes(&key);
            let tag = sha256(&key, &message);
            assert_eq!(hex(&tag), expect);
            assert_eq!(verify(&key, &message, &tag), Ok(()));
            assert_eq!(verify(&key, b"other", &tag), Err(TagInvalid));
            assert_eq!(verify(&key, &message, &tag[..31]), Err(TagInvalid));
            assert_eq!(verify(&key, &message, &[]), Err(TagInvalid));
        }
    }

    #[test]
    fn derived_bytes_depend_on_every_border() {
        let secret = [7; 32];
        let all = [
            derive(&secret, "souk/x/v1/", &[b"ab", b"c"]),
            derive(&secret, "souk/x/v1/", &[b"a", b"bc"]),
            derive(&secret, "souk/x/v1/", &[b"abc"]),
            derive(&secret, "souk/x/v1/", &[b"abc", b""]),
            derive(&secret, "souk/x/v1/a", &[b"bc"]),
            derive(&[8; 32], "souk/x/v1/", &[b"abc"]),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b), "{i}");
        }
        assert_eq!(all[0], derive(&secret, "souk/x/v1/", &[b"ab", b"c"]));
    }
}
