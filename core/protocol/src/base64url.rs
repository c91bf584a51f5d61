//! base64url without padding (RFC 4648, 5): bytes in bodies, signatures, cursors and tokens.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize as _, Deserializer, Serializer};

/// The text of some bytes.
pub fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a text; nothing for padding, blanks, other letters and bits left over.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// Writes bytes, for `#[serde(with = "crate::base64url")]`.
pub fn serialize<T: AsRef<[u8]>, S: Serializer>(bytes: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode(bytes.as_ref()))
}

/// Reads bytes; a fixed length is checked by the target type.
pub fn deserialize<'de, T: TryFrom<Vec<u8>>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = decode(&text).ok_or_else(|| serde::de::Error::custom("not base64url"))?;
    T::try_from(bytes).map_err(|_| serde::de::Error::custom("a byte field has the wrong length"))
}

/// A byte field that may be absent, for `#[serde(with = "crate::base64url::option")]`.
pub mod option {
    use super::{Deserializer, Serializer, decode, encode};
    use serde::Deserialize as _;

    /// Writes bytes or `null`; pair it with `skip_serializing_if`.
    pub fn serialize<T: AsRef<[u8]>, S: Serializer>(
        bytes: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&encode(bytes.as_ref())),
            None => serializer.serialize_none(),
        }
    }

    /// Reads bytes, `null` or nothing; pair it with `default`.
    pub fn deserialize<'de, T: TryFrom<Vec<u8>>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let bytes = decode(&text).ok_or_else(|| serde::de::Error::custom("not base64url"))?;
        T::try_from(bytes)
            .map(Some)
            .map_err(|_| serde::de::Error::custom("a byte field has the wrong length"))
    }
}
