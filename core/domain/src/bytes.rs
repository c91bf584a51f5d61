//! Byte fields of rows as lower-case hex in text encodings, for `#[serde(with = "crate::bytes")]`; fields that may be
//! absent with `crate::bytes::option`.

use serde::{Deserialize, Deserializer, Serializer};

use crate::id::{hex, unhex};

/// Writes bytes as hex.
pub fn serialize<T: AsRef<[u8]>, S: Serializer>(bytes: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(bytes.as_ref()))
}

/// Reads hex; a fixed length is checked by the target type.
pub fn deserialize<'de, T: TryFrom<Vec<u8>>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = unhex(&text).map_err(serde::de::Error::custom)?;
    T::try_from(bytes).map_err(|_| serde::de::Error::custom("a byte field has the wrong length"))
}

pub mod option {
    //! Byte fields that may be absent.

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::id::{hex, unhex};

    /// Writes bytes as hex, none as null.
    pub fn serialize<T: AsRef<[u8]>, S: Serializer>(
        bytes: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&hex(bytes.as_ref())),
            None => serializer.serialize_none(),
        }
    }

    /// Reads hex or null; a fixed length is checked by the target type.
    pub fn deserialize<'de, T: TryFrom<Vec<u8>>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let bytes = unhex(&text).map_err(serde::de::Error::custom)?;
        T::try_from(bytes)
            .map(Some)
            .map_err(|_| serde::de::Error::custom("a byte field has the wrong length"))
    }
}
