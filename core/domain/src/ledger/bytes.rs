//! Bytes of fixed length as lower-case hex in JSON: `#[serde(with = "super::bytes")]`.

use serde::{Deserialize, Deserializer, Serializer, de};

use crate::id::{hex, unhex};

pub(super) fn serialize<const N: usize, S: Serializer>(
    bytes: &[u8; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(bytes))
}

pub(super) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    let bytes = unhex(&String::deserialize(deserializer)?).map_err(de::Error::custom)?;
    bytes.try_into().map_err(|_| de::Error::custom("wrong length"))
}
