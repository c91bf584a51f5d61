//! AES-256-GCM: cursors, sealed texts, stop lists.
//!
//! The caller brings the nonce and answers for its being used once under a key.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes of the tag behind the cipher text.
pub const TAG_LEN: usize = 16;

/// The text was not sealed under this key, nonce and associated data (or is too long to be sealed, 64 GiB).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the sealed text is not authentic")]
pub struct SealInvalid;

/// Cipher text and tag (16 bytes longer than the plain text).
pub fn seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealInvalid> {
    let mut text = Vec::with_capacity(plain.len() + TAG_LEN);
    text.extend_from_slice(plain);
    aes(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut text)
        .map_err(|_| SealInvalid)?;
    Ok(text)
}

/// The plain text, if text, nonce, associated data and key all fit.
pub fn open(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealInvalid> {
    let mut text = sealed.to_vec();
    let length = aes(key)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut text)
        .map_err(|_| SealInvalid)?
        .len();
    text.truncate(length);
    Ok(text)
}

fn aes(key: &[u8; 32]) -> Result<LessSafeKey, SealInvalid> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealInvalid)?))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;
    use crate::vectors::{array, bytes, hex};

    /// NIST GCM specification (McGrew, Viega), test case 16.
    #[test]
    fn gcm_case_16() {
        let key = array("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let nonce = array("cafebabefacedbaddecaf888");
        let aad = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plain = bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let sealed = seal(&key, &nonce, &aad, &plain).unwrap();
        assert_eq!(
            hex(&sealed),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
        );
        assert_eq!(open(&key, &nonce, &aad, &sealed).unwrap(), plain);
    }

    /// The cursor of spec/sync.md 4.6: key id 5, two parts.
    #[test]
    fn cursor_vector() {
        let key: [u8; 32] = std::array::from_fn(|i| i as u8);
        let nonce: [u8; 12] = std::array::from_fn(|i| i as u8);
        let mut plain = vec![1];
        plain.extend(bytes("018f3c2a5b007abc8def0123456789ab"));
        plain.extend(bytes("019a2f00000071118222333344445555"));
        plain.extend(7u32.to_be_bytes());
        plain.extend(3u32.to_be_bytes());
        plain.extend(1_795_348_800_123_456u64.to_be_bytes());
        plain.extend(b"\x04acct");
        plain.extend(2u16.to_be_bytes());
        for (bucket, seq) in [(417u16, 90_311u64), (687, 12)] {
            plain.extend(bucket.to_be_bytes());
            plain.extend(seq.to_be_bytes());
        }
        assert_eq!(plain.len(), 76);
        let mut cursor = vec![1, 5];
        cursor.extend(nonce);
        cursor.extend(seal(&key, &nonce, b"souk/cursor/v1/", &plain).unwrap());
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(&cursor),
            "AQUAAQIDBAUGBwgJCgtGA1kn777CYTHMeIqSrB_kKNcdG_B7Xw0p5ce2Li1E51QQrvyowRKYd6R5jVSwUoquXQHuOaKj2D42KhkY4_XvkPvE1dPRJmEcVKpidNjNrNaGdMDF9hkZ15UlLg"
        );
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let (key, nonce, aad) = ([1; 32], [2; 12], b"souk/test/v1/");
        let sealed = seal(&key, &nonce, aad, b"seq 7").unwrap();
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(open(&key, &nonce, aad, &bad), Err(SealInvalid), "{at}");
            assert_eq!(open(&key, &nonce, aad, &sealed[..at]), Err(SealInvalid), "{at}");
        }
        assert_eq!(open(&[3; 32], &nonce, aad, &sealed), Err(SealInvalid));
        assert_eq!(open(&key, &[3; 12], aad, &sealed), Err(SealInvalid));
        assert_eq!(open(&key, &nonce, b"souk/other/v1/", &sealed), Err(SealInvalid));
        assert_eq!(open(&key, &nonce, aad, &seal(&key, &nonce, aad, b"").unwrap()).unwrap(), b"");
    }
}
